"""Local search: the optimum of a region, then of a neighbour that is better, until none is.

Guarantee: heuristic in what it finds, but the point is never worse than the one it starts
from, and its distance is that of the network.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from polyspline.inversion.norms import Norm
from polyspline.inversion.pieces import Code, Piece, tables_of
from polyspline.inversion.problem import InversionProblem
from polyspline.inversion.tracker import into_domain
from solvers.clock import working_time
from solvers.predicates.rounding import ROUNDOFF
from solvers.qp.regression import Fit, fit_over_polyhedron

Floats = npt.NDArray[np.float64]

_ON_FACET = 1e-7
"""Distance from a facet, in half-widths of the domain, within which a point is on it."""

_BEYOND = (1e-6, 1e-4)
"""How far beyond a facet to look for the code there, in half-widths of the domain."""

_NEARLY_MET = 1e-5
"""Distance, relative to ``1 + norm(target)``, below which a point is refined to the last bit."""

_STEPS = 6
"""Refinements of one kind, at most."""

_BITS = (50, 48, 44, 40, 36, 30, 24)
"""Numbers of significant bits that a latent point may have been given with."""

_LEAPS = 20
"""Gauss-Newton steps, at most."""

_LENGTHS = np.array([1.0, 0.7, 0.5, 0.35, 0.25, 0.12, 0.06, 0.03, 0.01])
"""Fractions of a Gauss-Newton step that are tried."""

_PROGRESS = 0.98
"""Factor by which a leap must shorten the distance for another one to be worth while."""

_NEARER = 1.0 - 1e-12
"""Factor by which another region must shorten it: less is rounding."""

_RIDGE = 1e-12
"""Relative weight that keeps the normal equations solvable where the map is not injective."""


def improve(
    problem: InversionProblem, z: npt.ArrayLike, *, max_moves: int = 200, seconds_left: float = np.inf
) -> Floats:
    """Walk from a point across facets to a region whose neighbours are no better.

    Parameters
    ----------
    problem
        What is inverted.
    z
        Where to start, (S,), finite; moved into the domain if it is not there.
    max_moves
        Limit on the regions walked through.
    seconds_left
        Wall time after which it stops with what it has.

    Returns
    -------
    ndarray of float64, shape (S,)
        Point of the domain, no farther than the one it started from.

    Notes
    -----
    Guarantee: the distance of the result, recomputed from the network, is at most that of the
    start. That no neighbour is better is up to the tolerances of floats.

    Algorithm: Gauss-Newton steps as long as they shorten the distance much, whatever facets they
    cross; then minimise the norm over the closed region of the point; the units whose knots are
    met there name its neighbours (each flip alone, all together, and the codes found just
    beyond, straight ahead and downhill); go on from the first one whose optimum is nearer.
    No region is tried twice, so it ends. A residual that all but vanishes is then refined to
    the last bits.

    References
    ----------
    Max-affine spline insights, section 4.1 and Prop. 4.
    """
    walk = _Walk(problem, np.asarray(z, dtype=np.float64), seconds_left)
    if np.isfinite(walk.distance):
        walk.leap()
        walk.descend(max_moves)
        walk.refine()
    return walk.z


class _Walk:
    """A point, its distance and the regions that have been tried."""

    def __init__(self, problem: InversionProblem, z: Floats, seconds_left: float) -> None:
        self.problem = problem
        self.tables = tables_of(problem.scalar_layers)
        self.lo, self.hi = problem.domain.bounds()
        self.half = self.hi / 2.0 - self.lo / 2.0
        self.rows = _rows_of(problem)
        self.until = working_time() + seconds_left
        self.tried: set[bytes] = set()
        self.z = into_domain(problem.domain, z)
        self.distance = problem.distance(self.z)

    def leap(self) -> None:
        """Gauss-Newton steps far across facets, while they make the distance much smaller."""
        for _ in range(_LEAPS):
            slope, offset = self.tables.affine(self._code())
            step = self.half * self._gauss_newton(slope, offset)
            points = np.clip(self.z + _LENGTHS[:, None] * step, self.lo, self.hi)
            before = self.distance
            if not (self._best(points) and self.distance < _PROGRESS * before):
                return

    def descend(self, max_moves: int) -> None:
        """Go from region to region while a nearer optimum is found."""
        code = self._code()
        piece, fit = self._settle(code, None)
        if fit.point is not None:
            self._move(fit.point)
        for _ in range(max_moves):
            for candidate in self._neighbours(code, piece, fit):
                if self.distance == 0.0 or working_time() >= self.until:
                    return
                if candidate.tobytes() in self.tried:
                    continue
                other, found = self._settle(candidate, (piece, fit))
                if self._take(found):
                    code, piece, fit = candidate, other, found
                    break
            else:
                return

    def _code(self) -> Code:
        return np.asarray(self.tables.codes(self.z[None])[0])

    def _settle(self, code: Code, before: tuple[Piece, Fit] | None) -> tuple[Piece, Fit]:
        """Optimum of the closed region of a code, which counts as tried."""
        self.tried.add(code.tobytes())
        piece = self.tables.piece(code, *self.rows)
        start = None
        if before is not None and len(before[0].rows) == len(piece.rows):
            start = before[1]
        fit = fit_over_polyhedron(
            piece.slope,
            piece.offset - self.problem.target,
            piece.rows,
            piece.above,
            self.lo,
            self.hi,
            self.problem.norm.order,
            g=piece.below,
            start=start,
        )
        return piece, fit

    def _take(self, fit: Fit) -> bool:
        """Move to the optimum of a region if it is nearer."""
        return fit.point is not None and self._move(fit.point, _NEARER)

    def _move(self, point: Floats, factor: float = 1.0) -> bool:
        point = into_domain(self.problem.domain, point)
        distance = self.problem.distance(point)
        if not distance < factor * self.distance:
            return False
        self.z, self.distance = point, distance
        return True

    def _best(self, points: Floats) -> bool:
        """Move to the nearest of several points, unless none is nearer than where it is."""
        points = points[np.asarray(self.problem.domain.contains(points))]
        return len(points) > 0 and self._move(points[int(np.argmin(self.problem.distances(points)))])

    def _neighbours(self, code: Code, piece: Piece, fit: Fit) -> Iterator[Code]:
        """Codes of regions about the point, the most promising first; some are named twice."""
        rows = piece.rows * self.half
        length = Norm.L2.rows(rows)
        value = piece.rows @ self.z
        unit = piece.owners >= 0
        met_high = unit & (piece.above - value <= _ON_FACET * length)
        met_low = unit & (value - piece.below <= _ON_FACET * length)
        active = np.flatnonzero(met_low | met_high)
        if not len(active):
            return
        side = np.where(met_high[active], 1, -1)
        with np.errstate(all="ignore"):  # a weight that overflows only comes first
            weight = np.abs(fit.multipliers[len(self.z) :][active]) * length[active]
        order = np.argsort(-weight, kind="stable")
        active, side, weight = active[order], side[order], weight[order]
        owners = piece.owners[active]
        with np.errstate(all="ignore"):  # normals that overflow or vanish are not finite, and left out
            normals = side[:, None] * rows[active] / length[active, None]
            # The multipliers are the forces with which the facets hold the point back.
            downhill = np.array([self._gauss_newton(piece.slope, piece.offset), weight @ normals])
            downhill /= Norm.L2.rows(downhill)[:, None]
            downhill = np.where(np.isfinite(downhill), downhill, 0.0)
        yield from self._codes_along(downhill)
        pulling = weight > 1e-9 * weight.max(initial=0.0)
        flips = np.repeat(code[None], len(active), axis=0)
        flips[np.arange(len(active)), owners] += side
        for several in (pulling, np.ones(len(active), dtype=np.bool_)):
            flipped = code.copy()
            flipped[owners[several]] += side[several]
            yield flipped
        yield from flips
        yield from self._codes_along(np.concatenate([normals, downhill.sum(axis=0) + normals]))

    def _codes_along(self, ways: Floats) -> Code:
        """Codes just beyond the point in given directions."""
        ways = ways[np.isfinite(ways).all(axis=1)]
        points = np.concatenate([self.z + step * ways * self.half for step in _BEYOND])
        return self.tables.codes(np.clip(points, self.lo, self.hi))

    def _gauss_newton(self, slope: Floats, offset: Floats) -> Floats:
        """Step to the least squares of an affine map, in half-widths of the domain."""
        with np.errstate(all="ignore"):  # a step that overflows is not finite, and none
            residual = slope @ self.z + offset - self.problem.target
            slope = slope * self.half
            largest = float(np.abs(slope).max()) or 1.0
            slope, residual = slope / largest, residual / largest
            square = slope.T @ slope
            ridge = (_RIDGE * float(np.trace(square)) or 1.0) * np.eye(len(square))
            try:
                return np.asarray(np.linalg.solve(square + ridge, -(slope.T @ residual)), dtype=np.float64)
            except np.linalg.LinAlgError:
                return np.zeros(len(square))

    def refine(self) -> None:
        """Bring a residual that all but vanishes down to the rounding of the network."""
        scale = 1.0 + self.problem.norm.of(self.problem.target)
        if self.distance > _NEARLY_MET * scale:
            return
        least = ROUNDOFF * scale
        for _ in range(_STEPS):
            if self.distance <= least or not self._newton():
                break
        for _ in range(_STEPS):
            if self.distance <= least or not self._nearby():
                break

    def _newton(self) -> bool:
        """One step to where the map about the point meets the target; whether it came nearer."""
        slope, _ = self.tables.affine(self._code())
        residual = self.problem.target - self.problem.image(self.z)
        try:
            step = np.linalg.lstsq(slope * self.half, residual, rcond=None)[0]
        except np.linalg.LinAlgError:
            return False
        return self._move(self.z + self.half * step)

    def _nearby(self) -> bool:
        """Try points that differ by roundings; whether one is nearer."""
        width = len(self.z)
        ulp = np.spacing(self.z)
        steps = np.concatenate([k * np.diag(ulp) for k in (-4, -2, -1, 1, 2, 4)])
        exponent = 2.0 ** np.frexp(self.z)[1]
        shorter = [np.round(self.z / exponent * 2.0**bits) / 2.0**bits * exponent for bits in _BITS]
        points = np.concatenate([self.z + steps, np.array(shorter).reshape(-1, width)])
        return self._best(points)


def _rows_of(problem: InversionProblem) -> tuple[Floats, Floats]:
    """Rows of the domain that are not those of its enclosing box."""
    G, h = problem.domain.rows()
    slanted = np.count_nonzero(G, axis=1) > 1
    return G[slanted], h[slanted]
