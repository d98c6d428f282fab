"""The partition of a network's input space: frozen arrays, and what can be asked of them."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.cpa.matrices import as_points
from polyspline.cpa.pointwise import closed_pieces
from polyspline.domains import Domain
from polyspline.errors import ArgumentError, DomainError, InvariantError, ShapeError
from polyspline.network import Network
from polyspline.partition.adjacency import Adjacency
from polyspline.partition.faces import PolyhedralComplex
from polyspline.partition.lookup import CodeIndex
from polyspline.partition.packing import CodePacking
from polyspline.partition.stop import StopReason
from polyspline.regions.ball import Ball
from polyspline.regions.region import NO_REGION, NoRegion, Region
from solvers.float_mode import gradual_underflow

if TYPE_CHECKING:
    import networkx

_CHUNK_POINTS = 4096


def check_partition(partition: object) -> None:
    """Refuse what is no partition, with how to make one.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    if isinstance(partition, Partition):
        return
    came, how = f"a {type(partition).__name__}", "enumerate one with enumerate_regions"
    if isinstance(partition, str | os.PathLike):
        came, how = f"the path {os.fspath(partition)!r}", "read the run file first, with load_partition"
    raise ArgumentError(f"expected a Partition, got {came}: {how}.")


@dataclass(frozen=True, eq=False, repr=False)
class Partition:
    """Every region of a network over a domain, and which regions share a facet.

    A partition is data: it never walks. Per region it holds the packed code and
    a witness; H-representations, affine maps and all else are computed on demand.

    Attributes
    ----------
    net, domain
        What was partitioned.
    packed
        Packed activation codes, (R, words) uint64, laid out by `packing`.
    witnesses
        A point strictly inside each region, (R, S).
    witness_exact
        Whether the float64 witness itself is proven interior, (R,); where it is
        not, it is the rounding of a rational one in `exact_witnesses`.
    edges
        Pairs of regions that share a facet, (E, 2) int32, the lower index first;
        every one is proven.
    edge_sources
        The lowest unit knot on the facet of each edge, (E,) int32, as numbered by `knot`.
    stop
        Why the enumeration stopped.
    expanded
        Regions ``0 .. expanded - 1`` have all their facets crossed, and all their neighbours are here.
    exact_fallbacks
        How many decisions of the enumeration needed rational arithmetic.
    seconds
        Wall time of the enumeration, compiling left out.
    exact_witnesses
        Rational witnesses, by region.
    within
        The ball that the enumeration was limited to: there are no regions that do not meet it. None
        if it was for the whole domain.
    faces
        Faces of every dimension, those of dimension S being the regions in their order; None unless
        asked for.

    Raises
    ------
    InvariantError
        If the arrays do not fit together.
    """

    net: Network
    domain: Domain
    packed: NDArray[np.uint64]
    witnesses: NDArray[np.float64]
    witness_exact: NDArray[np.bool_]
    edges: NDArray[np.int32]
    edge_sources: NDArray[np.int32]
    stop: StopReason
    expanded: int
    exact_fallbacks: int = 0
    seconds: float = 0.0
    exact_witnesses: dict[int, tuple[Fraction, ...]] = field(default_factory=dict)
    within: Ball | None = None
    faces: PolyhedralComplex | None = None

    def __post_init__(self) -> None:
        """Check that the arrays fit together, and freeze them."""
        count = len(self.packed)
        shapes = {
            "packed": (count, self.packing.n_words),
            "witnesses": (count, self.net.latent_dim),
            "witness_exact": (count,),
            "edges": (len(self.edges), 2),
            "edge_sources": (len(self.edges),),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise InvariantError(f"Partition: {name} has shape {array.shape}; expected {shape}.")
            view = array.view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)
        if not 0 <= self.expanded <= count:
            raise InvariantError(f"Partition: {self.expanded} of {count} regions are said to be expanded.")
        if self.faces is not None and self.faces.f_vector[-1] != count:
            raise InvariantError(f"Partition: {self.faces!r} is not of {count} regions.")

    # ---- sizes and arrays

    def __len__(self) -> int:
        """Return the number of regions, R."""
        return len(self.packed)

    @property
    def complete(self) -> bool:
        """Whether every facet of every region was crossed, so that nothing of the domain is missing.

        All regions that meet a ball are no complete partition; ``stop.finished`` tells whether they
        are all there.
        """
        return self.stop is StopReason.COMPLETE

    @property
    def n_adjacencies(self) -> int:
        """Number of pairs of regions that share a facet, E."""
        return len(self.edges)

    @cached_property
    def packing(self) -> CodePacking:
        """Layout of the packed codes."""
        return CodePacking(self.net.n_pieces)

    @cached_property
    def codes(self) -> NDArray[Any]:
        """Activation codes of all regions, (R, N), int8 or int16; unpacked once, when first asked for."""
        codes = self.packing.unpack(self.packed)
        codes.setflags(write=False)
        return codes

    def code(self, index: SupportsIndex) -> NDArray[Any]:
        """Activation code of one region, (N,).

        Raises
        ------
        IndexError
            If there is no such region.
        """
        return self.packing.unpack(self.packed[self._checked(index)])

    def _checked(self, index: SupportsIndex) -> int:
        asked = operator.index(index)
        if asked < 0 and isinstance(index, np.integer | np.ndarray | NoRegion):
            # It was computed, and not written down by a person: the -1 of a batch of points, say.
            raise IndexError(
                f"region {asked} does not exist: as a computed number it says that there is no region, for a "
                "point that is in none or a code that none has; expected 0 or more (a negative int that is "
                "written out counts from the end)."
            )
        found = asked + len(self) if asked < 0 else asked
        if not 0 <= found < len(self):
            raise IndexError(f"region {asked} of a partition of {len(self)} regions does not exist.")
        return found

    @cached_property
    def knot_start(self) -> NDArray[np.int64]:
        """Number of the first knot of every unit among all knots, (N,); for ReLU networks the unit itself."""
        starts = np.searchsorted(self.net.knots.unit, np.arange(self.packing.n_units))
        return np.asarray(starts, dtype=np.int64)

    def knot(self, number: int) -> tuple[int, int]:
        """Return the unit and the knot of an entry of `edge_sources`."""
        unit = int(np.searchsorted(self.knot_start, number, side="right")) - 1
        return unit, int(number - self.knot_start[unit])

    # ---- regions

    def __getitem__(self, index: SupportsIndex) -> Region:
        """Region of an index; a negative int counts from the end.

        Raises
        ------
        IndexError
            If there is no such region, or the index is a negative integer of numpy, or the -1 of
            `index_of`: those were computed, and -1 stands for no region.
        """
        i = self._checked(index)
        return Region(
            net=self.net,
            domain=self.domain,
            code=self.code(i),
            witness=self.witnesses[i],
            index=i,
            exact_witness=self.exact_witnesses.get(i),
            find_neighbours=partial(self.neighbours, i),
            find_code=self.index_of,
        )

    def __iter__(self) -> Iterator[Region]:
        """Iterate over the regions in order of discovery."""
        return (self[i] for i in range(len(self)))

    @cached_property
    def _code_index(self) -> CodeIndex:
        return CodeIndex(self.packing, self.packed)

    def index_of(self, code: ArrayLike) -> int:
        """Index of the region with an activation code, -1 if no kept region has it.

        This -1 is refused as an index of a region.

        Parameters
        ----------
        code
            (N,) pieces.

        Raises
        ------
        ShapeError, ArgumentError
            If the code has not one existing piece per unit.
        """
        packed = self.packing.pack(code)
        if packed.ndim != 1:
            raise ShapeError(f"index_of: got codes of shape {np.shape(code)}; expected one code, (N,).")
        found = int(self._code_index.find(packed[None, :])[0])
        return found if found >= 0 else NO_REGION

    @gradual_underflow()
    def locate(self, z: ArrayLike) -> int | NDArray[np.int64]:
        """Lowest index of a closed region that contains z.

        Parameters
        ----------
        z
            One point (S,) or several (B, S), finite.

        Returns
        -------
        int or ndarray of int64
            An int for one point. For several (B,), with -1 for those outside the domain, and
            where a partial partition has kept no region that contains the point; as an index of a
            region such a -1 is refused.

        Raises
        ------
        DomainError
            If one point is given, and no region that is kept contains it.
        ShapeError
            If the last axis has not S entries.
        NonFiniteError
            If a coordinate is NaN or infinite.

        Notes
        -----
        Guarantee: exact, also on knots, where several closed regions meet.

        Algorithm: a closed region contains z if and only if every entry of its
        code is a piece whose closure holds the unit's pre-activation at z. A
        point on no knot has one such code, found by hash; a point on few knots
        a few; and for one on many knots the packed codes are scanned.
        """
        batch, single = as_points(z, "locate: z")
        if batch.shape[1] != self.net.latent_dim:
            raise ShapeError(
                f"locate: got points of shape {np.shape(z)}; expected ({self.net.latent_dim},) or "
                f"(B, {self.net.latent_dim})."
            )
        found = np.full(len(batch), -1, dtype=np.int64)
        for low in range(0, len(batch), _CHUNK_POINTS):
            chunk = batch[low : low + _CHUNK_POINTS]
            inside = np.flatnonzero(np.asarray(self.domain.contains(chunk)).reshape(len(chunk)))
            if len(inside):
                pieces = closed_pieces(self.net.layers, chunk[inside])
                found[low + inside] = self._code_index.lowest_within(pieces)
        if not single:
            return found
        if found[0] < 0:
            raise DomainError(self._why_nowhere(batch[0]))
        return int(found[0])

    def _why_nowhere(self, z: NDArray[np.float64]) -> str:
        """Why no region contains a point."""
        words = np.array2string(z, separator=", ", threshold=8)
        if bool(np.asarray(self.domain.contains(z[None])).all()):
            return (
                f"locate: none of the {len(self)} regions of this partial partition ({self.stop.value}) "
                f"contains {words}; enumerate with higher limits, or give points (B, {len(z)}), of which "
                "those in no region get -1."
            )
        return (
            f"locate: {words} lies outside the domain {self.domain!r}, and so in no region; expected a point "
            f"of the domain, or points (B, {len(z)}), of which those outside get -1."
        )

    @gradual_underflow()
    def region_at(self, z: ArrayLike) -> Region:
        """Region that contains z; on a face that several share, the one of lowest index.

        Parameters
        ----------
        z
            One point (S,), finite.

        Returns
        -------
        Region

        Raises
        ------
        DomainError
            If no region that is kept contains it.
        ShapeError, NonFiniteError
            If it is not S finite numbers.

        Notes
        -----
        Guarantee: exact, as `locate`.

        Examples
        --------
        >>> import polyspline as ps
        >>> part = ps.enumerate_regions(ps.zoo.random_network([2, 8, 3]), ps.Box(-1, 1, dim=2))
        >>> part.region_at([0.1, -0.2]).contains([0.1, -0.2])
        True
        """
        index = self.locate(z)
        if not isinstance(index, int):
            raise ShapeError(
                f"region_at: got points of shape {np.shape(z)}; expected one point, ({self.net.latent_dim},)."
            )
        return self[index]

    # ---- adjacency

    @cached_property
    def adjacency(self) -> Adjacency:
        """Neighbours of every region as compressed rows, built when first asked for."""
        return Adjacency(self.edges, len(self))

    def neighbours(self, index: SupportsIndex) -> NDArray[np.int64]:
        """Return the indices of the regions that share a facet with a region, ascending.

        Raises
        ------
        IndexError
            If there is no such region.
        """
        return self.adjacency.neighbours(self._checked(index))

    @gradual_underflow()
    def graph(
        self, *, affine_regions: bool = False, bounded: bool = False, normals: bool = False
    ) -> networkx.Graph[int]:
        """Adjacency graph, built anew at each call.

        Parameters
        ----------
        affine_regions
            Whether to label each node with its affine region.
        bounded
            Whether to decide, on an unbounded domain, which regions are bounded
            (milliseconds each; on a bounded domain all are, and the label is there anyway).
        normals
            Whether to give each edge the normal of its facet.

        Returns
        -------
        networkx.Graph
            Nodes are region indices, with attributes

            - ``code``: pieces of the units as text, one digit each, separated by
              commas if a unit of the network has more than ten pieces;
            - ``witness``: tuple of S floats, a point strictly inside;
            - ``expanded``: whether all facets of the region were crossed;
            - ``bounded``: whether the region is bounded, see above;
            - ``affine_region``: label of its affine region, if asked for.

            Edges have the attributes

            - ``units``: tuple of the units that flip, ascending;
            - ``source``: pair (unit, knot), the lowest unit knot on the facet;
            - ``normal``: tuple of S floats, if asked for: unit normal of the facet,
              pointing from the region of lower index to the other.

            The graph has the attributes ``latent_dim``, ``ambient_dim``, ``n_units``,
            ``complete`` and ``stop``.
        """
        from polyspline.partition.graph import build_graph

        return build_graph(self, affine_regions=affine_regions, bounded=bounded, normals=normals)

    # ---- affine regions

    @cached_property
    @gradual_underflow()
    def edges_within_affine_regions(self) -> NDArray[np.bool_]:
        """Whether the two regions of each edge have one and the same affine map, (E,); decided exactly."""
        from polyspline.partition.affine_regions import edges_within_affine_regions

        return edges_within_affine_regions(
            self.net, self.packing, self.packed, self.witnesses, self.exact_witnesses, self.edges
        )

    @cached_property
    @gradual_underflow()
    def _affine_labels(self) -> NDArray[np.int64]:
        from polyspline.partition.affine_regions import component_labels

        labels = component_labels(len(self), self.edges[self.edges_within_affine_regions])
        labels.setflags(write=False)
        return labels

    def affine_labels(self) -> NDArray[np.int64]:
        """Affine region of every region, (R,), numbered by their lowest region.

        Notes
        -----
        Guarantee: exact. On a partial partition, affine regions are connected
        through kept regions only, so that there may be more of them.
        """
        return self._affine_labels

    @property
    def n_affine_regions(self) -> int:
        """Number of affine regions: sets of regions with one map (A_ω, b_ω), connected through facets."""
        return int(self._affine_labels.max()) + 1 if len(self) else 0

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the partition to a run file, as ``enumerate_regions(run_file=...)`` does.

        A complete partition may be resumed (there is nothing left to do); a
        partial one saved this way may be loaded but not resumed, as only a walk
        knows the points that it would go on from. Its `faces` are not written.

        Raises
        ------
        RunFileExistsError
            If there is such a file already.
        OutputError
            If the file cannot be written there.
        """
        from polyspline.partition.save import save_partition

        save_partition(self, path)

    def __repr__(self) -> str:
        """Show the counts and why the enumeration stopped."""
        return (
            f"Partition({len(self)} regions, {self.n_adjacencies} adjacencies, {self.domain!r}, "
            f"stop={self.stop.key})"
        )
