"""Colours stand for what they say: neighbours differ, values follow the scale, none is grey."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polyspline.errors import ArgumentError, PlotError
from polyspline.manifold import (
    density_at_latents,
    edge_angles,
    image_volumes,
    intrinsic_dimension,
    log_determinants,
    region_set,
    volumes,
)
from polyspline.partition import Partition
from polyspline.plots.colours import Colouring, colour_classes, colour_regions, colour_values
from polyspline.plots.quantities import QUANTITIES, Scale, Values, values_of
from polyspline.plots.style import FILLS, RISING


def luminance(faces: Any) -> Any:
    linear = np.asarray(faces)[..., :3] ** 2.2
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def shown(part: Partition, color: Any, **options: Any) -> Colouring:
    return colour_regions(region_set(part), color, **options)


def test_neighbours_have_different_colours(plane: Partition) -> None:
    colours = colour_classes(np.arange(len(plane)), plane.edges, len(FILLS))
    assert (colours[plane.edges[:, 0]] != colours[plane.edges[:, 1]]).all()
    assert set(colours.tolist()) == set(range(len(FILLS)))


def test_affine_regions_have_one_colour_and_differ_from_their_neighbours(plane: Partition) -> None:
    labels = plane.affine_labels()
    faces = shown(plane, "affine-region").faces
    for label in np.unique(labels):
        assert len(np.unique(faces[labels == label], axis=0)) == 1
    i, j = plane.edges[labels[plane.edges[:, 0]] != labels[plane.edges[:, 1]]].T
    assert (faces[i] != faces[j]).any(axis=1).all()


def test_where_colours_run_out_each_region_still_has_one() -> None:
    everyone = np.array([(i, j) for i in range(9) for j in range(i + 1, 9)])
    assert set(colour_classes(np.arange(9), everyone, 7).tolist()) == set(range(7))


def sharpest(part: Partition) -> list[float]:
    degrees = np.degrees(edge_angles(part).turning)
    own = [degrees[(part.edges == index).any(axis=1)] for index in range(len(part))]
    return [float(angles[np.isfinite(angles)].max(initial=-np.inf)) for angles in own]


EXPECTED: dict[str, Any] = {
    "log_det": lambda part: log_determinants(part).values,
    "rank": lambda part: intrinsic_dimension(part).dimensions,
    "volume": lambda part: volumes(part).values,
    "image_volume": lambda part: image_volumes(part).full,
    "density": lambda part: density_at_latents(part, part.witnesses).values,
    "value": lambda part: part.net(part.witnesses)[:, 1],
    "degree": lambda part: [len(region.neighbours) for region in part],
    "stretch": lambda part: [np.linalg.norm(region.A, 2) for region in part],
    "angle": sharpest,
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_is_what_its_name_says(plane: Partition, name: str) -> None:
    values = values_of(region_set(plane), name.replace("_", "-"), output=1)
    np.testing.assert_allclose(values.numbers, EXPECTED[name](plane), rtol=1e-9)
    assert "{" not in values.plain
    assert "number" not in values.label


@pytest.mark.parametrize("name", ["log_det", "volume", "stretch", "angle"])
def test_a_greater_value_is_never_darker(plane: Partition, name: str) -> None:
    colouring = shown(plane, name)
    assert colouring.values is not None
    known = np.flatnonzero(np.isfinite(colouring.values.numbers))
    order = known[np.argsort(colouring.values.numbers[known])]
    assert (np.diff(luminance(colouring.faces[order])) >= -1e-3).all()
    assert len(np.unique(colouring.faces, axis=0)) > len(plane) / 4


def test_lines_on_white_are_darker_for_greater_values() -> None:
    values = Values(np.linspace(0.0, 1.0, 50), "", "", Scale.LINEAR)
    light = luminance(colour_values(values, on_white=True).faces)
    assert (np.diff(light) < 0).all()
    assert light[0] < 0.6
    assert len(RISING) == 3


def test_signed_values_diverge_from_zero() -> None:
    values = Values(np.array([-1.0, 0.0, 4.0]), "", "", Scale.SIGNED)
    low, zero, high = colour_values(values).faces[:, :3]
    assert luminance(zero) > 0.8
    assert low[2] > low[0]
    assert high[0] > high[2]
    # Values on one side of zero have the scale to themselves.
    assert colour_values(Values(np.array([1.0, 2.0]), "", "", Scale.SIGNED)).mappable is not None


def test_whole_numbers_have_a_colour_each() -> None:
    values = Values(np.array([2.0, 3.0, 3.0, 5.0]), "", "", Scale.WHOLE)
    colouring = colour_values(values)
    assert colouring.ticks == (2, 3, 4, 5)
    assert len(np.unique(colouring.faces, axis=0)) == 3
    np.testing.assert_array_equal(colouring.faces[1], colouring.faces[2])


def test_a_region_without_value_is_grey_and_the_title_says_so() -> None:
    numbers = np.array([1.0, -np.inf, np.nan, 2.0])
    colouring = colour_values(Values(numbers, "", "", Scale.LINEAR))
    assert "2 without value" in colouring.remark
    assert (np.ptp(colouring.faces[1:3, :3], axis=1) == 0).all()
    assert (np.ptp(colouring.faces[[0, 3], :3], axis=1) > 0).all()
    zero = colour_values(Values(np.array([0.0, 1.0]), "", "", Scale.LOGARITHMIC))
    assert "1 without value" in zero.remark


def test_limits_make_pictures_comparable(plane: Partition) -> None:
    one = shown(plane, "log_det", limits=(-3.0, 3.0))
    two = shown(plane, np.where(np.arange(len(plane)) < 5, 1.5, 0.0), limits=(-3.0, 3.0))
    assert one.mappable is not None
    assert two.mappable is not None
    assert one.mappable.get_clim() == two.mappable.get_clim() == (-3.0, 3.0)
    with pytest.raises(PlotError, match="limits"):
        shown(plane, "log_det", limits=(1.0, 1.0))


def test_a_few_far_off_values_do_not_take_the_scale() -> None:
    numbers = np.concatenate([np.linspace(0.0, 1.0, 199), [1e3]])
    mappable = colour_values(Values(numbers, "", "", Scale.LINEAR)).mappable
    assert mappable is not None
    assert mappable.get_clim()[1] == pytest.approx(0.98, abs=0.02)


@pytest.mark.parametrize("number", [0.0, 3.0, -2.5])
def test_values_that_are_all_one_have_a_colour(number: float) -> None:
    for scale in Scale:
        colouring = colour_values(Values(np.full(3, number), "", "", scale))
        assert len(np.unique(colouring.faces, axis=0)) == 1


def test_wrong_names_and_numbers_are_refused(plane: Partition) -> None:
    for color in ("rainbow", "", np.zeros(3), [["a"]], np.zeros((len(plane), 2))):
        with pytest.raises(PlotError, match="log-det"):
            shown(plane, color)
    for output in (-1, 3):
        with pytest.raises(PlotError, match="no output"):
            shown(plane, "value", output=output)


def test_a_density_needs_all_regions_and_other_quantities_do_not(partial_plane: Partition) -> None:
    with pytest.raises(ArgumentError, match="needs all regions"):
        shown(partial_plane, "density")
    for name in sorted({*QUANTITIES} - {"density"}):
        assert len(shown(partial_plane, name).faces) == len(partial_plane)
    # The frontier may have neighbours that nobody knows.
    degrees = values_of(region_set(partial_plane), "degree").numbers
    assert np.isnan(degrees[partial_plane.expanded :]).all()
    assert np.isfinite(degrees[: partial_plane.expanded]).all()
