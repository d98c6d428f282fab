"""The redundancy kernels at the edge: what they decide is true of every row within the stated slack.

Rows are floats; the true rows are any that differ from them by as much as the slack allows, taken as
fractions and at its extremes. Exact linear programs tell what is a facet. Bounds are checked
against fractions without tolerance.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from solvers.compiled import NOTHING, ZERO, compiled, larger, smaller, typed
from solvers.lp import redundancy
from solvers.lp.cone import FACET, REDUNDANT, UNDECIDED, System, Workspace, strictly_inside, workspace
from solvers.lp.exact import maximise
from solvers.lp.frame import polarise, section_room
from solvers.lp.redundancy import ROWS_UNDECIDED, decide_rows
from solvers.lp.ties import CENTRAL, INTEGRAL, tie_is_redundant
from solvers.status import LPStatus

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Row = list[Fraction]

U = Fraction(1, 2**53)
NONE = np.empty(0, np.int64)
DECIDE, POLARISE, BOUND, DISCARD, TIE, INSIDE, EXTREMES = range(7)


@compiled
def kernel(what: int, system: System, n: int, most: float, w: Workspace) -> tuple[int, float, float]:
    """Doorway to the parts: an outcome, and two numbers."""
    if what == DECIDE:
        return decide_rows(system, n, NOTHING, w), 0.0, 0.0
    if what == EXTREMES:
        return ZERO, larger(w.point[0], w.point[1]), smaller(w.point[0], w.point[1])
    if what == INSIDE:
        holds = strictly_inside(system.rows, system.slack, n, w.point, most, NOTHING, w.value)
        return int(holds), 0.0, 0.0
    if what == TIE:
        redundant = tie_is_redundant(
            system.rows, system.slack, system.flags, system.spans, system.unit, system.radius,
            w.value, ZERO, w.support, int(most), w.ties,
        )  # fmt: skip
        return int(redundant), 0.0, 0.0
    if what == POLARISE:
        strictly_inside(system.rows, system.slack, n, w.point, 1.0, NOTHING, w.value)
        polarise(system.rows, n, w)
        return ZERO, section_room(system, most, w), 0.0
    if what == DISCARD:
        return redundancy._discard_by_box(n, system.slack, most, w), 0.0, 0.0
    value, residual = redundancy._bound(system.slack, most, w)
    return ZERO, value, residual


def call(what: int, system: System, n: int, most: float, w: Workspace) -> tuple[int, float, float]:
    """Call the kernel with one set of types."""
    return kernel(typed(what), system, typed(n), float(most), w)


def least_slack(rows: Floats, radius: Floats) -> Floats:
    """The least slack that rows may have: four times the rounding of an evaluation."""
    with np.errstate(over="ignore", invalid="ignore"):
        return 4.0 * (len(rows) + 4) * 2.0**-53 * (np.abs(rows).T @ radius) * (1.0 + 1e-6)


def system_of(rows: Floats, slack: Floats, *, bounded: bool, half: float = 1.0) -> System:
    """Rows without flags; of a bounded domain within +-half."""
    size, count = rows.shape
    radius = np.append(np.full(size - 1, 2.0 * half), 1.0) if bounded else np.ones(size)
    slack = np.maximum(slack, least_slack(rows, radius))
    flags = np.zeros(count, np.int64)
    return System(rows, slack, flags, np.full(count, size - 1), 1.0, radius, bounded)


def decide(system: System, point: Floats) -> Integers:
    """State of every row; nothing is decided where the witness is not proven."""
    size, count = system.rows.shape
    w = workspace(count, size)
    w.point[:] = point
    outcome, _, _ = call(DECIDE, system, count, 0.0, w)
    if outcome not in (redundancy.DECIDED, ROWS_UNDECIDED):
        return np.full(count, UNDECIDED)
    return w.state.copy()


def fractions(rows: Floats) -> list[Row]:
    """The rows of (C, n), one after the other."""
    return [[Fraction(entry) for entry in row] for row in rows.T.tolist()]


def budget(system: System, j: int) -> Fraction:
    """How far the true row may be from row j on the reach, its slack being for an evaluation too."""
    size = sum(
        (abs(Fraction(a)) * Fraction(r) for a, r in zip(system.rows[:, j], system.radius, strict=True)),
        Fraction(0),
    )
    return Fraction(system.slack[j]) - (len(system.rows) + 1) * U * size


def least_value(k: int, rows: list[Row], *, bounded: bool) -> tuple[Fraction, Row]:
    """Least value of row k where the others are not negative, and where."""
    size = len(rows[0])
    others = [[-entry for entry in row] for j, row in enumerate(rows) if j != k]
    if bounded:
        # Row k itself stays above a negative number, so that there is an optimum.
        others.append([-entry for entry in rows[k]])
        sides = [-row[-1] for row in others[:-1]] + [1 - others[-1][-1]]
        best = maximise([-entry for entry in rows[k][:-1]], [row[:-1] for row in others], sides)
        assert best.value is not None
        assert best.point is not None
        return rows[k][-1] - best.value, [*best.point, Fraction(1)]
    cube = [[Fraction(sign * (c == i)) for c in range(size)] for i in range(size) for sign in (1, -1)]
    sides = [Fraction(0)] * len(others) + [Fraction(1)] * len(cube)
    best = maximise([-entry for entry in rows[k]], others + cube, sides)
    assert best.status is LPStatus.OPTIMAL
    assert best.value is not None
    assert best.point is not None
    return -best.value, list(best.point)


def moved(system: System, rows: list[Row], shares: list[Fraction], at: Row) -> list[Row]:
    """True rows whose value at a point is off by shares of the budget, in one coefficient."""
    if system.bounded:
        place, sign = len(at) - 1, 1
    else:
        place = max(range(len(at)), key=lambda c: abs(at[c]))
        sign = 1 if at[place] > 0 else -1
    out = [list(row) for row in rows]
    for j, share in enumerate(shares):
        out[j][place] += sign * share * budget(system, j)
    return out


def scattered(system: System, rows: list[Row], rng: np.random.Generator) -> list[Row]:
    """True rows with all coefficients off, by a budget in total."""
    out = []
    for j, row in enumerate(rows):
        weights = rng.exponential(size=len(row)) * rng.choice([-1.0, 1.0], len(row))
        total = sum((abs(Fraction(weight)) for weight in weights), Fraction(0))
        room = budget(system, j)
        out.append(
            [
                entry + Fraction(weight) * room / total / Fraction(radius)
                for entry, weight, radius in zip(row, weights, system.radius, strict=True)
            ]
        )
    return out


def assert_true(system: System, state: Integers, rng: np.random.Generator) -> None:
    """Check every decision against the true rows that are most against it, and against others."""
    rows = fractions(system.rows)
    for k in range(len(rows)):
        if state[k] == UNDECIDED:
            continue
        redundant = state[k] == REDUNDANT
        _, at = least_value(k, rows, bounded=system.bounded)
        against = [Fraction(-1 if (j == k) == redundant else 1) for j in range(len(rows))]
        for true in (moved(system, rows, against, at), scattered(system, rows, rng)):
            least, _ = least_value(k, true, bounded=system.bounded)
            assert (least >= 0) == redundant, f"row {k} is called {state[k]}"


# --- families of rows -------------------------------------------------------------------------


def box_with(dim: int, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Rows (dim + 1, m) of the unit box and `count` random ones, and a point inside."""
    point = rng.uniform(-0.3, 0.3, dim)
    slopes = rng.normal(size=(dim, count))
    offsets = rng.uniform(0.3, 1.5, count) - point @ slopes
    box = np.hstack([np.eye(dim), -np.eye(dim)])
    rows = np.vstack([np.hstack([box, slopes]), np.append(np.ones(2 * dim), offsets)])
    return rows, np.append(point, 1.0)


