from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from polyspline.cpa.affine import preactivations
from polyspline.cpa.knots import knots_of
from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, ShapeError
from polyspline.manifold.maps import affine_maps, affine_maps_of_codes, knot_rows_of_codes
from polyspline.manifold.regions import region_set, sample_regions
from polyspline.network import Network, zoo

RNG = np.random.default_rng(7)
GROUPS = Network.from_layers(
    [RNG.normal(size=(6, 2)), RNG.normal(size=(5, 3)), RNG.normal(size=(2, 3))],
    [RNG.normal(size=6), RNG.normal(size=5), None],
    ["max:2", "max:3|leaky_relu:0.2*2", "identity"],
)
SPARSE = Network.from_layers(
    [csr_array(RNG.normal(size=(4, 2))), csr_array(np.diag([1.0, -2.0, 0.0, 3.0])), np.ones((3, 4))],
    [None, None, None],
)

NETS = [
    zoo.random_network([3, 7, 6, 4], "relu", seed=0),
    zoo.random_network([2, 5, 3], ["hardtanh:-0.5,0.7", "leaky_relu:0.2"], seed=1),
    zoo.random_network([4, 5, 5, 2], ["abs", "identity", "identity"], seed=2),
    zoo.random_network([1, 4, 1], ["relu6", "hardtanh"], seed=3),
    Network.from_layers([[[1.0, 2.0], [0.5, -1.0]]], [[1.0, 0.0]], ["identity"]),
    GROUPS,
    SPARSE,
]


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_the_maps_of_codes_are_those_of_each_code(net: Network) -> None:
    regions = sample_regions(net, Box(-2, 2, dim=net.latent_dim), 200, neighbours=False)
    slopes, offsets = affine_maps_of_codes(net, regions.codes)
    for code, slope, offset in zip(regions.codes, slopes, offsets, strict=True):
        a, b = net.affine(code)
        np.testing.assert_allclose(slope, a, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(offset, b, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_the_maps_have_the_values_and_the_jacobian_of_the_network(net: Network) -> None:
    regions = sample_regions(net, Box(-2, 2, dim=net.latent_dim), 50)
    for maps in affine_maps(regions, batch=7):
        z = regions.points[maps.which]
        values = (maps.A @ z[:, :, None])[:, :, 0] + maps.b
        np.testing.assert_allclose(values, net(z), rtol=1e-11, atol=1e-12)
    met = regions.met[:20]
    maps = next(iter(affine_maps(regions, met)))
    for column in range(net.latent_dim):
        step = np.eye(net.latent_dim)[column] * 1e-7
        z = regions.points[met]
        same = (net.code(z + step) == regions.codes[met]).all(axis=1)
        same &= (net.code(z - step) == regions.codes[met]).all(axis=1)
        slope = (net(z + step) - net(z - step)) / 2e-7
        np.testing.assert_allclose(slope[same], maps.A[same][:, :, column], atol=1e-6)
        assert same.any()


def test_batches_cover_what_is_asked_for_in_its_order() -> None:
    net = NETS[0]
    part = enumerate_regions(net, Box(-1, 1, dim=3))
    whole = next(iter(affine_maps(part)))
    np.testing.assert_array_equal(whole.which, np.arange(len(part)))
    which = np.array([5, 0, 5, 3])
    batches = list(affine_maps(region_set(part), which, batch=3))
    assert [len(batch) for batch in batches] == [3, 1]
    np.testing.assert_array_equal(np.concatenate([batch.which for batch in batches]), which)
    found = np.concatenate([batch.A for batch in batches])
    np.testing.assert_allclose(found, whole.A[which], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(whole.b[2], part[2].b, rtol=1e-13)


@pytest.mark.parametrize("net", [net for net in NETS if net.n_units], ids=repr)
def test_the_row_of_a_knot_is_that_of_its_unit(net: Network) -> None:
    regions = sample_regions(net, Box(-2, 2, dim=net.latent_dim), 60, neighbours=False)
    table = knots_of(net.layers)
    knots = np.random.default_rng(0).integers(len(table.unit), size=len(regions))
    rows, beta = knot_rows_of_codes(net, regions.codes, knots)
    for index, knot in enumerate(knots):
        alpha, constant = preactivations(net.layers, regions.codes[index])
        expected = np.append(alpha, constant[:, None], axis=1)[table.upper[knot]]
        if table.lower[knot] >= 0:
            expected = expected - np.append(alpha, constant[:, None], axis=1)[table.lower[knot]]
        expected[-1] -= table.position[knot]
        np.testing.assert_allclose(np.append(rows[index], beta[index]), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("net", [NETS[1], GROUPS], ids=repr)
def test_the_row_of_an_edge_tells_its_regions_apart(net: Network) -> None:
    regions = region_set(enumerate_regions(net, Box(-3, 3, dim=2)))
    rows, beta = knot_rows_of_codes(net, regions.codes[regions.edges[:, 0]], regions.edge_sources)
    part = regions.partition
    assert part is not None
    assert [part.knot(int(source))[0] for source in regions.edge_sources] == regions.edge_units.tolist()
    ends = [(rows * regions.points[regions.edges[:, side]]).sum(axis=1) + beta for side in (0, 1)]
    assert (ends[0] * ends[1] < 0).all()


def test_no_regions_and_no_units_are_fine() -> None:
    slopes, offsets = affine_maps_of_codes(NETS[0], np.empty((0, 13), dtype=np.int8))
    assert slopes.shape == (0, 4, 3)
    assert offsets.shape == (0, 4)
    slopes, offsets = affine_maps_of_codes(NETS[4], np.empty((2, 0), dtype=np.int8))
    np.testing.assert_array_equal(slopes[1], [[1.0, 2.0], [0.5, -1.0]])
    np.testing.assert_array_equal(offsets[0], [1.0, 0.0])


def test_bad_input_is_refused() -> None:
    net = NETS[0]
    codes = np.zeros((2, 13), dtype=np.int8)
    with pytest.raises(ShapeError, match="expected integer codes"):
        affine_maps_of_codes(net, codes[:, 1:])
    with pytest.raises(ShapeError, match="float64"):
        affine_maps_of_codes(net, codes.astype(float))
    codes[1, 4] = 2
    with pytest.raises(ArgumentError, match="unit 4"):
        affine_maps_of_codes(net, codes)
    with pytest.raises(ShapeError, match="one knot for each"):
        knot_rows_of_codes(net, codes * 0, [1])
    with pytest.raises(ArgumentError, match="0 to 12"):
        knot_rows_of_codes(net, codes * 0, [1, 13])
    part = enumerate_regions(net, Box(-1, 1, dim=3), max_regions=4)
    with pytest.raises(ArgumentError, match="0 to 3"):
        affine_maps(part, [4])
    with pytest.raises(ArgumentError, match="batch"):
        affine_maps(part, batch=0)
