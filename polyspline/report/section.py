"""What a report is made of: sections of figures, and the bars that are drawn of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.plots.bars import value_bins

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bars:
    """How a quantity is distributed, to be drawn as bars.

    Attributes
    ----------
    label
        The quantity and its unit.
    of
        What the shares are of, e.g. ``"regions"``.
    ends
        (B + 1,) ascending ends of the bins.
    shares
        (B,) of sum 1.
    whole
        Whether the quantity is a whole number: each bin then holds one.
    """

    label: str
    of: str
    ends: Floats
    shares: Floats
    whole: bool = False

    def facts(self) -> dict[str, Any]:
        """Lay it out, ready for JSON."""
        if self.whole:
            return {
                "values": [int(end) for end in np.ceil(self.ends[:-1])],
                "shares": self.shares.tolist(),
            }
        return {"ends": self.ends.tolist(), "shares": self.shares.tolist()}


@dataclass(frozen=True, eq=False)
class Section:
    """One part of a report.

    Attributes
    ----------
    key
        Short name for programs, e.g. ``"log_determinants"``.
    title
        Name for a person.
    how
        How the figures were obtained; empty where there are none.
    note
        One sentence on what limits them, or on why there are none; None where nothing does.
    rows
        Name and value of every figure, for a person.
    figures
        The figures for programs, by name; empty where the part does not apply.
    bars
        Distributions to draw.
    """

    key: str
    title: str
    how: str = ""
    note: str | None = None
    rows: tuple[tuple[str, str], ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    bars: tuple[Bars, ...] = ()

    @property
    def applies(self) -> bool:
        """Whether there are figures."""
        return bool(self.figures)

    def facts(self) -> dict[str, Any]:
        """Lay the section out for programs; numbers may be infinite or NaN."""
        return {"applies": self.applies, "how": self.how or None, "note": self.note, **self.figures}


def whole_bars(label: str, of: str, counts: npt.ArrayLike, first: int = 0) -> Bars:
    """Bars of a whole number from how often each value occurs, from `first` on; no empty ends."""
    numbers = np.asarray(counts, dtype=np.float64)
    met = np.flatnonzero(numbers)
    low, high = (int(met[0]), int(met[-1]) + 1) if len(met) else (0, 1)
    kept = numbers[low:high]
    ends = first + np.arange(low, high + 1, dtype=np.float64) - 0.5
    return Bars(label, of, np.asarray(ends), kept / max(kept.sum(), 1e-300), whole=True)


def value_bars(label: str, of: str, values: Floats, bins: int = 30) -> Bars:
    """Bars of equal width of finite values (n,), n >= 1."""
    return Bars(label, of, *value_bins(values, bins))