def touching(rows: Floats, normal: Floats, rng: np.random.Generator) -> tuple[float, dict[int, Fraction]]:
    """Offset with which a row of that normal touches the polytope, and the multipliers there."""
    table = [[-entry for entry in row[:-1]] for row in fractions(rows)]
    best = maximise([-Fraction(entry) for entry in normal], table, [row[-1] for row in fractions(rows)])
    assert best.value is not None
    return float(best.value), best.multipliers


def with_tangents(dim: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Rows that miss or cut a vertex by shares of what flips the answer; rows, slack, point."""
    rows, point = box_with(dim, 2 * dim, rng)
    slack = 10.0 ** rng.uniform(-13.0, -7.0, rows.shape[1])
    # The own slack and those of the others are the larger in turn.
    for _ in range(4):
        normal = rng.normal(size=dim)
        if rng.random() < 0.3:
            facet = int(rng.integers(rows.shape[1]))
            normal = -rows[:-1, facet] * (1.0 + 0.0 * normal) + 10.0 ** rng.uniform(-9, -2) * normal
            normal = -normal
        offset, multipliers = touching(rows, normal, rng)
        own = 10.0 ** rng.uniform(-13.0, -7.0)
        flips = own + sum(float(lam) * slack[j] for j, lam in multipliers.items())
        shift = flips * rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(-0.7, 0.7)
        rows = np.hstack([rows, np.append(normal, offset + shift)[:, None]])
        slack = np.append(slack, own)
    return rows, slack, point


def thin(dim: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """A slab a few slacks wide, askew, cut by rows about as near."""
    rows, _ = box_with(dim, dim, rng)
    rows[-1] = np.where(np.arange(rows.shape[1]) >= 2 * dim, rows[-1] + 1.0, rows[-1])
    normal = rng.normal(size=dim)
    normal /= np.linalg.norm(normal)
    width = 10.0 ** rng.uniform(-9.0, -2.0)
    extra = [np.append(normal, width), np.append(-normal, width)]
    for _ in range(3):
        tilt = normal + width * rng.normal(size=dim) * 10.0 ** rng.uniform(-1, 1)
        extra.append(np.append(rng.choice([-1.0, 1.0]) * tilt, width * rng.uniform(0.5, 3.0)))
    rows = np.hstack([rows, np.array(extra).T])
    slack = np.full(rows.shape[1], width * 10.0 ** rng.uniform(-6.0, -1.0))
    return rows, slack, np.append(np.zeros(dim), 1.0)


def near_parallel(dim: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Rows beside those there are, tilted and moved by about their slack; scales far apart."""
    rows, point = box_with(dim, dim + 1, rng)
    slack = np.full(rows.shape[1], 10.0 ** rng.uniform(-14.0, -9.0))
    for _ in range(4):
        j = int(rng.integers(2 * dim + dim + 1))
        step = slack[j] * 10.0 ** rng.uniform(-1.0, 2.0)
        twin = rows[:, j] + step * rng.normal(size=dim + 1)
        rows = np.hstack([rows, twin[:, None]])
        slack = np.append(slack, slack[j])
    scale = 2.0 ** rng.integers(-40, 41, rows.shape[1])
    return rows * scale, slack * scale, point


FAMILIES = {"tangent": with_tangents, "thin": thin, "parallel": near_parallel}


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("bounded", [True, False], ids=["bounded", "cone"])
def test_decisions_are_true_of_all_rows_within_the_slack(family: str, dim: int, bounded: bool) -> None:
    decided = 0
    for seed in range(16 if dim < 4 else 8):
        rng = np.random.default_rng([seed, dim, len(family)])
        rows, slack, point = FAMILIES[family](dim, rng)
        system = system_of(rows, slack, bounded=bounded)
        if not bounded:
            point = point / np.abs(point).max()
        state = decide(system, point)
        decided += int(np.count_nonzero(state != UNDECIDED))
        assert_true(system, state, rng)
    assert decided > 0


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_one_row_slides_past_a_vertex(dim: int, seed: int) -> None:
    """The answer goes from facet to undecided to redundant, and is undecided wherever it could flip."""
    rng = np.random.default_rng([seed, dim, 99])
    rows, point = box_with(dim, 2, rng)
    normal = rng.normal(size=dim)
    offset, multipliers = touching(rows, normal, rng)
    slack = np.full(rows.shape[1], 1e-9)
    heavy = seed % 3
    own = [1e-9, 1e-13, 1e-6][heavy]
    flips = own + sum(float(lam) * 1e-9 for lam in multipliers.values())
    seen = []
    wide = 1e-3 / flips
    for share in (-wide, -1.05, -0.95, -0.5, 0.0, 0.5, 0.95, 1.05, wide):
        beside = np.hstack([rows, np.append(normal, offset + share * flips)[:, None]])
        system = system_of(beside, np.append(slack, own), bounded=True)
        state = int(decide(system, point)[-1])
        seen.append(state)
        if abs(share) < 1.0:
            assert state == UNDECIDED
    assert seen[0] == FACET
    assert seen[-1] == REDUNDANT


# --- the bounds themselves --------------------------------------------------------------------


def framed(dim: int, rng: np.random.Generator, *, bounded: bool, along: bool) -> tuple[System, Workspace]:
    """A system with least slack, a witness and a frame: along the axes, or far from independent."""
    rows, point = box_with(dim, 3 * dim, rng)
    rows[:-1] *= 2.0 ** rng.integers(-3, 4, dim)[:, None]
    point[:-1] /= 8.0
    half = 1.0
    system = system_of(rows, np.zeros(rows.shape[1]), bounded=bounded, half=half)
    w = workspace(rows.shape[1], dim + 1)
    w.point[:] = point
    w.frame[:] = 0.0
    if along:
        w.frame[:, :-1] = np.diag(rng.uniform(0.1, 2.0, dim))
    else:
        lead = rng.normal(size=dim)
        w.frame[:, :-1] = np.outer(rng.normal(size=dim) * 10.0, lead) + rng.normal(size=(dim, dim))
        if not bounded:
            w.frame[:, -1] = rng.normal(size=dim)
    return system, w


@pytest.mark.parametrize("bounded", [True, False], ids=["bounded", "cone"])
@pytest.mark.parametrize("along", [True, False], ids=["axes", "stretched"])
@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_polar_rows_differ_from_true_rows_by_the_room_at_most(bounded: bool, along: bool, dim: int) -> None:
    for seed in range(12):
        rng = np.random.default_rng([seed, dim, along, bounded])
        system, w = framed(dim, rng, bounded=bounded, along=along)
        count = system.rows.shape[1]
        most = 1.0 if along else 300.0
        _, room, _ = call(POLARISE, system, count, most, w)
        rows = fractions(system.rows)
        frame = [[Fraction(entry) for entry in axis] for axis in w.frame.tolist()]
        witness = [Fraction(entry) for entry in w.point.tolist()]
        for _ in range(6):
            u = rng.uniform(-1.0, 1.0, dim)
            if not along:  # the frame is nearly dependent: u is long and what it spans is short
                u = np.linalg.svd(w.frame.T)[2][-1] * most * rng.uniform(0.1, 0.99)
            if bounded and np.abs(w.point[:-1] + u @ w.frame[:, :-1]).max() > 1.0:
                u *= 0.4 / np.abs(u @ w.frame[:, :-1]).max()
            span = [Fraction(entry) for entry in u.tolist()]
            at = [
                p + sum((s * axis[c] for s, axis in zip(span, frame, strict=True)), Fraction(0))
                for c, p in enumerate(witness)
            ]
            assert all(abs(x) <= Fraction(r) for x, r in zip(at, system.radius, strict=True)) or not bounded
            for share in (Fraction(-1), Fraction(1)):
                true = moved(system, rows, [share] * count, at)
                for j in range(count):
                    value = Fraction(float(w.value[j]))
                    polar = sum(
                        (s * Fraction(g) for s, g in zip(span, w.polar[:, j].tolist(), strict=True)),
                        Fraction(0),
                    )
                    exact = sum((a * x for a, x in zip(true[j], at, strict=True)), Fraction(0))
                    off = abs(exact - value * (1 - polar))
                    assert off <= Fraction(room) * Fraction(float(system.slack[j]))


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 8])
def test_the_bound_of_a_program_holds_for_any_multipliers(dim: int) -> None:
    for seed in range(40):
        rng = np.random.default_rng([seed, dim])
        count = dim + 3
        w = workspace(count, dim + 1)
        w.lp.rows[:] = 0.0
        scale = 10.0 ** rng.uniform(-6, 6, count)
        slack = np.where(rng.random(count) < 0.5, 0.0, 10.0 ** rng.uniform(-16, -3, count))
        polar = rng.normal(size=(count, dim)) * scale[:, None]
        for j in range(count):
            w.found[j] = j
            w.lp.rows[j >> 2, :, j & 3] = polar[j]
        w.value[:] = 10.0 ** rng.uniform(-3, 3, count)
        basis = rng.permutation(count)[:dim]
        w.lp.basis[:] = basis
        lam = rng.normal(size=dim) / scale[basis]
        w.lp.lam[:dim] = lam
        positive = np.maximum(lam, 0.0)
        # Targets that the multipliers meet but for rounding, and others.
        w.lp.target[:] = positive @ polar[basis] + (seed % 2) * rng.normal(size=dim)
        system = system_of(np.ones((dim + 1, count)), np.zeros(count), bounded=True)._replace(slack=slack)
        room = 1.5
        _, value, residual = call(BOUND, system, count, room, w)
        total = Fraction(0)
        for i, j in enumerate(basis.tolist()):
            share = Fraction(room) * Fraction(float(slack[j])) / Fraction(float(w.value[j]))
            total += Fraction(float(positive[i])) * (1 + share)
        left = Fraction(0)
        for c in range(dim):
            parts = (
                Fraction(float(positive[i])) * Fraction(float(polar[j, c]))
                for i, j in enumerate(basis.tolist())
            )
            left += abs(Fraction(float(w.lp.target[c])) - sum(parts, Fraction(0)))
        assert Fraction(value) >= total
        assert Fraction(residual) >= left


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_rows_are_discarded_by_a_box_only_if_all_true_rows_are_positive_on_it(dim: int) -> None:
    discarded = kept = 0
    for seed in range(30):
        rng = np.random.default_rng([seed, dim])
        count = 40
        w = workspace(count, dim + 1)
        w.low[:], w.high[:] = -rng.uniform(0.1, 2.0, dim), rng.uniform(0.1, 2.0, dim)
        w.value[:] = 10.0 ** rng.uniform(-3, 3, count)
        slack = w.value * 10.0 ** rng.uniform(-15, -1, count)
        room = 1.5
        directions = rng.normal(size=(dim, count))
        reach = (np.maximum(directions * w.low[:, None], directions * w.high[:, None])).sum(axis=0)
        # The largest value on the box is one but for about the room.
        goal = 1.0 - room * slack / w.value * rng.choice([0.5, 0.99, 1.01, 3.0], count)
        w.polar[:] = directions * (np.maximum(goal, 0.01) / reach)
        w.state[:] = UNDECIDED
        system = system_of(np.ones((dim + 1, count)), np.zeros(count), bounded=True)._replace(slack=slack)
        call(DISCARD, system, count, room, w)
        for j in range(count):
            top = sum(
                (
                    max(Fraction(float(g)) * Fraction(float(low)), Fraction(float(g)) * Fraction(float(high)))
                    for g, low, high in zip(w.polar[:, j], w.low, w.high, strict=True)
                ),
                Fraction(0),
            )
            margin = Fraction(room) * Fraction(float(slack[j])) / Fraction(float(w.value[j]))
            if w.state[j] == REDUNDANT:
                assert top + margin < 1
                discarded += 1
            else:
                kept += 1
    assert discarded > 0
    assert kept > 0


