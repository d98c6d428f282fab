"""Disentanglement: how far the columns of each slope are from being orthogonal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError, ShapeError
from polyspline.manifold.brief import Brief
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.manifold.weighting import Estimate, Weights, region_weights
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class DisentanglementSummary:
    """Average and maximum over regions of the three figures of ``Q - I``.

    Attributes
    ----------
    spectral, frobenius, pair_sum
        Averages.
    worst_spectral, worst_frobenius, worst_pair_sum
        Maxima over the regions that count.
    by
        What the averages are over: ``"count"``, ``"draws"`` or ``"weights"``.
    """

    spectral: Estimate
    frobenius: Estimate
    pair_sum: Estimate
    worst_spectral: float
    worst_frobenius: float
    worst_pair_sum: float
    by: str


@dataclass(frozen=True, eq=False, repr=False)
class Disentanglement(Brief):
    """Figures of ``Q - I`` for every region; Q holds the abs(cosine) between the columns of A_ω.

    Attributes
    ----------
    regions
        What it was computed on.
    spectral
        (R,) largest singular value of Q - I: from 0 to S - 1.
    frobenius
        (R,) Frobenius norm of Q - I.
    pair_sum
        (R,) sum of the cosines over pairs of columns, each pair once.
    zero_columns
        (R,) how many columns are zero up to rounding: directions that move nothing. A zero column
        counts as orthogonal to all others.
    sampled
        Whether the regions were met by sampling.
    """

    regions: RegionSet
    spectral: Floats
    frobenius: Floats
    pair_sum: Floats
    zero_columns: Integers
    sampled: bool

    def summary(self, weights: Weights = None) -> DisentanglementSummary:
        """Average and maximum over regions.

        Parameters
        ----------
        weights : None, str or array_like
            ``"count"``, ``"draws"``, or an array (R,); by default the draws of a sampled set, else
            the count. Regions of weight 0 are left out of the maxima, too.

        Returns
        -------
        DisentanglementSummary

        Raises
        ------
        ArgumentError, ShapeError, NonFiniteError
            If the weights do not fit, see `region_weights`.
        """
        read = region_weights(self.regions, weights, "summary")
        counted = read.shares > 0
        return DisentanglementSummary(
            read.mean(self.spectral),
            read.mean(self.frobenius),
            read.mean(self.pair_sum),
            float(self.spectral[counted].max(initial=0.0)),
            float(self.frobenius[counted].max(initial=0.0)),
            float(self.pair_sum[counted].max(initial=0.0)),
            read.by,
        )


def absolute_cosines(slopes: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Q of slopes (B, D, S): abs(cosine) between columns, (B, S, S), and which columns are zero, (B, S).

    A column is zero if its length is at most ``eps max(D, S)`` times the longest; its cosines with
    the others are 0, and that with itself is 1 as for all.
    """
    largest = np.abs(slopes).max(axis=(1, 2), initial=0.0)
    scaled = slopes / np.where(largest > 0, largest, 1.0)[:, None, None]
    length = np.linalg.norm(scaled, axis=1)
    zero = length <= _EPS * max(slopes.shape[1:]) * length.max(axis=1, initial=0.0)[:, None]
    unit = np.where(zero[:, None, :], 0.0, scaled / np.where(zero, 1.0, length)[:, None, :])
    cosines = np.minimum(np.abs(unit.transpose(0, 2, 1) @ unit), 1.0)
    diagonal = np.arange(slopes.shape[2])
    cosines[:, diagonal, diagonal] = 1.0
    return cosines, zero


@gradual_underflow()
def disentanglement(source: Source) -> Disentanglement:
    """Orthogonality of the columns of every slope.

    Parameters
    ----------
    source : Partition or RegionSet

    Returns
    -------
    Disentanglement

    Notes
    -----
    Guarantee: rounded. What it says is local, and necessary only: orthogonal columns do not make a
    disentangled generator.

    References
    ----------
    Max-affine spline insights, Prop. 5 and Table 1.
    """
    regions = region_set(source)
    count, size = len(regions), regions.net.latent_dim
    figures = np.zeros((3, count))
    zeros = np.zeros(count, dtype=np.int64)
    for maps in affine_maps(regions):
        cosines, zero = absolute_cosines(maps.A)
        rest = cosines - np.eye(size)
        # Q - I is symmetric with no negative entry: its largest eigenvalue is its norm.
        figures[0, maps.which] = np.linalg.eigvalsh(rest)[:, -1]
        figures[1, maps.which] = np.sqrt((rest**2).sum(axis=(1, 2)))
        figures[2, maps.which] = 0.5 * rest.sum(axis=(1, 2))
        zeros[maps.which] = np.count_nonzero(zero, axis=1)
    return Disentanglement(
        regions, np.maximum(figures[0], 0.0), figures[1], figures[2], zeros, regions.sampled
    )


@gradual_underflow()
def basis_images(source: Source, region: int, shape: Sequence[int] | None = None) -> Floats:
    """Columns of the slope of one region, as images: what each latent coordinate adds there.

    Parameters
    ----------
    source : Partition or RegionSet
    region : int
        Index of the region.
    shape : sequence of int, optional
        Shape of one image, of D numbers in all; (D,) by default.

    Returns
    -------
    ndarray of float64
        (S, ...), the shape of one image behind S.

    Raises
    ------
    ArgumentError
        If there is no such region.
    ShapeError
        If the shape has not D numbers.

    References
    ----------
    Max-affine spline insights, Fig. 5.
    """
    regions = region_set(source)
    if not 0 <= region < len(regions):
        raise ArgumentError(f"basis_images: region {region} does not exist; there are {len(regions)}.")
    form = (regions.net.ambient_dim,) if shape is None else tuple(int(n) for n in shape)
    if min(form, default=0) < 1 or int(np.prod(form)) != regions.net.ambient_dim:
        raise ShapeError(
            f"basis_images: shape {form} does not hold the {regions.net.ambient_dim} numbers of an output."
        )
    columns = next(iter(affine_maps(regions, [region]))).A[0].T
    return np.ascontiguousarray(columns).reshape(-1, *form)
