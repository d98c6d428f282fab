"""A fuzzer of both engines and of inversion, held against rational arithmetic: ``python -m tests.fuzz``.

A case has a name, (family, seed, index), from which it is made again: `tests.fuzz.families` lists the
families, `tests.fuzz.judge_partition` and `tests.fuzz.judge_inversion` say what is wrong with the answers,
`tests.fuzz.printer` writes a case as Python, `tests.fuzz.runner` goes through the families in turn.
"""