def test_values_at_a_point_prove_nothing_within_the_slack_nor_beyond_the_range() -> None:
    rows = np.array([[0.0, 0.0], [1.0, 1.0]])
    system = system_of(rows, np.full(2, 1e-9), bounded=True)
    w = workspace(2, 2)
    w.point[:] = [0.0, 1.0]
    cases = [(2e-9, True), (1e-9, False), (1e-300, False), (5e-324, False), (1e290, False)]
    cases += [(np.inf, False), (np.nan, False), (-1.0, False)]
    for value, expected in cases:
        slack = np.array([1e-9, 1e-9 if value >= 1e-9 else 0.0])
        given = system._replace(rows=np.array([[0.0, 0.0], [1.0, value]]), slack=slack)
        assert bool(call(INSIDE, given, 2, 1.0, w)[0]) is expected, value
    for slack_of_one in (np.inf, np.nan):
        given = system._replace(slack=np.array([slack_of_one, 0.0]))
        assert call(INSIDE, given, 2, 1.0, w)[0] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.parametrize("bounded", [True, False], ids=["bounded", "cone"])
@pytest.mark.parametrize("where", ["coefficient", "offset", "slack", "point"])
def test_nan_and_overflow_decide_nothing(bad: float, bounded: bool, where: str) -> None:
    rng = np.random.default_rng(5)
    rows, point = box_with(3, 6, rng)
    slack = np.full(rows.shape[1], 1e-12)
    if where == "coefficient":
        rows[1, 7] = bad
    elif where == "offset":
        rows[-1, 7] = bad
    elif where == "slack":
        slack[7] = abs(bad)
    else:
        point[1] = bad
    system = system_of(rows, slack, bounded=bounded)
    assert set(decide(system, point).tolist()) == {UNDECIDED}


