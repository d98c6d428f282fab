"""Piecewise-affine functions of one number that may jump, in rational arithmetic.

A model may spell a continuous function by ones that jump: ``where(abs(x) > c, x - c * sign(x), 0)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise

from polyspline.cpa.units import ScalarUnit
from polyspline.errors import UnsupportedLayerError

Line = tuple[Fraction, Fraction]
"""Slope and offset."""


@dataclass(frozen=True)
class Piecewise:
    """A function that is affine between its knots, and has a value of its own on each of them.

    Attributes
    ----------
    knots : tuple of Fraction
        Strictly increasing; the function has a kink or a jump at each.
    lines : tuple of (slope, offset)
        One more than there are knots.
    values : tuple of Fraction
        On the knots.
    """

    knots: tuple[Fraction, ...]
    lines: tuple[Line, ...]
    values: tuple[Fraction, ...]

    def __call__(self, t: Fraction) -> Fraction:
        """Value at a number."""
        if t in self.knots:
            return self.values[self.knots.index(t)]
        slope, offset = self.line_at(t)
        return slope * t + offset

    def line_at(self, t: Fraction) -> Line:
        """Line of the piece that a number lies in; it is no knot."""
        return self.lines[sum(knot < t for knot in self.knots)]

    @property
    def jump(self) -> tuple[Fraction, Fraction] | None:
        """The first knot where the function jumps and by how much, if there is one."""
        for number, (knot, value) in enumerate(zip(self.knots, self.values, strict=True)):
            (a, b), (c, d) = self.lines[number : number + 2]
            low, high = a * knot + b, c * knot + d
            if not low == value == high:
                return knot, high - low if high != low else value - low
        return None


IDENTITY = Piecewise((), ((Fraction(1), Fraction(0)),), ())


def line(slope: float, offset: float) -> Piecewise:
    """Affine function."""
    return Piecewise((), ((Fraction(slope), Fraction(offset)),), ())


def step(at: float, below: int, on: int, above: int) -> Piecewise:
    """Make a function of three values: below a number, on it, above it."""
    zero = Fraction(0)
    lines = ((zero, Fraction(below)), (zero, Fraction(above)))
    return Piecewise((Fraction(at),), lines, (Fraction(on),))


def of_unit(unit: ScalarUnit) -> Piecewise:
    """Return the function that a unit computes."""
    knots = tuple(map(Fraction, unit.knots))
    lines = tuple((Fraction(a), Fraction(b)) for a, b in zip(unit.slopes, unit.offsets, strict=True))
    return Piecewise(knots, lines, tuple(a * t + b for (a, b), t in zip(lines, knots, strict=False)))


def to_unit(function: Piecewise) -> ScalarUnit:
    """Return the unit that computes a function without jumps."""
    knots = tuple(map(float, function.knots))
    slopes = tuple(float(slope) for slope, _ in function.lines)
    offsets = tuple(float(offset) for _, offset in function.lines)
    if (knots, slopes, offsets) == ((0.0,), (0.0, 1.0), (0.0, 0.0)):
        return ScalarUnit("relu", knots, slopes, offsets)
    name = "piecewise:" + "/".join(",".join(map(repr, row)) for row in (knots, slopes, offsets))
    return ScalarUnit(name, knots, slopes, offsets)


def _between(knots: tuple[Fraction, ...]) -> Iterator[Fraction]:
    """Give a number within each piece."""
    if not knots:
        yield Fraction(0)
        return
    yield knots[0] - 1
    for low, high in pairwise(knots):
        yield (low + high) / 2
    yield knots[-1] + 1


def _made(
    knots: set[Fraction], line_at: Callable[[Fraction], Line], value: Callable[[Fraction], Fraction]
) -> Piecewise:
    """Make a function of its lines and its values; what is no true knot is left out."""
    ordered = tuple(sorted(knots))
    lines = [line_at(t) for t in _between(ordered)]
    kept, pieces, values = [], [lines[0]], []
    for knot, after in zip(ordered, lines[1:], strict=True):
        on, (slope, offset) = value(knot), pieces[-1]
        if after != pieces[-1] or slope * knot + offset != on:
            kept.append(knot)
            pieces.append(after)
            values.append(on)
    return Piecewise(tuple(kept), tuple(pieces), tuple(values))


@cache
def composed(outer: Piecewise, inner: Piecewise) -> Piecewise:
    """Return ``t -> outer(inner(t))``."""
    crossings = {(knot - b) / a for a, b in inner.lines if a for knot in outer.knots}

    def line_at(t: Fraction) -> Line:
        slope, offset = inner.line_at(t)
        if not slope:
            return slope, outer(offset)
        above = outer.line_at(slope * t + offset)
        return above[0] * slope, above[0] * offset + above[1]

    return _made(crossings | set(inner.knots), line_at, lambda t: outer(inner(t)))


@cache
def summed(f: Piecewise, g: Piecewise, factor: int = 1) -> Piecewise:
    """Return ``t -> f(t) + factor * g(t)``."""

    def line_at(t: Fraction) -> Line:
        (a, b), (c, d) = f.line_at(t), g.line_at(t)
        return a + factor * c, b + factor * d

    return _made({*f.knots, *g.knots}, line_at, lambda t: f(t) + factor * g(t))


@cache
def multiplied(f: Piecewise, g: Piecewise) -> Piecewise:
    """Return ``t -> f(t) * g(t)``; one of the two has to be constant on each piece.

    Raises
    ------
    UnsupportedLayerError
        If it is not.
    """

    def line_at(t: Fraction) -> Line:
        (a, b), (c, d) = f.line_at(t), g.line_at(t)
        if a and c:
            raise UnsupportedLayerError(
                "multiplies two things that depend on the input, which is not piecewise affine"
            )
        return a * d + c * b, b * d

    return _made({*f.knots, *g.knots}, line_at, lambda t: f(t) * g(t))


@cache
def selected(condition: Piecewise, yes: Piecewise, no: Piecewise) -> Piecewise:
    """Return ``t -> yes(t) if condition(t) else no(t)``."""

    def line_at(t: Fraction) -> Line:
        return (yes if condition(t) else no).line_at(t)

    knots = {*condition.knots, *yes.knots, *no.knots}
    return _made(knots, line_at, lambda t: yes(t) if condition(t) else no(t))
