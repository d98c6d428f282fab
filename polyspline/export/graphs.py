"""The adjacency graph in GraphML, GEXF and node-link JSON."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import networkx as nx
import numpy as np

from polyspline.export.columns import Labels
from polyspline.partition import Partition


def plain(value: object) -> Any:
    """Turn an attribute into what JSON knows: numpy scalars and arrays, tuples, infinities.

    A number that is not finite becomes None, because JSON has no word for it.
    """
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    return str(value)


# Node-link JSON calls the first end of an edge its source, so that the attribute takes another name.
_EDGE_NAMES = {"source": "knot"}


def _scalar(value: object) -> Any:
    """Turn an attribute into a scalar: lists become JSON text, numbers stay numbers."""
    entry = plain(value)
    return json.dumps(entry) if isinstance(entry, dict | list) else entry


def _converted(graph: nx.Graph[Any], convert: Callable[[object], Any]) -> nx.Graph[Any]:
    """Copy a graph with every attribute converted; attributes without a value are left out."""

    def kept(attributes: Mapping[str, object]) -> dict[str, Any]:
        pairs = ((name, convert(value)) for name, value in attributes.items())
        return {name: value for name, value in pairs if value is not None}

    copy: nx.Graph[Any] = nx.Graph(**kept(graph.graph))
    copy.add_nodes_from((int(node), kept(attributes)) for node, attributes in graph.nodes(data=True))
    for i, j, attributes in graph.edges(data=True):
        renamed = {_EDGE_NAMES.get(name, name): value for name, value in attributes.items()}
        copy.add_edge(int(i), int(j), **kept(renamed))
    return copy


def _graph(partition: Partition, labels: Labels) -> nx.Graph[Any]:
    """Build the adjacency graph with the labels that were asked for."""
    return partition.graph(affine_regions=labels.affine_regions, bounded=labels.bounded)


def write_graphml(partition: Partition, stream: BinaryIO, labels: Labels) -> None:
    """Write the adjacency graph as GraphML; lists are JSON text."""
    nx.write_graphml(_converted(_graph(partition, labels), _scalar), stream)


def write_gexf(partition: Partition, stream: BinaryIO, labels: Labels) -> None:
    """Write the adjacency graph as GEXF 1.2; lists are JSON text.

    GEXF has no attributes of the graph as a whole, so those are left out.
    """
    graph = _converted(_graph(partition, labels), _scalar)
    graph.graph.clear()
    nx.write_gexf(graph, stream)


def write_json(partition: Partition, stream: BinaryIO, labels: Labels) -> None:
    """Write the adjacency graph as node-link JSON with the keys ``nodes`` and ``edges``."""
    data = nx.node_link_data(_converted(_graph(partition, labels), plain), edges="edges")
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
    json.dump(data, text, allow_nan=False)
    text.write("\n")
    # The stream belongs to the caller, who closes it.
    text.detach()
