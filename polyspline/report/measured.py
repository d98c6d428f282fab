"""What several sections of a report need, computed once, or why it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from polyspline.inversion.injectivity import Injectivity, InjectivityVerdict
from polyspline.inversion.injectivity import injectivity as decide_injectivity
from polyspline.manifold.priors import Prior
from polyspline.manifold.regions import RegionSet
from polyspline.manifold.volumes import MOST_DIMENSIONS, Volumes
from polyspline.manifold.volumes import volumes as measure_volumes

_OPERATIONS = 20_000_000_000
_FEWEST_DRAWS = 256
_MOST_DRAWS = 100_000

_GO_ON = "enumerate with higher limits, or resume the run"


@dataclass(frozen=True, eq=False)
class Measured:
    """The regions of a report, and what is computed on them once.

    Attributes
    ----------
    regions
        The regions.
    prior
        Distribution of z.
    decide_work
        Limit on the work in which injectivity is decided, see `injectivity`; 0 leaves that open.
    decide_seconds
        Limit on the time in which it is decided; 0 leaves that open.
    tell
        Called with the words of what is done now.
    """

    regions: RegionSet
    prior: Prior
    decide_work: int
    decide_seconds: float | None
    tell: Callable[[str], None] | None = None

    @property
    def over(self) -> str:
        """Where the regions come from, as words behind a method."""
        return f"over {self.regions.how}"

    @property
    def bias(self) -> str | None:
        """Why averages over these regions are not those over all; None if they are, or estimate them."""
        if self.regions.complete or self.regions.sampled:
            return None
        return (
            f"averages are biased: they are over the {len(self.regions):,} regions that were found first, "
            "which are no random sample of all."
        )

    def with_bias(self, note: str | None) -> str | None:
        """Put the warning about averages behind a note."""
        found = [one for one in (note, self.bias) if one]
        return " ".join(found) if found else None

    @property
    def draws(self) -> int:
        """How many draws of z a figure is estimated from: fewer where a slope costs more."""
        net = self.regions.net
        dim = net.latent_dim
        weights = sum(
            layer.matrix.nnz if issparse(layer.matrix) else layer.matrix.size for layer in net.layers
        )
        each = 2 * dim * weights + 16 * net.ambient_dim * dim * dim
        return int(np.clip(_OPERATIONS // each, _FEWEST_DRAWS, _MOST_DRAWS))

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
        if self.decide_work < 1 or self.decide_seconds == 0:
            return "not decided: no work, or no time, was allowed for it."
        return None

    @cached_property
    def injectivity(self) -> Injectivity | None:
        """Whether the network is injective; None where `no_injectivity` says why."""
        if self.no_injectivity or self.regions.partition is None:
            return None
        regions = self.regions
        found = decide_injectivity(
            regions.net,
            regions.domain,
            regions.partition,
            max_seconds=self.decide_seconds,
            max_work=self.decide_work,
        )
        if found.interrupted:  # Ctrl-C is meant for the whole report
            raise KeyboardInterrupt
        return found

    @property
    def injective(self) -> bool:
        """Whether the network is proven to be injective."""
        return self.injectivity is not None and self.injectivity.verdict is InjectivityVerdict.INJECTIVE

    def needs_all(self, what: str) -> str | None:
        """Why a figure that needs all regions is missing; None if it is not."""
        if not self.regions.complete and not self.regions.sampled:
            return f"not computed: {what} needs all regions, and this run is partial; {_GO_ON}."
        return None
