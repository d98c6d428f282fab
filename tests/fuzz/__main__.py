"""The fuzzer's command line: ``python -m tests.fuzz [--seconds N] [--seed K] [--family F] [--list]``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from tests.fuzz.families import FAMILIES, Name
from tests.fuzz.runner import TURN_SECONDS, Worker, names, run_cases, shown, table
from tests.fuzz.verdict import Failure
from tests.kernels import compile_kernels


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="wall time (default 60)")
    parser.add_argument("--seed", type=int, default=0, metavar="K", help="seed of all families (default 0)")
    parser.add_argument(
        "--family",
        action="append",
        metavar="F",
        help="only families with this in their name (may be repeated)",
    )
    parser.add_argument("--index", type=int, metavar="I", help="only the case of this number, of each family")
    parser.add_argument("--show", type=int, default=1, metavar="M", help="failing cases shown by kind")
    parser.add_argument("--list", action="store_true", help="list the families and end")
    return parser.parse_args(arguments)


def chosen_families(wanted: Sequence[str] | None) -> list[str]:
    """Families that are asked for: of exactly this name, or with this in it."""
    if wanted is None:
        return list(FAMILIES)
    exact = [family for family in FAMILIES if family in wanted]
    return exact or [family for family in FAMILIES if any(text in family for text in wanted)]


def main(arguments: Sequence[str]) -> int:
    """Run the fuzzer: 0 if no case failed, 1 if one did, 2 if no family has such a name."""
    options = parse(arguments)
    families = chosen_families(options.family)
    if options.list:
        for family in families:
            print(f"{family:<20}{(FAMILIES[family].__doc__ or '').splitlines()[0]}")
        return 0
    if not families:
        print(f"no family is named {options.family}; --list lists them.", file=sys.stderr)
        return 2
    compile_kernels(1)  # not under the clock of a case
    shows: Counter[tuple[str, str]] = Counter()

    def tell(name: Name, failures: list[Failure]) -> None:
        kinds = {(name.family, failure.kind) for failure in failures}
        shows.update(kinds)
        if any(shows[kind] <= options.show for kind in kinds):
            print(shown(name, failures), flush=True)

    chosen = names(families, options.seed, TURN_SECONDS)
    if options.index is not None:
        chosen = iter([Name(family, options.seed, options.index) for family in families])
    worker = Worker()
    try:
        run = run_cases(chosen, worker, options.seconds, tell)
    except KeyboardInterrupt:
        return 130
    finally:
        worker.close()
    print(table(run))
    return 0 if run.passed else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
