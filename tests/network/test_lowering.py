"""From a graph to layers: nothing is lost, nothing is added, and each number is rounded once at most."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from polyspline.cpa.activations import parse_activation
from polyspline.cpa.matrices import DENSE_LIMIT
from polyspline.cpa.units import MaxGroup, ScalarUnit
from polyspline.errors import NonFiniteError
from polyspline.network import Network, tensors
from polyspline.network.exact_sums import product, product_with_vector, sparse
from polyspline.network.graph import AffineNode, ConstantNode, Graph, InputNode
from polyspline.network.lowering import lower, stored
from polyspline.network.tensors import Tensor


def values_of(graph: Graph, inputs: list[Fraction]) -> list[Fraction]:
    """Exact value of every scalar of a graph, node by node."""
    values: list[Fraction] = []
    for node in graph.nodes:
        if isinstance(node, InputNode):
            values += inputs
        elif isinstance(node, ConstantNode):
            values += [Fraction(value) for value in node.values.tolist()]
        elif isinstance(node, AffineNode):
            for row, offset in zip(node.matrix.toarray().tolist(), node.bias.tolist(), strict=True):
                terms = zip(row, node.sources, strict=True)
                values.append(
                    Fraction(offset) + sum((Fraction(a) * values[i] for a, i in terms), Fraction(0))
                )
        else:
            start = 0
            for unit in node.units:
                members = [values[i] for i in node.members[start : start + unit.n_rows]]
                start += unit.n_rows
                values.append(max(members) if isinstance(unit, MaxGroup) else scalar(unit, members[0]))
    return values


def scalar(unit: ScalarUnit, value: Fraction) -> Fraction:
    piece = sum(value > Fraction(knot) for knot in unit.knots)
    return Fraction(unit.slopes[piece]) * value + Fraction(unit.offsets[piece])


NUMBERS = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0])
SPELLINGS = st.sampled_from(["relu", "abs", "leaky_relu:0.5", "hardtanh:-1,1", "softshrink:0.5"])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, npt.NDArray[np.int64]]:
    """A small graph of operators drawn at random, and its outputs."""
    graph = Graph()
    pool = [Tensor(graph, graph.inputs(draw(st.integers(1, 3))))]
    for _ in range(draw(st.integers(0, 7))):
        x = draw(st.sampled_from(pool))
        size = x.ids.size
        match draw(st.integers(0, 7)):
            case 0:
                rows = draw(st.integers(1, 3))
                weight = draw(st.lists(NUMBERS, min_size=rows * size, max_size=rows * size))
                bias = draw(st.lists(NUMBERS, min_size=rows, max_size=rows))
                pool.append(tensors.linear(x, np.reshape(weight, (rows, size)), bias))
            case 1 | 2:
                pool.append(tensors.units(x, draw(SPELLINGS)))
            case 3:
                pool.append(tensors.add(x, draw(NUMBERS)))
            case 4:
                y = draw(st.sampled_from(pool))
                shared = min(size, y.ids.size)
                pool.append(tensors.add(x.like(x.ids[:shared]), y.like(y.ids[:shared]), draw(NUMBERS)))
            case 5:
                y = draw(st.sampled_from(pool))
                pool.append(x.like(np.concatenate([x.ids, graph.constants([draw(NUMBERS)]), y.ids])[:5]))
            case 6:
                pool.append(tensors.reduced_extreme(x, None, True, draw(st.sampled_from([-1, 1]))))
            case 7:
                y = draw(st.sampled_from(pool))
                shared = min(size, y.ids.size)
                pool.append(tensors.extreme(x.like(x.ids[:shared]), y.like(y.ids[:shared]), 1))
    return graph, np.concatenate([draw(st.sampled_from(pool)).ids, draw(st.sampled_from(pool)).ids[:1]])


@given(graphs(), st.data())
def test_the_layers_compute_what_the_graph_does(
    made: tuple[Graph, npt.NDArray[np.int64]], data: st.DataObject
) -> None:
    # All numbers are few small multiples of powers of two, so float64 is exact and the law is equality.
    graph, outputs = made
    net = Network(lower(graph, outputs))
    size = graph.nodes[0].size
    point = data.draw(st.lists(NUMBERS, min_size=size, max_size=size))
    values = values_of(graph, [Fraction(z) for z in point])
    assert net(point).tolist() == [float(values[i]) for i in outputs]


@given(graphs())
def test_no_layer_is_more_than_is_needed(made: tuple[Graph, npt.NDArray[np.int64]]) -> None:
    layers = lower(*made)
    for before, after in pairwise(layers):
        read = np.abs(after.weight).sum(axis=0)
        assert read.all() or before.n_out == 1
        sums = (before.weight != 0).sum(axis=1) > 1
        assert len(before.unit_neurons) or sums.any() or before.n_out == 1  # no layer only carries


# ---- single cases


def chain(*widths: int) -> list[npt.NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(b, a)) for a, b in pairwise(widths)]


def test_a_plain_chain_is_kept_bit_by_bit() -> None:
    weights = chain(3, 80, 70, 2)
    graph = Graph()
    x = Tensor(graph, graph.inputs(3))
    for number, weight in enumerate(weights):
        x = tensors.linear(x, weight, weight[:, 0])
        x = tensors.units(x, "relu") if number < 2 else x
    expected = Network.from_layers(weights, [weight[:, 0] for weight in weights])
    assert Network(lower(graph, x.ids)) == expected
    assert not any(layer.is_sparse for layer in expected.layers)


def test_what_is_not_needed_is_dropped() -> None:
    graph = Graph()
    x = Tensor(graph, graph.inputs(3))
    y = tensors.units(tensors.linear(x, np.ones((4, 3)), None), "relu")
    tensors.units(y, "abs")
    layers = lower(graph, y.ids[1:2])
    assert [layer.n_rows for layer in layers] == [1]


def test_constants_are_folded() -> None:
    graph = Graph()
    x = Tensor(graph, graph.inputs(1))
    c = Tensor(graph, graph.constants([-2.0, 3.0]))
    y = tensors.units(c, "relu")
    assert graph.is_constant(y.ids).all()
    assert graph.values_of(y.ids).tolist() == [0.0, 3.0]
    mixed = tensors.units(x.like(np.concatenate([x.ids, c.ids])), "abs")
    layers = lower(graph, np.concatenate([mixed.ids, y.ids]))
    assert [layer.activation for layer in layers] == ["abs|identity*4"]
    assert layers[0].bias.tolist() == [0.0, 2.0, 3.0, 0.0, 3.0]


def test_a_network_of_constants_has_one_layer() -> None:
    graph = Graph()
    graph.inputs(2)
    layers = lower(graph, graph.constants([1.0, 2.0]))
    assert [(layer.weight.tolist(), layer.bias.tolist()) for layer in layers] == [([[0, 0], [0, 0]], [1, 2])]


def test_a_unit_that_comes_twice_in_the_output_is_one_unit() -> None:
    graph = Graph()
    x = Tensor(graph, graph.inputs(1))
    y = tensors.units(x, "relu")
    net = Network(lower(graph, np.concatenate([y.ids, y.ids])))
    assert (net.n_units, net([2.0]).tolist()) == (1, [2.0, 2.0])


def test_overlapping_windows_are_kept_apart_from_the_sums_that_they_read() -> None:
    graph = Graph()
    x = Tensor(graph, graph.inputs(6))
    sums = tensors.linear(x, np.ones((6, 6)) + np.eye(6), None)
    windows = np.stack([np.roll(sums.ids, k) for k in range(4)], axis=1)
    layers = lower(graph, graph.max_groups(windows))
    assert [(layer.n_rows, layer.activation) for layer in layers] == [(6, "identity"), (24, "max:4")]


def test_a_member_that_comes_twice_counts_once() -> None:
    graph = Graph()
    ids = graph.inputs(2)
    found = graph.max_groups(np.array([[ids[0], ids[0], -1], [ids[1], ids[0], ids[1]]]))
    assert found[0] == ids[0]
    layers = lower(graph, found[1:])
    assert layers[0].activation == "max:2"


def test_a_layer_is_sparse_only_where_that_pays() -> None:
    eye = csr_array(np.eye(64))
    assert not isinstance(stored(eye), np.ndarray)
    assert isinstance(stored(csr_array(np.eye(63))), np.ndarray)
    assert isinstance(stored(csr_array(np.tri(64))), np.ndarray)
    empty = csr_array((1, DENSE_LIMIT + 1), dtype=np.float64)
    assert not isinstance(stored(empty), np.ndarray)


def test_numbers_that_overflow_are_refused() -> None:
    graph = Graph()
    x = Tensor(graph, graph.inputs(1))
    y = tensors.multiply(tensors.multiply(x, 1e200), 1e200)
    with pytest.raises(NonFiniteError, match="lowered network"):
        lower(graph, y.ids)


# ---- exact sums

FLOATS = st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-3 else 0.0)


@st.composite
def matrices(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    n, k, m = (draw(st.integers(1, 4)) for _ in range(3))
    entries = draw(st.lists(FLOATS, min_size=(n + m) * k, max_size=(n + m) * k))
    return np.reshape(entries[: n * k], (n, k)), np.reshape(entries[n * k :], (k, m))


@given(matrices())
def test_products_are_rounded_once(pair: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]) -> None:
    left, right = pair
    n, m = len(left), right.shape[1]
    exact = [
        [
            sum((Fraction(a) * Fraction(b) for a, b in zip(row, column, strict=True)), Fraction(0))
            for column in right.T
        ]
        for row in left
    ]
    found = product(csr_array(left), csr_array(right))
    assert found.toarray().tolist() == [[float(entry) for entry in row] for row in exact]
    added = right[0, 0]
    vector = product_with_vector(csr_array(left), right[:, 0], np.full(n, added))
    assert vector.tolist() == [float(exact[i][0] + Fraction(added)) for i in range(n)]
    assert m == found.shape[1]


def test_entries_of_one_place_are_added_exactly() -> None:
    rows, columns = np.zeros(4, dtype=np.int64), np.array([1, 0, 1, 1])
    found = sparse(rows, columns, np.array([1e16, 2.0, 1.0, -1e16]), (1, 2))
    assert found.toarray().tolist() == [[2.0, 1.0]]


def test_units_are_shared_and_spelled() -> None:
    graph = Graph()
    x = Tensor(graph, graph.inputs(3))
    layers = lower(graph, tensors.leaky(x, np.array([0.5, 0.25, 0.5])).ids)
    assert layers[0].units == tuple(parse_activation("prelu:0.5,0.25,0.5", 3))
