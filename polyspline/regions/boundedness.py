"""Whether a region is bounded, decided exactly from its recession cone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.affine import layer_pieces
from polyspline.cpa.layers import Layer
from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.regions.facets import FacetGeometry
from solvers.lp.exact import maximise
from solvers.rational import DyadicMatrix, rank
from solvers.status import LPStatus


def exact_slopes(layers: Sequence[Layer], code: NDArray[Any]) -> list[list[int]]:
    """Slope a_k of every unit's pre-activation on the region of a code, up to a positive factor.

    Parameters
    ----------
    layers
        Layers of the network.
    code
        Activation code, (N,).

    Returns
    -------
    list of N lists of S ints
        Coprime integers; a unit that is constant on the region has zeros.

    Notes
    -----
    Guarantee: exact, for the network whose weights are the float64 numbers as given.
    """
    slope = DyadicMatrix.from_array(np.eye(layers[0].n_in))
    rows: list[list[int]] = []
    for layer, pieces in zip(layers, layer_pieces(layers, code), strict=True):
        slope = DyadicMatrix.from_array(layer.weight).matmul(slope)
        rows.extend(slope.row_integers(int(neuron)) for neuron in layer.unit_neurons)
        slopes, _ = layer.unit_tables
        slope = slope.scale_rows(slopes[np.arange(layer.n_out), pieces])
    return rows


def is_bounded(net: Network, domain: Domain, code: NDArray[Any], facets: Sequence[FacetGeometry]) -> bool:
    """Whether the region of a code is bounded.

    Parameters
    ----------
    net, domain
        The network and the domain of the partition.
    code
        Activation code of the region, (N,).
    facets
        Facets of the region; only their sources are used.

    Notes
    -----
    Guarantee: exact. The outward normals g are formed in integers. The region is
    bounded if and only if they have full rank and no direction d satisfies all
    of ``g · d <= 0``, one of them strictly; one exact linear program decides that.
    """
    slopes = exact_slopes(net.layers, code)
    domain_rows = domain.rows()[0]
    rows: list[list[int] | list[Fraction]] = []
    for facet in facets:
        source = facet.sources[0]
        if source.kind == "unit":
            # At or below the knot the pre-activation is bounded from above, else from below.
            sign = 1 if int(code[source.index]) <= source.knot else -1
            rows.append([sign * entry for entry in slopes[source.index]])
        else:
            rows.append([Fraction(float(entry)) for entry in domain_rows[source.index]])
    if not rows or rank(rows) < net.latent_dim:
        return False
    objective = [-sum(column) for column in zip(*rows, strict=True)]
    cut = [[-entry for entry in row] for row in rows]
    solution = maximise(objective, [*rows, *cut], [0] * len(rows) + [1] * len(rows))
    return solution.status is LPStatus.OPTIMAL and solution.value == 0
