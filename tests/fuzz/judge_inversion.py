"""The answers to an inversion case: bounds and distances recomputed in rationals, and honest words."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import polyspline as ps
from tests.fuzz.cases import InversionCase
from tests.fuzz.descent import descend
from tests.fuzz.verdict import Verdict
from tests.oracle import exact_sides, integer_layers
from tests.oracle.forms import IntegerLayer

#: Time beyond the limit that a run may take.
LATENESS = 5.0
#: The descent by gradients goes on until its limit; after that time little is gained.
GRADIENT_SECONDS = 1.0
#: A run so near to its limit may say that the limit stopped it.
NEARLY = 0.8
#: Relative rounding of a reported distance.
ROUNDING = 1e-6


@dataclass(frozen=True)
class _Run:
    """One run: what was asked, what came, the exact distance of its point, and its wall time."""

    method: str
    gap: float
    found: Any
    exact: Fraction | None
    seconds: float

    def __str__(self) -> str:
        return f"{self.method} at gap {self.gap:g}"


def judge_inversion(case: InversionCase) -> Verdict:
    """Run every method, and hold every bound against every distance."""
    verdict = Verdict(case.refusable)
    net = verdict.attempt("the network", case.layers.network)
    domain = verdict.attempt("the domain", lambda: ps.Box(case.low, case.high))
    if net is None or domain is None:
        return verdict
    chain = integer_layers(case.layers.oracle())
    runs = [_run(verdict, case, chain, net, domain, method, gap) for method, gap in case.runs]
    reached = [(str(run), run.exact) for run in runs if run.exact is not None]
    for point in [*case.points, *_nearer(case, runs)]:
        reached.append((f"the point {point}", exact_distance(chain, case, point)))
    for run in runs:
        if run.found is None:
            continue
        _check_bound(verdict, case, run, reached)
        _check_words(verdict, case, run)
    return verdict


def _nearer(case: InversionCase, runs: Sequence[_Run]) -> list[list[float]]:
    """Points found by descending from those that the runs found, and from those that are given."""
    if case.refusable:
        return []
    starts = [run.found.z.tolist() for run in runs if run.exact is not None]
    found = [descend(case, start) for start in [*starts, *case.points]]
    return [point for point in found if point is not None]


def _run(
    verdict: Verdict,
    case: InversionCase,
    chain: Sequence[IntegerLayer],
    net: Any,
    domain: Any,
    method: str,
    gap: float,
) -> _Run:
    limit = GRADIENT_SECONDS if method == "gradient" and case.seconds is not None else case.seconds
    options: dict[str, Any] = {"norm": case.norm, "method": method, "gap": gap, "max_seconds": limit}
    began = time.perf_counter()
    found = verdict.attempt(f"{method} at gap {gap:g}", partial(ps.invert, net, case.x, domain, **options))
    seconds = time.perf_counter() - began
    if limit is not None and seconds > limit + LATENESS:
        verdict.fail("late", f"{method} at gap {gap:g}: {seconds:.1f} s, limit {limit:g} s")
    exact = None
    z = None if found is None else getattr(found, "z", None)
    if z is not None:
        inside = all(low <= x <= high for low, x, high in zip(case.low, z.tolist(), case.high, strict=True))
        if not inside:
            verdict.fail("point", f"{method} at gap {gap:g}: z {z.tolist()} lies outside the box")
        else:
            exact = exact_distance(chain, case, z.tolist())
    return _Run(method, gap, found, exact, seconds)


def exact_distance(chain: Sequence[IntegerLayer], case: InversionCase, z: Sequence[float]) -> Fraction:
    """Distance of a point's image from the target, in rationals; its square in the 2-norm."""
    _, image = exact_sides(chain, [Fraction(entry) for entry in z])
    residual = [abs(value - Fraction(target)) for value, target in zip(image, case.x, strict=True)]
    if case.norm == "l2":
        return sum((entry * entry for entry in residual), Fraction(0))
    return sum(residual, Fraction(0)) if case.norm == "l1" else max(residual)


def _raised(value: float, norm: str) -> Fraction:
    """What an exact distance is compared with."""
    return Fraction(value) ** 2 if norm == "l2" else Fraction(value)


def as_float(distance: Fraction, norm: str) -> float:
    """An exact distance, rounded; infinite above the range."""
    if norm == "l2":
        # The root of a rational of any size: of its numerator and denominator, in integers.
        scale = 1 << 256
        distance = Fraction(math.isqrt(distance.numerator * scale**2 // distance.denominator), scale)
    try:
        return float(distance)
    except OverflowError:
        return math.inf


def _check_bound(
    verdict: Verdict, case: InversionCase, run: _Run, reached: Sequence[tuple[str, Fraction]]
) -> None:
    """No bound above any distance."""
    bound = run.found.lower_bound
    if not (math.isfinite(bound) and bound >= 0):
        verdict.fail("bound", f"{run}: lower bound {bound}")
        return
    exact = _raised(bound, case.norm)
    name, least = min(reached, key=lambda entry: entry[1])
    if exact > least:
        distance = as_float(least, case.norm)
        verdict.fail(
            "bound",
            f"{run}: {run.found.status.key} with bound {bound!r}, but {name} is at {distance!r} "
            f"(less by {float((exact - least) / least) if least else math.inf:.2g}, relative)",
        )


def _check_words(verdict: Verdict, case: InversionCase, run: _Run) -> None:
    """Status, gap and distance say what is true."""
    found = run.found
    status = found.status.key
    stopped = case.seconds is not None and run.seconds >= NEARLY * case.seconds
    if run.exact is None:
        if not (stopped and status == "no_solution"):
            verdict.fail("words", f"{run}: status {status} and no point")
        return
    exact = as_float(run.exact, case.norm)
    size = max(exact, *(abs(entry) for entry in case.x))
    if not abs(found.distance - exact) <= ROUNDING * max(1.0, size):
        verdict.fail("distance", f"{run}: distance {found.distance!r} at z, whose distance is {exact!r}")
    if run.method == "gradient":
        if status != "local":
            verdict.fail("words", f"{run}: status {status}")
        return
    if found.lower_bound > found.distance:
        verdict.fail("bound", f"{run}: bound {found.lower_bound!r} above its distance {found.distance!r}")
    if status == "optimal":
        # The floor of the gap's denominator is at least that for a norm of zero.
        if found.gap > run.gap or found.ending.key != "closed":
            verdict.fail("words", f"{run}: optimal with a gap of {found.gap:g}, {found.ending.value}")
    elif status in ("local", "infeasible", "no_solution"):
        verdict.fail("words", f"{run}: status {status}")
    elif found.ending.key == "precision" or (found.ending.key == "solver" and run.method == "milp"):
        verdict.unproven += 1
    elif not (found.ending.key == "seconds" and stopped):
        verdict.fail("words", f"{run}: {found.ending.value}, but it is not so; gap {found.gap:.3g}")
