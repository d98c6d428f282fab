"""Going through the families in turn, each case in a process that may be stopped."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection

from tests.fuzz.families import Name, judge, make_case
from tests.fuzz.printer import as_python
from tests.fuzz.verdict import Failure, Verdict

CASE_SECONDS = 60.0
"""A case that takes longer hangs."""

TURN_SECONDS = 0.5
"""How long a family has its turn."""

COMPILE_SECONDS = 600.0
"""The first case of a family may have kernels to compile."""


@dataclass
class Tally:
    """Figures of one family.

    Attributes
    ----------
    cases, failures : how many, and how many of them failed.
    seconds : wall time.
    beyond : cases that the oracle was not asked about.
    unproven : inversions that ended by themselves above the gap asked for, and say why.
    refused : calls that ended in an error of the package, where that is an answer.
    first_failure : seconds of this family's time until the first failure.
    kinds : how many cases failed in each way.
    """

    cases: int = 0
    failures: int = 0
    seconds: float = 0.0
    beyond: int = 0
    refused: int = 0
    unproven: int = 0
    first_failure: float | None = None
    kinds: dict[str, int] = field(default_factory=dict)

    def add(self, verdict: Verdict, seconds: float) -> None:
        """Count one more case."""
        self.cases += 1
        self.seconds += seconds
        self.beyond += verdict.beyond
        self.refused += verdict.refused
        self.unproven += verdict.unproven
        if verdict.failures:
            self.failures += 1
            if self.first_failure is None:
                self.first_failure = self.seconds
        for kind in verdict.kinds:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1


@dataclass
class Run:
    """What a run of the fuzzer found.

    Attributes
    ----------
    tallies : figures by family.
    failing : names of the cases that failed, with what is wrong.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    failing: list[tuple[Name, list[Failure]]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return not self.failing


Judge = Callable[[Name], Verdict]


def judge_here(name: Name) -> Verdict:
    """Judge a case in this process."""
    return judge(make_case(name))


def names(families: Sequence[str], seed: int, turn: float = 0.0) -> Iterator[Name]:
    """Names of cases without end, by families in turn; each has a case, and more until its turn is over."""
    cases = {family: count() for family in families}
    while True:
        for family in families:
            began = time.perf_counter()
            yield Name(family, seed, next(cases[family]))
            while time.perf_counter() - began < turn:
                yield Name(family, seed, next(cases[family]))


def run_cases(
    chosen: Iterator[Name],
    judge_case: Judge = judge_here,
    seconds: float | None = None,
    told: Callable[[Name, list[Failure]], None] | None = None,
) -> Run:
    """Judge cases until there are no more, or the time is up."""
    run = Run()
    began = time.perf_counter()
    for name in chosen:
        start = time.perf_counter()
        if seconds is not None and start - began >= seconds:
            break
        verdict = judge_case(name)
        run.tallies.setdefault(name.family, Tally()).add(verdict, time.perf_counter() - start)
        if verdict.failures:
            run.failing.append((name, verdict.failures))
            if told is not None:
                told(name, verdict.failures)
    return run


class Worker:
    """A process that judges cases, and is replaced when it hangs or dies."""

    def __init__(self, limit: float = CASE_SECONDS) -> None:
        self._limit = limit
        self._seen: set[str] = set()
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection | None = None

    def __call__(self, name: Name) -> Verdict:
        """Judge a case."""
        line = self._line if self._line is not None else self._start()
        limit = self._limit if name.family in self._seen else COMPILE_SECONDS
        line.send(name)
        try:
            if not line.poll(limit):
                self.close()
                return Verdict(failures=[Failure("hangs", f"no answer within {limit:g} s")])
            verdict = line.recv()
        except EOFError:
            self.close()
            return Verdict(failures=[Failure("died", "the process died")])
        self._seen.add(name.family)
        assert isinstance(verdict, Verdict)
        return verdict

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        return self._line

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._line is not None:
            self._line.close()
        self._process = self._line = None


def _serve(line: Connection) -> None:
    while True:
        try:
            name = line.recv()
        except EOFError:
            return
        line.send(judge_here(name))


def table(run: Run) -> str:
    """A line for each family."""
    lines = [
        f"{'family':<20}{'cases':>8}{'failures':>10}{'seconds':>9}{'first at':>10}"
        f"{'no oracle':>11}{'refused':>9}{'unproven':>10}  failures by kind"
    ]
    for family, tally in run.tallies.items():
        first = "-" if tally.first_failure is None else f"{tally.first_failure:.1f}"
        lines.append(
            f"{family:<20}{tally.cases:>8}{tally.failures:>10}{tally.seconds:>9.1f}{first:>10}"
            f"{tally.beyond:>11}{tally.refused:>9}{tally.unproven:>10}  "
            + ", ".join(f"{kind} {number}" for kind, number in sorted(tally.kinds.items()))
        )
    return "\n".join(lines)


def shown(name: Name, failures: Sequence[Failure]) -> str:
    """A failing case: its name, what is wrong, and the lines to paste."""
    faults = "\n".join(f"# {failure.what}" for failure in failures[:6])
    return f"# {name}\n{faults}\n{as_python(make_case(name))}\n"
