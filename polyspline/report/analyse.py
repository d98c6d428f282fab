"""All that a report tells of a partition, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polyspline.errors import ArgumentError
from polyspline.manifold.priors import PriorLike, as_prior
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.report import mass, pieces
from polyspline.report.measured import Measured
from polyspline.report.section import Section

_DECIDING = 1_000_000
_FEWEST_DECISIONS = 200
_MOST_DECISIONS = 20_000

Step = Callable[[Measured], Section]

STEPS: dict[str, tuple[str, Step]] = {
    "counts": ("Regions", pieces.counts),
    "log_determinants": ("Log-determinants", pieces.log_determinants),
    "disentanglement": ("Disentanglement", pieces.disentanglement),
    "angles": ("Angles between neighbours", pieces.angles),
    "graph": ("Adjacency graph", pieces.graph),
    "volumes": ("Volumes", mass.volumes),
    "dimension": ("Intrinsic dimension", pieces.dimension),
    "injectivity": ("Injectivity", mass.injectivity),
    "entropy": ("Entropy", mass.entropy),
    "uniformity": ("Uniformity", mass.uniformity),
}
"""Title of every section and how it is made, in order: what takes long comes late, for Ctrl-C."""

INTERRUPTED = "not computed: Ctrl-C stopped the report before it."
"""Note of the sections that an interrupted report has not."""


@dataclass(frozen=True, eq=False)
class Report:
    """The manifold report of a partition, or of regions met by sampling.

    Attributes
    ----------
    regions
        What it was computed on.
    sections
        Its parts, in the order of `STEPS`.
    interrupted
        Whether Ctrl-C stopped it: then some sections hold nothing but a note that says so.
    """

    regions: RegionSet
    sections: tuple[Section, ...]
    interrupted: bool

    def __getitem__(self, key: str) -> Section:
        """Section of a key of `STEPS`.

        Raises
        ------
        KeyError
            If there is no such section.
        """
        for section in self.sections:
            if section.key == key:
                return section
        raise KeyError(key)

    def facts(self) -> dict[str, Any]:
        """Lay out all sections for programs, by key; numbers may be infinite or NaN."""
        return {section.key: section.facts() for section in self.sections}


def analyse(
    source: Source,
    *,
    prior: PriorLike = None,
    progress: Callable[[str], None] | None = None,
    decide_work: int | None = None,
    decide_seconds: float | None = None,
) -> Report:
    """Compute what there is to tell of a generator on a partition.

    Parameters
    ----------
    source : Partition or RegionSet
        A partition may be partial: the report then tells of the regions that are known, and the
        parts that need all regions say so.
    prior : Prior, callable or str, optional
        Distribution of z, of which the entropy is; see `as_prior`. Uniform over a bounded domain, else
        standard normal.
    progress : callable, optional
        Called with the title of each section before it is made, and within what takes long.
    decide_work : int, optional
        Limit on the work in which it is decided whether the network is injective, as `max_work` of
        `injectivity`; 0 leaves that open, and the entropy is then an upper bound. By default so many
        decisions as take some seconds, fewer for large networks.
    decide_seconds : float, optional
        Limit on the time of that, too; the report then depends on the machine. None by default.

    Returns
    -------
    Report
        Ctrl-C leaves the sections that are made by then.

    Raises
    ------
    ArgumentError
        If there is no region, or the prior is none.
    DomainError, ShapeError
        If the prior does not fit the domain.

    Notes
    -----
    Guarantee: that of each figure is told by its section.

    Algorithm: one pass over the regions for each section; the volumes dominate, see `volumes`.
    """
    regions = region_set(source)
    if decide_work is None:
        size = regions.net.n_units + regions.net.ambient_dim
        decide_work = min(max(_DECIDING // size, _FEWEST_DECISIONS), _MOST_DECISIONS)
    given = as_prior(prior, regions.domain, "analyse")
    measured = Measured(regions, given, decide_work, decide_seconds, progress)
    if not len(measured.regions):
        raise ArgumentError("there is nothing to analyse, as no region is known yet: resume the run.")
    sections: list[Section] = []
    try:
        for title, step in STEPS.values():
            if progress is not None:
                progress(title)
            sections.append(step(measured))
    except KeyboardInterrupt:
        rest = list(STEPS.items())[len(sections) :]
        sections += [Section(key, title, note=INTERRUPTED) for key, (title, _) in rest]
        return Report(measured.regions, tuple(sections), True)
    return Report(measured.regions, tuple(sections), False)
