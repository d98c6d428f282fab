"""What is of the wrong kind is told so in one sentence, whichever call it is given to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import ArgumentError, UnknownActivationError
from polyspline.manifold.regions import region_set
from polyspline.plots.colours import colour_regions

NET = ps.zoo.random_network([2, 4, 3], seed=0)
BOX = ps.Box(-1, 1, dim=2)
X = [0.0, 0.0, 0.0]

OF_BOTH: dict[str, Callable[[Any, Any], object]] = {
    "enumerate_regions": ps.enumerate_regions,
    "count": ps.count,
    "fold": lambda net, domain: ps.fold(net, domain, len),
    "complex": ps.complex,
    "level_set_complex": lambda net, domain: ps.level_set_complex(net, domain, [1.0, 0.0, 0.0]),
    "class_boundary_complex": ps.class_boundary_complex,
    "sample_regions": lambda net, domain: ps.sample_regions(net, domain, 5),
    "local_complexity": lambda net, domain: ps.local_complexity(net, [[0.0, 0.0]], 1.0, domain=domain),
    "injectivity": ps.injectivity,
    "invert by search": lambda net, domain: ps.invert(net, X, domain),
    "invert by milp": lambda net, domain: ps.invert(net, X, domain, method="milp"),
    "invert by scan": lambda net, domain: ps.invert(net, X, domain, method="scan"),
    "invert by gradient": lambda net, domain: ps.invert(net, X, domain, method="gradient"),
}


@pytest.mark.parametrize("call", OF_BOTH.values(), ids=list(OF_BOTH))
def test_a_network_or_a_domain_that_is_none_is_told_so(call: Callable[[Any, Any], object]) -> None:
    networks: list[tuple[Any, str]] = [
        ("net.npz", r"expected a Network, got the path 'net.npz': .*load_network"),
        (Path("net.npz"), r"expected a Network, got the path 'net.npz'"),
        (np.eye(2), r"expected a Network, got a ndarray: .*from_layers"),
        (ps.enumerate_regions(NET, BOX), r"expected a Network, got a Partition: take its network, \.net"),
    ]
    for given, words in networks:
        with pytest.raises(ArgumentError, match=words):
            call(given, BOX)
    domains: list[tuple[Any, str]] = [
        ([-1, 1], r"expected a domain, got the list \[-1, 1\]: .*Box\(lo, hi, dim=S\)"),
        ((-1, 1), r"expected a domain, got the tuple"),
        ("box.npz", r"got the path 'box.npz': .*load_domain"),
        (np.eye(2), r"expected a domain, got a ndarray"),
    ]
    for given, words in domains:
        with pytest.raises(ArgumentError, match=words):
            call(NET, given)
    with pytest.raises(ArgumentError, match="expected a"):
        call(BOX, NET)


def test_a_partition_that_is_none_is_told_so(tmp_path: Path) -> None:
    calls: list[Callable[[Any], object]] = [
        lambda part: ps.preimages(NET, X, part),
        lambda part: ps.injectivity(NET, BOX, part),
        lambda part: ps.export_partition(part, tmp_path / "a.graphml"),
    ]
    for call in calls:
        with pytest.raises(ArgumentError, match=r"expected a Partition, got a Box: .*enumerate_regions"):
            call(BOX)
        with pytest.raises(ArgumentError, match=r"got the path 'a.run': .*load_partition"):
            call("a.run")
    with pytest.raises(ArgumentError, match="expected a domain"):
        ps.UniformPrior([-1, 1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="visitor is a int; expected a function"):
        ps.fold(NET, BOX, 3)  # type: ignore[arg-type]


def test_each_output_can_have_its_activation_by_name() -> None:
    weight = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    spelled = ps.Network.from_layers([weight], [None], ["relu|identity|leaky_relu:0.1"])
    names: list[Any] = ["relu", "identity", "leaky_relu:0.1"]
    assert ps.Network.from_layers([weight], [None], [names]) == spelled
    array: Any = np.array(names)
    assert ps.Network.from_layers([weight], [None], [array]) == spelled
    assert ps.Network.from_layers([weight], [None], [["max:2", "relu"]]).ambient_dim == 2
    with pytest.raises(UnknownActivationError, match="layer 0, output 1: unknown activation 'gelu'"):
        ps.Network.from_layers([weight], [None], [["relu", "gelu", "relu"]])
    with pytest.raises(ArgumentError, match="layer 0, output 1: its activation is a int"):
        ps.Network.from_layers([weight], [None], [["relu", 3, "relu"]])  # type: ignore[list-item]
    with pytest.raises(ArgumentError, match="layer 0: its activation is a int"):
        ps.Network.from_layers([weight], [None], [3])  # type: ignore[list-item]


def test_masks_may_be_booleans() -> None:
    keep = [np.array([True, False, True, True])]
    assert NET.with_dropout(keep) == NET.with_dropout([keep[0].astype(np.float64)])
    assert NET.with_dropout([keep[0].tolist()]) == NET.with_dropout(keep)
    weights = [np.abs(layer.weight) > 0.1 for layer in NET.layers]
    assert NET.with_dropconnect(weights) == NET.with_dropconnect([one.astype(int) for one in weights])


def test_an_output_is_for_the_colour_of_values_only() -> None:
    regions = region_set(ps.enumerate_regions(NET, BOX))
    for color in ("region", "rank", np.arange(len(regions))):
        with pytest.raises(ps.errors.PlotError, match="output 2 is of use to the colour 'value' only"):
            colour_regions(regions, color, output=2)
    with pytest.raises(ps.errors.PlotError, match="output 2 is of use"):
        ps.plot_histogram(regions, "rank", output=2)
    assert colour_regions(regions, "value", output=2).values is not None