@pytest.mark.parametrize("first", [-1.0, 0.0, 2.0, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("second", [-1.0, 0.0, 2.0, np.inf, -np.inf, np.nan])
def test_maxima_and_minima_in_kernels_are_nan_where_either_argument_is(first: float, second: float) -> None:
    w = workspace(2, 2)
    w.point[:] = [first, second]
    system = system_of(np.ones((2, 2)), np.zeros(2), bounded=True)
    _, most, least = call(EXTREMES, system, 2, 0.0, w)
    np.testing.assert_array_equal([most, least], [np.maximum(first, second), np.minimum(first, second)])


@pytest.mark.parametrize("power", [-70, -40, 0, 10, 40, 70])
def test_the_slack_of_a_cone_grows_with_the_point(power: int) -> None:
    """A row within its slack at a point is within it at all multiples, and outside at none."""
    rng = np.random.default_rng(7)
    rows, point = box_with(2, 3, rng)
    point /= np.abs(point).max()
    rows = np.column_stack([rows, rows[:, 0] - point * (rows[:, 0] @ point) / (point @ point)])
    for share, proven in ((0.5, False), (0.99, False), (3.0, True)):
        rows[:, -1] += point * (share * 1e-6 - rows[:, -1] @ point) / (point @ point)
        system = system_of(rows, np.full(rows.shape[1], 1e-6), bounded=False)
        state = decide(system, point * 2.0**power)
        assert bool((state != UNDECIDED).any()) is (proven and abs(power) < 64)


# --- ties -------------------------------------------------------------------------------------


def tie(rows: Floats, flags: Integers, unit: float, slack: Floats, spans: Integers | None = None) -> bool:
    """Whether row 0 is proven to be a positive combination of the others; the witness is (0, ..., 1)."""
    size, count = rows.shape
    system = System(
        rows,
        slack,
        flags,
        np.full(count, size - 1) if spans is None else spans,
        unit,
        np.ones(size),
        True,
    )
    w = workspace(count, size)
    w.value[:] = np.abs(rows).sum(axis=0)
    support = np.zeros(max(size, count), np.int64)
    support[: count - 1] = np.arange(1, count)
    w = w._replace(support=support)
    return bool(call(TIE, system, count, count - 1, w)[0])


def test_an_integer_tie_is_decided_as_fractions_have_it() -> None:
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(2, 6))
        count = int(rng.integers(2, size + 1))
        support = rng.integers(-9, 10, (size, count)).astype(np.float64)
        weights = rng.integers(0 if seed % 3 else 1, 4, count)
        row = support @ weights
        if seed % 5 == 0:
            row[int(rng.integers(size))] += rng.choice([-1.0, 1.0])
        rows = np.column_stack([row, support])
        flags = np.full(count + 1, INTEGRAL)
        if tie(rows, flags, 1.0, np.zeros(count + 1)):
            found += 1
            assert_positive_combination(support, row)
    assert found > 50


@pytest.mark.parametrize("big", [2.0**31, 2.0**40, 2.0**52, 2.0**53, 2.0**62, 2.0**63, 2.0**64, 2.0**70])
def test_integer_ties_of_any_size_do_not_wrap(big: float) -> None:
    """In int64 products of such numbers would wrap to what looks like a positive combination."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(2, 5))
        support = np.rint(rng.normal(size=(size, size)) * big)
        row = np.rint(rng.normal(size=size) * big)
        rows = np.column_stack([row, support])
        if tie(rows, np.full(size + 1, INTEGRAL), 1.0, np.zeros(size + 1)):
            assert_positive_combination(support, row)


@pytest.mark.parametrize("unit", [1.0, 2.0, 2.0**20])
def test_a_row_that_is_no_integer_after_scaling_is_not_taken_for_one(unit: float) -> None:
    """One third of a unit more, and the row is no combination any longer."""
    support = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    row = np.array([1.0, 1.0, 0.3 / unit])
    rows = np.column_stack([row, support])
    assert not tie(rows, np.full(3, INTEGRAL), unit, np.zeros(3))
    assert tie(np.column_stack([[1.0, 1.0, 0.0], support]), np.full(3, INTEGRAL), unit, np.zeros(3))


def assert_positive_combination(support: Floats, row: Floats) -> None:
    """Check in fractions that a row is the sum of independent ones with positive weights."""
    size, count = support.shape
    table = [[Fraction(entry) for entry in line] for line in np.column_stack([support, row]).tolist()]
    for p in range(count):
        chosen = next(r for r in range(p, size) if table[r][p] != 0)
        table[p], table[chosen] = table[chosen], table[p]
        pivot = table[p][p]
        table[p] = [entry / pivot for entry in table[p]]
        for r in range(size):
            if r != p:
                factor = table[r][p]
                table[r] = [a - factor * b for a, b in zip(table[r], table[p], strict=True)]
    assert all(line[-1] > 0 for line in table[:count])
    assert not any(line[-1] for line in table[count:])


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_tie_of_floats_is_proven_for_all_rows_within_the_slack(size: int) -> None:
    """Rows span all of space, so the true row is a combination; that the weights are positive is to prove."""
    proven = refused = 0
    for seed in range(150):
        rng = np.random.default_rng([seed, size])
        support = rng.normal(size=(size, size))
        weights = rng.uniform(0.1, 2.0, size)
        weights[0] = 10.0 ** rng.uniform(-12, -1)
        row = support @ weights
        rows = np.column_stack([row, support])
        slack = np.maximum(least_slack(rows, np.ones(size)), 10.0 ** rng.uniform(-14, -3))
        flags = np.full(size + 1, CENTRAL)
        if not tie(rows, flags, 1.0, slack, np.full(size + 1, size)):
            refused += 1
            continue
        proven += 1
        for share in (-1.0, 1.0):
            # Each entry may be off by the slack, as at the ends of the axes; towards a weight of no sign.
            inverse = np.linalg.inv(support)
            off = -np.sign(inverse[0]) * slack[0] * 0.999 * max(share, 0.0)
            tilt = np.outer(np.sign(inverse[0]), np.ones(size)) * slack[0] * 0.999
            assert_positive_combination(support + tilt * (share < 0.0), row + off)
    assert proven > 10
    assert refused > 10


def test_a_multiple_of_a_single_row_is_no_tie() -> None:
    """Its facet would be that of the other row, so it may well be one."""
    support = np.array([[1.0], [2.0], [1.0]])
    rows = np.column_stack([3.0 * support[:, 0], support])
    assert not tie(rows, np.full(2, INTEGRAL), 1.0, np.zeros(2))
    assert not tie(rows, np.full(2, CENTRAL), 1.0, np.full(2, 1e-13), np.full(2, 1))


@pytest.mark.parametrize("central", [True, False])
def test_fewer_rows_than_their_space_has_dimensions_prove_no_float_tie(central: bool) -> None:
    """The true row may leave their span by its slack."""
    support = np.array(
        [[1.0, 0.25], [0.5, 1.0], [0.0, 0.0]] if central else [[1.0, 0.25], [0.5, 1.0], [1.0, 1.0]]
    )
    rows = np.column_stack([support.sum(axis=1), support])
    flags = np.full(3, CENTRAL if central else 0)
    slack = np.full(3, 1e-13)
    assert not tie(rows, flags, 1.0, slack, np.full(3, 3 if central else 2))
    # In two dimensions through one point they span all.
    assert tie(rows[[0, 1, 2]], flags, 1.0, slack, np.full(3, 2)) is central
    # The largest of the subspaces counts.
    assert not tie(rows, flags, 1.0, slack, np.array([2, 2, 3]))


@pytest.mark.parametrize("bounded", [True, False], ids=["bounded", "cone"])
def test_the_box_holds_the_section_of_all_true_rows(bounded: bool) -> None:
    """Sections that reach much farther one way: what is not bounded by rows is bounded by no box."""
    rng = np.random.default_rng(3)
    for dim in (2, 3):
        for k in range(6, 40, 3):
            rows, _ = box_with(dim, dim, rng)
            lead = rng.normal(size=dim)
            lead /= np.linalg.norm(lead)
            width = 2.0**-k
            across = np.linalg.svd(lead[None, :])[2][1:]
            slab = [np.append(sign * axis, width) for axis in across for sign in (1.0, -1.0)]
            rows[-1] += 0.5
            end = np.append(-lead * (1.0 + rng.normal(size=dim) * width), 0.25)
            rows = np.hstack([rows, np.array([*slab, end]).T])
            system = system_of(rows, np.full(rows.shape[1], width * 2.0**-12), bounded=bounded)
            start = np.append(np.zeros(dim), 1.0)
            assert_true(system, decide(system, start), rng)
