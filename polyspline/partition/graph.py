"""The adjacency graph of a partition as a networkx graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyspline.partition.packing import CodePacking, Words

if TYPE_CHECKING:
    import networkx

    from polyspline.partition.partition import Partition

_CHUNK_EDGES = 1 << 16


def code_text(code: NDArray[Any], *, digits: bool) -> str:
    """Activation code as text: one digit per unit, or numbers separated by commas.

    Parameters
    ----------
    code
        (N,) pieces.
    digits
        Whether every unit of the network has at most ten pieces.
    """
    return ("" if digits else ",").join(str(piece) for piece in code.tolist())


def flipped_units(packing: CodePacking, packed: Words, edges: NDArray[np.int32]) -> list[tuple[int, ...]]:
    """Units whose piece changes across each edge, ascending."""
    found: list[tuple[int, ...]] = []
    for low in range(0, len(edges), _CHUNK_EDGES):
        chunk = edges[low : low + _CHUNK_EDGES]
        differs = packing.unpack(packed[chunk[:, 0]]) != packing.unpack(packed[chunk[:, 1]])
        rows, units = np.nonzero(differs)
        ends = np.searchsorted(rows, np.arange(len(chunk) + 1))
        listed = units.tolist()
        found.extend(tuple(listed[ends[row] : ends[row + 1]]) for row in range(len(chunk)))
    return found


def outward_normal(partition: Partition, edge: int) -> NDArray[np.float64]:
    """Return the unit normal of the facet of an edge, pointing from its first region to its second, (S,)."""
    from polyspline.cpa.knots import knot_functions

    net = partition.net
    code = partition.code(int(partition.edges[edge, 0]))
    source = partition.edge_sources[edge : edge + 1].astype(np.int64)
    (row,), _ = knot_functions(net.layers, net.knots, code, source)
    return np.asarray(-row / np.linalg.norm(row / np.abs(row).max()) / np.abs(row).max(), dtype=np.float64)


def build_graph(
    partition: Partition, *, affine_regions: bool, bounded: bool, normals: bool
) -> networkx.Graph[int]:
    """Build the graph that `Partition.graph` documents."""
    import networkx

    graph: networkx.Graph[int] = networkx.Graph(
        latent_dim=partition.net.latent_dim,
        ambient_dim=partition.net.ambient_dim,
        n_units=partition.net.n_units,
        complete=partition.complete,
        stop=partition.stop.key,
    )
    digits = partition.packing.n_units == 0 or int(partition.packing.n_pieces.max()) <= 10
    labels = partition.affine_labels() if affine_regions else None
    all_bounded = bool(partition.domain.bounded)
    for i in range(len(partition)):
        attributes: dict[str, Any] = {
            "code": code_text(partition.code(i), digits=digits),
            "witness": tuple(partition.witnesses[i].tolist()),
            "expanded": i < partition.expanded,
        }
        if all_bounded or bounded:
            attributes["bounded"] = all_bounded or partition[i].bounded
        if labels is not None:
            attributes["affine_region"] = int(labels[i])
        graph.add_node(i, **attributes)
    flips = flipped_units(partition.packing, partition.packed, partition.edges)
    pairs = partition.edges.tolist()
    sources = partition.edge_sources.tolist()
    for edge, ((i, j), units, source) in enumerate(zip(pairs, flips, sources, strict=True)):
        attributes = {"units": units, "source": partition.knot(source)}
        if normals:
            attributes["normal"] = tuple(outward_normal(partition, edge).tolist())
        graph.add_edge(i, j, **attributes)
    return graph
