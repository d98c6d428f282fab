"""Every export is opened again by its usual reader, and nothing is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pyarrow.parquet
import pytest

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ExportFormatError, MissingExtraError, OutputError
from polyspline.export import FORMATS, export_partition
from polyspline.network import Network, zoo
from polyspline.partition import Partition

GRAPH_SUFFIXES = [".graphml", ".gexf", ".json"]


def _generic() -> Partition:
    return enumerate_regions(zoo.random_network([2, 8, 8, 1], seed=3), Box(-1.0, 1.0, dim=2))


def _many_pieces() -> Partition:
    net = Network.from_layers(
        [[[1.0, 0.5], [0.25, -1.0]], [[1.0, 2.0]]], [[0.1, 0.2], [0.0]], ["hardtanh", "abs"]
    )
    return enumerate_regions(net, Box(-2.0, 2.0, dim=2))


def _whole_plane() -> Partition:
    return enumerate_regions(zoo.random_network([2, 5, 1], seed=1), WholeSpace(2))


def _partial() -> Partition:
    return enumerate_regions(zoo.random_network([3, 8, 1], seed=2), Box(-1.0, 1.0, dim=3), max_regions=7)


def _affine_network() -> Partition:
    return enumerate_regions(Network.from_layers([[[1.0, 2.0]]], [[0.5]]), Box(0.0, 1.0, dim=2))


PARTITIONS = [_generic, _many_pieces, _whole_plane, _partial, _affine_network]


@pytest.fixture(scope="module", params=PARTITIONS, ids=lambda make: make.__name__.strip("_"))
def partition(request: pytest.FixtureRequest) -> Partition:
    made: Partition = request.param()
    return made


def read_graph(path: Path) -> nx.Graph[int]:
    if path.suffix == ".graphml":
        return nx.read_graphml(path, node_type=int)
    if path.suffix == ".gexf":
        return nx.read_gexf(path, node_type=int)
    with open(path, encoding="utf-8") as stream:
        return nx.node_link_graph(json.load(stream), edges="edges")


def listed(value: object) -> Any:
    """Lists as every graph format gives them back: JSON text in XML, lists in JSON."""
    return json.loads(value) if isinstance(value, str) else value


@pytest.mark.parametrize("suffix", GRAPH_SUFFIXES)
def test_graph_formats_give_back_the_adjacency_graph(
    partition: Partition, suffix: str, tmp_path: Path
) -> None:
    graph = read_graph(export_partition(partition, tmp_path / f"run{suffix}"))
    assert sorted(graph.nodes) == list(range(len(partition)))
    assert sorted(tuple(sorted(pair)) for pair in graph.edges) == sorted(map(tuple, partition.edges.tolist()))


@pytest.mark.parametrize("suffix", GRAPH_SUFFIXES)
def test_graph_formats_keep_every_attribute(partition: Partition, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"run{suffix}"
    graph = read_graph(export_partition(partition, path, affine_regions=True, bounded=True))
    expected = partition.graph(affine_regions=True, bounded=True)
    for node, attributes in expected.nodes(data=True):
        found = graph.nodes[node]
        assert found["code"] == attributes["code"]
        assert listed(found["witness"]) == list(attributes["witness"])
        assert found["expanded"] is attributes["expanded"]
        assert found["bounded"] is attributes["bounded"]
        assert found["affine_region"] == attributes["affine_region"]
    for i, j, attributes in expected.edges(data=True):
        assert listed(graph.edges[i, j]["units"]) == list(attributes["units"])
        assert listed(graph.edges[i, j]["knot"]) == list(attributes["source"])


@pytest.mark.parametrize("suffix", [".graphml", ".json"])
def test_graph_formats_say_whether_the_run_is_complete(
    partition: Partition, suffix: str, tmp_path: Path
) -> None:
    graph = read_graph(export_partition(partition, tmp_path / f"run{suffix}"))
    assert graph.graph["complete"] is partition.complete
    assert graph.graph["stop"] == partition.stop.key
    assert graph.graph["latent_dim"] == partition.net.latent_dim
    assert graph.graph["n_units"] == partition.net.n_units


def test_the_numpy_archive_gives_back_every_array(partition: Partition, tmp_path: Path) -> None:
    path = export_partition(partition, tmp_path / "run.npz", affine_regions=True, bounded=True)
    with np.load(path, allow_pickle=False) as archive:
        for name in ("codes", "witnesses", "witness_exact", "edges"):
            np.testing.assert_array_equal(archive[name], getattr(partition, name))
            assert archive[name].dtype == getattr(partition, name).dtype
        assert bool(archive["complete"]) is partition.complete
        assert str(archive["stop"]) == partition.stop.key
        assert archive["expanded"].sum() == partition.expanded
        np.testing.assert_array_equal(archive["affine_region"], partition.affine_labels())
        assert archive["bounded"].tolist() == [region.bounded for region in partition]
        starts, units = archive["edge_unit_starts"], archive["edge_units"]
        for edge, (i, j) in enumerate(partition.edges):
            flipped = np.flatnonzero(partition.code(i) != partition.code(j))
            assert units[starts[edge] : starts[edge + 1]].tolist() == flipped.tolist()
        network = {
            name.removeprefix("network_"): archive[name]
            for name in archive.files
            if name.startswith("network_")
        }
    assert Network.from_arrays(network).fingerprint == partition.net.fingerprint


def test_parquet_gives_back_one_row_per_region(partition: Partition, tmp_path: Path) -> None:
    path = export_partition(partition, tmp_path / "run.parquet", affine_regions=True, bounded=True)
    table = pyarrow.parquet.read_table(path)
    rows = table.to_pydict()
    assert rows["region"] == list(range(len(partition)))
    assert rows["code"] == partition.codes.tolist()
    assert rows["witness"] == partition.witnesses.tolist()
    assert rows["witness_exact"] == partition.witness_exact.tolist()
    assert rows["bounded"] == [region.bounded for region in partition]
    assert rows["affine_region"] == partition.affine_labels().tolist()
    assert sum(rows["expanded"]) == partition.expanded
    for i in range(len(partition)):
        assert rows["neighbours"][i] == partition.neighbours(i).tolist()
        for j, flipped in zip(rows["neighbours"][i], rows["flipped_units"][i], strict=True):
            assert flipped == np.flatnonzero(partition.code(i) != partition.code(j)).tolist()


def test_parquet_carries_the_counts_as_metadata(partition: Partition, tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(export_partition(partition, tmp_path / "run.parquet"))
    facts = json.loads(table.schema.metadata[b"polyspline"])
    assert facts["regions"] == len(partition)
    assert facts["adjacencies"] == partition.n_adjacencies
    assert facts["stop"] == partition.stop.key
    assert facts["network"] == partition.net.fingerprint


def test_labels_that_take_long_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    plane = _whole_plane()
    table = pyarrow.parquet.read_table(export_partition(plane, tmp_path / "run.parquet"))
    assert not {"bounded", "affine_region"} & set(table.column_names)
    boxed = pyarrow.parquet.read_table(export_partition(_generic(), tmp_path / "box.parquet"))
    assert all(boxed["bounded"].to_pylist())


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    for name in ("run.csv", "run"):
        with pytest.raises(ExportFormatError) as caught:
            export_partition(_affine_network(), tmp_path / name)
        assert all(suffix in str(caught.value) for suffix in FORMATS)
    assert list(tmp_path.iterdir()) == []


def test_a_suffix_may_be_written_in_capitals(tmp_path: Path) -> None:
    assert export_partition(_affine_network(), tmp_path / "RUN.JSON").stat().st_size > 0


def test_a_missing_folder_or_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    for path in (tmp_path / "nowhere" / "run.json", tmp_path / "folder.json"):
        with pytest.raises(OutputError):
            export_partition(_affine_network(), path)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.json"]


def test_a_failed_export_leaves_the_older_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_text("older", encoding="utf-8")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the writer broke")

    monkeypatch.setattr(Partition, "graph", fail)
    with pytest.raises(RuntimeError):
        export_partition(_affine_network(), path)
    assert path.read_text(encoding="utf-8") == "older"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_parquet_without_its_package_says_which_extra_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    def missing(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}")

    partition = _affine_network()
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"polyspline\[export\]"):
        export_partition(partition, tmp_path / "run.parquet")
    assert list(tmp_path.iterdir()) == []
