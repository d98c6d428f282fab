"""What one append adds to a run file, until its transaction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyspline.errors import InvariantError
from polyspline.partition.run_schema import Progress
from polyspline.partition.run_state import ExactWitnesses

# Each series that an append extends, with the counter that says how long it is.
SERIES = (
    ("packed", "regions"),
    ("points", "regions"),
    ("entries", "regions"),
    ("witnesses", "expanded"),
    ("witness_exact", "expanded"),
    ("edges", "edges"),
    ("edge_sources", "edges"),
)


@dataclass(frozen=True)
class Batch:
    """What one append adds, copied; a batch is either wholly pending or not at all."""

    packed: NDArray[np.uint64]
    points: NDArray[np.float64]
    entries: NDArray[np.int32]
    witnesses: NDArray[np.float64]
    witness_exact: NDArray[np.uint8]
    edges: NDArray[np.int32]
    edge_sources: NDArray[np.int32]
    exact_witnesses: ExactWitnesses
    after: Progress

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays together."""
        return sum(int(getattr(self, series).nbytes) for series, _ in SERIES)

    def check(self, expanded: int) -> None:
        """Refuse arrays whose lengths contradict each other or the asked number of expanded regions."""
        lengths = {series: len(getattr(self, series)) for series, _ in SERIES}
        fits = (
            lengths["packed"] == lengths["points"] == lengths["entries"]
            and lengths["witnesses"] == lengths["witness_exact"]
            and lengths["edges"] == lengths["edge_sources"]
            and self.after.expanded == expanded <= self.after.regions
        )
        if not fits:
            raise InvariantError(
                f"RunWriter.append: arrays of lengths {lengths} contradict each other, or the totals of "
                f"{self.after.regions} regions and {expanded} expanded ones."
            )
