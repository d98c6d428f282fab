"""``polyspline info``, ``export`` and ``plot``: what they say and write."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from polyspline.network import load_network, zoo
from polyspline.partition import load_partition
from tests.cli.conftest import Polyspline


def test_info_of_a_network(polyspline: Polyspline, network_file: Path) -> None:
    outcome = polyspline("info", network_file, "--json")
    net = load_network(network_file)
    assert outcome.status == 0
    facts = outcome.facts
    assert (facts["kind"], facts["latent_dim"], facts["ambient_dim"], facts["units"]) == ("network", 2, 3, 12)
    assert facts["network"]["fingerprint"] == net.fingerprint
    layers = facts["network"]["layers"]
    assert [(layer["inputs"], layer["outputs"], layer["activation"]) for layer in layers] == [
        (2, 6, "relu"),
        (6, 6, "relu"),
        (6, 3, "identity"),
    ]
    assert facts["network"]["parameters"] == 2 * 6 + 6 + 6 * 6 + 6 + 6 * 3 + 3


def test_info_of_a_run(polyspline: Polyspline, run_file: Path) -> None:
    outcome = polyspline("info", run_file, "--json")
    part = load_partition(run_file)
    facts = outcome.facts
    assert (facts["kind"], facts["regions"], facts["adjacencies"]) == ("run", len(part), part.n_adjacencies)
    assert (facts["complete"], facts["stop"]) == (True, "complete")
    assert facts["domain"] == {"kind": "box", "dim": 2, "lo": [-1.0, -1.0], "hi": [1.0, 1.0]}


def test_info_of_a_run_of_the_whole_space_has_null_bounds(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert polyspline("enumerate", cross_file, "--whole-space", "-o", run).status == 0
    assert polyspline("info", run, "--json").facts["domain"]["lo"] == [None, None]


def test_info_for_a_person(polyspline: Polyspline, network_file: Path, run_file: Path) -> None:
    network, run = polyspline("info", network_file), polyspline("info", run_file)
    assert "relu" in network.stdout
    assert str(network_file) in network.stdout
    assert "box [-1, 1]^2" in run.stdout
    assert f"{len(load_partition(run_file)):,}" in run.stdout
    assert (network.stderr, run.stderr) == ("", "")


def test_export_writes_what_it_says(polyspline: Polyspline, run_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "graph.graphml"
    outcome = polyspline("export", run_file, path, "--affine-regions", "--json")
    assert outcome.status == 0
    assert outcome.facts["format"] == "GraphML"
    assert outcome.facts["bytes"] == path.stat().st_size
    graph = nx.read_graphml(path, node_type=int)
    assert graph.number_of_nodes() == outcome.facts["regions"]
    assert graph.number_of_edges() == outcome.facts["adjacencies"]
    assert all("affine_region" in attributes for _, attributes in graph.nodes(data=True))
    assert "read_graphml" in polyspline("export", run_file, path, "--force").stdout


@pytest.mark.parametrize(
    ("suffix", "magic"),
    [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")],
    ids=lambda value: str(value),
)
def test_plot_draws_every_format(
    polyspline: Polyspline, run_file: Path, tmp_path: Path, suffix: str, magic: bytes
) -> None:
    path = tmp_path / f"picture{suffix}"
    outcome = polyspline("plot", run_file, path, "--json")
    assert outcome.status == 0
    assert path.read_bytes().startswith(magic)
    assert outcome.facts["bytes"] == path.stat().st_size


def test_plot_draws_a_part_of_the_plane_and_the_graph_on_a_line(
    polyspline: Polyspline, run_file: Path, tmp_path: Path
) -> None:
    whole, part = tmp_path / "whole.png", tmp_path / "part.png"
    assert polyspline("plot", run_file, whole).status == 0
    assert polyspline("plot", run_file, part, "--box", -0.5, 0, "--box-2", 0, 0.25).status == 0
    assert whole.read_bytes() != part.read_bytes()
    net, run = tmp_path / "line.npz", tmp_path / "line.polyspline"
    zoo.random_network([1, 8, 2], seed=0).save(net)
    assert polyspline("enumerate", net, "--whole-space", "-o", run).status == 0
    assert polyspline("plot", run, tmp_path / "graph.svg").status == 0
    assert polyspline("plot", run, tmp_path / "graph.png", "--box", -1, 1).status == 0


def test_a_partial_run_is_exported_and_drawn_with_a_note(
    polyspline: Polyspline, network_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "partial"
    capped = ("--max-regions", 4)
    assert polyspline("enumerate", network_file, "--box", -1, 1, "-o", run, *capped).status == 3
    for command, name in (("export", "graph.json"), ("plot", "picture.png")):
        outcome = polyspline(command, run, tmp_path / name, "--json")
        assert outcome.status == 0
        assert outcome.facts["complete"] is False
        assert "partial" in outcome.stderr
