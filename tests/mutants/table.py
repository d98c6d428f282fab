"""All planted faults, and their table in ``tests/README.md``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tests.mutants import engines, exact, forward, inversion, splitting
from tests.mutants.mutant import ROOT, Mutant

MUTANTS: tuple[Mutant, ...] = (
    *forward.MUTANTS,
    *splitting.MUTANTS,
    *engines.MUTANTS,
    *exact.MUTANTS,
    *inversion.MUTANTS,
)

README = ROOT / "tests" / "README.md"
_BEGIN, _END = "<!-- mutants: begin -->", "<!-- mutants: end -->"
_HEAD = ("| fault | verdict | seen by | seconds |", "|---|---|---|---|")


class Outcome(NamedTuple):
    """What came of one fault."""

    name: str
    verdict: str  # killed, survived, equivalent, or what broke
    seen_by: str
    seconds: float


def _row(outcome: Outcome) -> str:
    return f"| {outcome.name} | {outcome.verdict} | {outcome.seen_by} | {outcome.seconds:.0f} |"


def update_table(outcomes: Iterable[Outcome]) -> None:
    """Write the outcomes into the table; faults that were not planted keep their rows."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    between, after = rest.split(_END)
    rows = {line.split("|")[1].strip(): line for line in between.splitlines() if line.startswith("| ")}
    rows |= {outcome.name: _row(outcome) for outcome in outcomes}
    kept = [rows[mutant.name] for mutant in MUTANTS if mutant.name in rows]
    table = "\n".join([_BEGIN, *_HEAD, *kept, _END])
    README.write_text(before + table + after, encoding="utf-8")
