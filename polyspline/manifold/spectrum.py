"""Singular values and numerical ranks of the slopes of all regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.manifold.brief import Brief
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.regions import Source, region_set

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, repr=False)
class Spectra(Brief):
    """Singular values of the slopes A_ω.

    Attributes
    ----------
    values
        (R, min(D, S)), each row descending.
    ranks
        (R,) how many are above ``eps max(D, S)`` times the largest.
    """

    values: Floats
    ranks: Integers


def numerical_ranks(values: Floats, rows: int, columns: int) -> Integers:
    """Numerical ranks of matrices (rows, columns) from their singular values (B, k), descending.

    A singular value counts if it is above ``eps max(rows, columns)`` times the largest.
    """
    cut = _EPS * max(rows, columns) * values[:, :1]
    return np.asarray(np.count_nonzero(values > cut, axis=1), dtype=np.int64)


def singular_values(matrices: Floats) -> Floats:
    """Singular values (B, min(m, n)) of matrices (B, m, n), each row descending."""
    return np.asarray(np.linalg.svd(matrices, compute_uv=False))


def region_spectra(source: Source) -> Spectra:
    """Singular values and numerical ranks of the slopes of all regions.

    Parameters
    ----------
    source : Partition or RegionSet

    Returns
    -------
    Spectra

    Notes
    -----
    Guarantee: rounded. Cost: a singular value decomposition without vectors for each region.
    """
    regions = region_set(source)
    rows, columns = regions.net.ambient_dim, regions.net.latent_dim
    values = np.empty((len(regions), min(rows, columns)))
    for maps in affine_maps(regions):
        values[maps.which] = singular_values(maps.A)
    return Spectra(values, numerical_ranks(values, rows, columns))
