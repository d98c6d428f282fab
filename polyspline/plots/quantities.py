"""What regions are coloured by: one table of quantities, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.angles import edge_angles
from polyspline.manifold.density import density_at_latents
from polyspline.manifold.dimension import intrinsic_dimension
from polyspline.manifold.log_det import log_determinants
from polyspline.manifold.regions import RegionSet
from polyspline.manifold.spectrum import region_spectra
from polyspline.manifold.volumes import image_volumes, volumes

Floats = npt.NDArray[np.float64]

LABELS = ("region", "affine_region")
"""Names that give each region, or each affine region, a colour of its own and measure nothing."""


class Scale(Enum):
    """How the values of a quantity are laid out on colours; the value says it for a person."""

    LINEAR = "from the least value to the greatest"
    LOGARITHMIC = "by the logarithm"
    WHOLE = "one colour for each whole number"
    SIGNED = "diverging from zero where both signs occur"


@dataclass(frozen=True)
class Quantity:
    """A number that every region has.

    Attributes
    ----------
    label
        What it is, as it stands at an axis or a colour bar; mathematics in dollars.
    plain
        The same in plain text.
    scale
        How its values are laid out on colours.
    measure
        ``measure(regions, output)`` gives it, (R,), NaN or infinite where a region has none.
    """

    label: str
    plain: str
    scale: Scale
    measure: Callable[[RegionSet, int], Floats]


def _log_det(regions: RegionSet, _: int) -> Floats:
    return log_determinants(regions).values


def _rank(regions: RegionSet, _: int) -> Floats:
    return intrinsic_dimension(regions).dimensions.astype(np.float64)


def _volume(regions: RegionSet, _: int) -> Floats:
    return volumes(regions).values


def _image_volume(regions: RegionSet, _: int) -> Floats:
    return image_volumes(regions).full


def _density(regions: RegionSet, _: int) -> Floats:
    return density_at_latents(regions, regions.points).values


def _value(regions: RegionSet, output: int) -> Floats:
    if not 0 <= output < regions.net.ambient_dim:
        raise PlotError(
            f"the network has no output {output} to colour by; expected 0 to {regions.net.ambient_dim - 1}."
        )
    return np.asarray(regions.net(regions.points)[:, output])


def _degree(regions: RegionSet, _: int) -> Floats:
    counts = np.bincount(regions.edges.reshape(-1), minlength=len(regions)).astype(np.float64)
    counts[regions.expanded :] = np.nan  # not all of their neighbours are known
    return counts


def _stretch(regions: RegionSet, _: int) -> Floats:
    return np.asarray(region_spectra(regions).values[:, 0])


def _angle(regions: RegionSet, _: int) -> Floats:
    found = edge_angles(regions)
    degrees = np.where(found.known, np.degrees(found.turning), -np.inf)
    most = np.full(len(regions), -np.inf)
    for end in regions.edges.T:
        np.maximum.at(most, end, degrees)
    return most


QUANTITIES: dict[str, Quantity] = {
    "log_det": Quantity(r"$\frac{1}{2}\,\log\,\det(A^T A)$", "log sqrt det(AᵀA)", Scale.LINEAR, _log_det),
    "rank": Quantity("rank of $A$", "rank of A", Scale.WHOLE, _rank),
    "volume": Quantity("volume", "volume", Scale.LOGARITHMIC, _volume),
    "image_volume": Quantity("volume of the image", "volume of the image", Scale.LOGARITHMIC, _image_volume),
    "density": Quantity("density at the witness", "density at the witness", Scale.LOGARITHMIC, _density),
    "value": Quantity("$G_{{number}}$ at the witness", "G{number} at the witness", Scale.SIGNED, _value),
    "degree": Quantity("neighbours", "neighbours", Scale.WHOLE, _degree),
    "stretch": Quantity(
        "largest singular value of $A$", "largest singular value of A", Scale.LOGARITHMIC, _stretch
    ),
    "angle": Quantity(
        "largest turning angle, degrees", "largest turning angle, degrees", Scale.LINEAR, _angle
    ),
}
"""Every quantity by name. A row is all that a new one needs."""

Color: TypeAlias = str | npt.ArrayLike
"""A name of `LABELS` or `QUANTITIES`, hyphens or underscores alike, or one number for each region."""


@dataclass(frozen=True, eq=False)
class Values:
    """A quantity of some regions.

    Attributes
    ----------
    numbers
        (R,); NaN or infinite where a region has none.
    label, plain
        What they are, with mathematics in dollars and without.
    scale
        How they are laid out on colours.
    """

    numbers: Floats
    label: str
    plain: str
    scale: Scale


def choices() -> str:
    """All names that pictures may be coloured by, as one phrase for messages."""
    return ", ".join(name.replace("_", "-") for name in (*LABELS, *QUANTITIES))


def checked_name(color: str) -> str:
    """Look up a name to colour by, spelled with hyphens or underscores.

    Raises
    ------
    PlotError
        If it is not in the tables; the message lists those that are.
    """
    name = color.replace("-", "_")
    if name not in LABELS and name not in QUANTITIES:
        raise PlotError(f"cannot colour by {color!r}; choose one of {choices()}.")
    return name


def check_output(color: Color, output: int) -> None:
    """Refuse an output that a colour has no use for.

    Raises
    ------
    PlotError
        If there is one, and the colour is not ``"value"``.
    """
    if output != 0 and not (isinstance(color, str) and checked_name(color) == "value"):
        shown = repr(color) if isinstance(color, str) else "the numbers given"
        raise PlotError(
            f"output {output} is of use to the colour 'value' only, and the colour is {shown}: give "
            "color='value', or leave the output out."
        )


def values_of(regions: RegionSet, color: Color, *, output: int = 0, label: str | None = None) -> Values:
    """Measure a quantity, or take the numbers that are given.

    Parameters
    ----------
    regions
        Regions of a partition or of a sampled set.
    color
        A name of `QUANTITIES`, or (R,) numbers.
    output
        Which output ``"value"`` is, from 0.
    label
        What the numbers are; of a name, its own by default.

    Returns
    -------
    Values

    Raises
    ------
    PlotError
        If there is no such name or output, or not one number for each region.
    ArgumentError
        If the quantity needs all regions, and these are not.
    """
    if isinstance(color, str):
        name = checked_name(color)
        if name in LABELS:
            raise PlotError(f"{color!r} is no number of a region; choose one of {', '.join(QUANTITIES)}.")
        row = QUANTITIES[name]
        numbers = row.measure(regions, output)
        own = [text.replace("{number}", str(output + 1)) for text in (row.label, row.plain)]
        return Values(numbers, label or own[0], label or own[1], row.scale)
    given = np.asarray(color)
    if given.shape != (len(regions),) or given.dtype.kind not in "biuf":
        raise PlotError(
            f"the numbers to colour by have shape {given.shape} and type {given.dtype}; expected one "
            f"number for each of {len(regions)} regions, or a name: {choices()}."
        )
    whole = given.dtype.kind in "biu"
    return Values(
        given.astype(np.float64), label or "", label or "value", Scale.WHOLE if whole else Scale.SIGNED
    )
