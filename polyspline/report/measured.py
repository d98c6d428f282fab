"""What several sections of a report need, computed once, or why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from polyspline.inversion.injectivity import Injectivity, InjectivityVerdict
from polyspline.inversion.injectivity import injectivity as decide_injectivity
from polyspline.manifold.regions import RegionSet
from polyspline.manifold.volumes import MOST_DIMENSIONS, Volumes
from polyspline.manifold.volumes import volumes as measure_volumes

_GO_ON = "enumerate with higher limits, or resume the run"


@dataclass(frozen=True, eq=False)
class Measured:
    """The regions of a report, and what is computed on them once.

    Attributes
    ----------
    regions
        The regions.
    decide_seconds
        Limit on the time in which injectivity is decided.
    """

    regions: RegionSet
    decide_seconds: float

    @property
    def over(self) -> str:
        """Where the regions come from, as words behind a method."""
        return f"over {self.regions.how}"

    @cached_property
    def no_volumes(self) -> str | None:
        """Why the volumes are not measured; None if they are."""
        dim = self.regions.net.latent_dim
        if not self.regions.domain.bounded:
            return "does not apply: the domain is unbounded, and so are some of its regions."
        if dim > MOST_DIMENSIONS:
            return (
                f"not computed: exact volumes are for S <= {MOST_DIMENSIONS} and S is {dim} here; "
                "volumes(partition, method='draws') estimates them."
            )
        return None

    @cached_property
    def volumes(self) -> Volumes | None:
        """Volume of every region; None where `no_volumes` says why."""
        return None if self.no_volumes else measure_volumes(self.regions)

    @cached_property
    def no_injectivity(self) -> str | None:
        """Why it is not decided whether the network is injective; None if it is tried."""
        if self.regions.partition is None or not self.regions.complete:
            return f"not decided: that needs all regions, and this run is partial; {_GO_ON}."
        return None if self.decide_seconds > 0 else "not decided: no time was given for it."

    @cached_property
    def injectivity(self) -> Injectivity | None:
        """Whether the network is injective; None where `no_injectivity` says why."""
        if self.no_injectivity or self.regions.partition is None:
            return None
        regions = self.regions
        found = decide_injectivity(
            regions.net, regions.domain, regions.partition, max_seconds=self.decide_seconds
        )
        if found.interrupted:  # Ctrl-C is meant for the whole report
            raise KeyboardInterrupt
        return found

    @property
    def injective(self) -> bool:
        """Whether the network is proven to be injective."""
        return self.injectivity is not None and self.injectivity.verdict is InjectivityVerdict.INJECTIVE

    def needs_all(self, what: str) -> str | None:
        """Why a figure that needs all regions, and uniform latents, is missing; None if it is not."""
        if not self.regions.domain.bounded:
            return f"does not apply: {what} is that of uniform latents, and the domain is unbounded."
        if not self.regions.complete and not self.regions.sampled:
            return f"not computed: {what} needs all regions, and this run is partial; {_GO_ON}."
        return None
