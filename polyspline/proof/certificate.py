"""Certificates: a partition with its proof, as bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from polyspline.errors import RunFileError
from polyspline.files import whole_file
from polyspline.proof import check as checker


@dataclass(frozen=True, repr=False)
class Certificate:
    """A proof that some regions and adjacencies are those of a network over a domain.

    Made by `prove`. What it claims and why it proves that stands in ``docs/certificate.md``.

    Attributes
    ----------
    data
        The bytes of the file.
    regions
        Number of regions, R.
    expanded
        Regions ``0 .. expanded - 1`` are proven to have no other facet and no other neighbour.
    """

    data: bytes
    regions: int
    expanded: int

    def check(self, *, sample: int | None = None, seed: int = 0, workers: int = 1) -> tuple[int, str]:
        """Check the proof, with a checker that shares no code with what made the partition.

        Parameters
        ----------
        sample
            Check so many regions only, which is no proof.
        seed
            Which ones.
        workers
            Processes.

        Returns
        -------
        status : int
            0 proven, 1 refused, 2 not a certificate, 3 a sample was checked.
        sentence : str
            What was proven, or the first fault.
        """
        return checker.check(self.data, sample=sample, seed=seed, workers=workers)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the certificate to a file, which appears at once and whole.

        Raises
        ------
        RunFileError
            If there is such a file already.
        OutputError
            If the file cannot be written there.
        """
        place = Path(path)
        if place.exists():
            raise RunFileError(
                f"certificate file {os.fspath(path)!r} exists already; remove it or name another."
            )
        with whole_file(place) as stream:
            stream.write(self.data)

    def __repr__(self) -> str:
        """Show what is claimed, and how long the proof is."""
        return f"Certificate({self.regions} regions, {self.expanded} expanded, {len(self.data)} bytes)"
