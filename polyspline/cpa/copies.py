"""Members of max groups that copy a neuron: ties that hold on whole regions, decided without rounding.

A max pool behind ReLUs compares values that are copies of the ReLUs' outputs. Where two of them
are off, the members are one constant, on the whole region; where one is on, their difference is the
ReLU's own pre-activation, so the group's knot and the ReLU's are one hyperplane. Both are seen
here from where the rows come from, not from their floats.
"""

from __future__ import annotations

from polyspline.cpa.row_space import RowSpace
from polyspline.cpa.tables import Tables
from solvers.compiled import NOTHING, ONE, ZERO, compiled_part
from solvers.predicates.rounding import ROUNDOFF, SMALLEST


@compiled_part
def trace_copies(t: Tables, layer: int, s: RowSpace) -> None:
    """Tell for every row of a layer which row it copies (`s.origin`), or which constant it is (`s.level`).

    The origin of a row that is no copy is the row itself; that of a constant is -1, and `s.maker` is
    then the unit whose flat piece made it so.
    """
    first = t.neuron_start[layer]
    for i in range(t.n_out[layer]):
        row = first + i
        s.origin[row] = row
        s.maker[row] = NOTHING
        source = t.copy_of[row]
        if source < 0:
            continue
        unit = t.neuron_unit[source]
        piece = s.code[unit] if unit >= 0 else ZERO
        if unit >= 0 and t.is_group[unit]:
            source += piece
        slope = t.slopes[source, piece]
        offset = t.offsets[source, piece]
        if slope == 1.0 and offset == 0.0:
            s.origin[row] = s.origin[source]
            s.level[row] = s.level[source]
            s.maker[row] = s.maker[source]
        elif slope == 0.0:
            s.origin[row] = NOTHING
            s.level[row] = offset
            s.maker[row] = unit


@compiled_part
def meeting_knot(t: Tables, one: int, other: int, s: RowSpace) -> int:
    """Knot of a scalar unit where a row that copies its pre-activation meets a constant one; -1 for none."""
    if s.origin[one] < 0:
        one, other = other, one
    if s.origin[one] < 0 or s.origin[other] >= 0:
        return NOTHING
    unit = t.neuron_unit[s.origin[one]]
    if unit < 0 or t.is_group[unit]:
        return NOTHING
    piece: int = s.code[unit]
    start: int = t.knot_start[unit]
    if piece > 0 and t.knots[start + piece - 1] == s.level[other]:
        return start + piece - 1
    if piece < t.n_pieces[unit] - 1 and t.knots[start + piece] == s.level[other]:
        return start + piece
    return NOTHING


@compiled_part
def same_function(one: int, other: int, s: RowSpace) -> bool:
    """Whether two rows are known to be one function: copies of one row, or constants."""
    if s.origin[one] != s.origin[other]:
        return False
    return bool(s.origin[one] >= 0 or s.level[one] == s.level[other])


@compiled_part
def _flips(t: Tables, unit: int, family: int, s: RowSpace) -> int:
    """Whether a unit changes its piece on crossing the knots of a family: 1 upwards, -1 downwards, else 0."""
    for index in range(t.twin_start[family], t.twin_start[family + 1]):
        twin = t.twins[index]
        if t.knot_unit[twin] == unit:
            if s.code[unit] == t.knot_low[twin]:
                return ONE
            if s.code[unit] == t.knot_high[twin]:
                return NOTHING
    return ZERO


@compiled_part
def _turn(t: Tables, unit: int, family: int, s: RowSpace) -> int:
    """Sign, beyond the knots of a family, of a unit's output less its value on them; 0 if it stays."""
    if unit < 0 or t.is_group[unit]:
        return ZERO
    up = _flips(t, unit, family, s)
    slope = t.slopes[t.unit_row[unit], s.code[unit] + up]
    if up == ZERO or slope == 0.0:
        return ZERO
    return up if slope > 0.0 else -up


@compiled_part
def piece_beyond(t: Tables, group: int, family: int, s: RowSpace) -> int:
    """Piece of a max group beyond the knots of a family, as far as copies tell; -1 if they do not.

    The members that are the maximum on the facet are the piece, its copies, and those that meet it
    on these very knots. Beyond, each stays at the value they share there, or leaves it upwards or
    downwards; two that leave it in one direction are not told apart.

    Parameters
    ----------
    t, s
        The network, and the region on this side with its copies traced.
    group
        The unit.
    family
        Of the knot that is crossed.
    """
    first = t.unit_row[group]
    mine = first + s.code[group]
    best = NOTHING
    best_turn = ZERO
    best_unit = NOTHING
    vague = False
    for member in range(t.n_pieces[group]):
        row = first + member
        if row != mine and not same_function(mine, row, s):
            knot = meeting_knot(t, mine, row, s)
            if knot < 0 or t.family[knot] != family:
                continue
        unit = s.maker[row] if s.origin[row] < 0 else t.neuron_unit[s.origin[row]]
        turn = _turn(t, unit, family, s)
        if best < 0 or turn > best_turn:
            best = member
            best_turn = turn
            best_unit = unit
            vague = False
        elif turn == best_turn and turn != 0 and unit != best_unit:
            vague = True
    return NOTHING if vague else best


@compiled_part
def _ends(t: Tables, j: int, s: RowSpace) -> None:
    """Tell which two functions the row in column j compares: `s.above` is at least `s.below` on the region.

    Rows of the network stand for themselves; behind them all, positions of knots, as `t.place` has them.
    """
    knot = s.knot[j]
    s.above[j] = NOTHING
    s.below[j] = NOTHING
    if knot < 0:
        return
    unit = t.knot_unit[knot]
    row = t.unit_row[unit]
    piece = s.code[unit]
    if t.is_group[unit]:
        other = t.knot_low[knot] + t.knot_high[knot] - piece
        s.above[j] = s.origin[row + piece]
        s.below[j] = s.origin[row + other]
    elif piece == t.knot_high[knot]:
        s.above[j] = s.origin[row]
        s.below[j] = t.place[knot]
    else:
        s.above[j] = t.place[knot]
        s.below[j] = s.origin[row]


@compiled_part
def _surely_apart(t: Tables, one: int, other: int, s: RowSpace) -> bool:
    """Whether two rows are proven not to be parallel: some 2 x 2 minor is beyond its error.

    Coefficient c of a row is off by at most its slack over ``radius_c``, so ``a' y' - a y`` is at most
    ``|a'| |y' - y| + |y| |a' - a|``. Two products and their difference are rounded by ``4 u`` of their
    sizes, and by a smallest subnormal each where they underflow, as those of the bound may.
    """
    for c in range(t.size):
        if t.radius[c] == 0.0:
            continue
        for d in range(c):
            if t.radius[d] == 0.0:
                continue
            a, b = s.rows[c, one], s.rows[d, one]
            x, y = s.rows[c, other], s.rows[d, other]
            first = s.slack[one]
            second = s.slack[other]
            error = (abs(a) + first / t.radius[c]) * second / t.radius[d] + abs(y) * first / t.radius[c]
            error += (abs(b) + first / t.radius[d]) * second / t.radius[c] + abs(x) * first / t.radius[d]
            rounding = 4.0 * ROUNDOFF * (abs(a * y) + abs(b * x))
            if abs(a * y - b * x) > 2.0 * (error + rounding) + 32.0 * SMALLEST:
                return True
    return False


@compiled_part
def _reaches(k: int, s: RowSpace) -> int:
    """First row of a chain of two rows or more from the upper end of row k to its lower one; -1 for none."""
    if s.entering[s.below[k]] == 1:
        return NOTHING  # a chain would have to end in another row
    begin: int = s.head[s.above[k]]
    while begin >= 0:
        if begin != k and s.below[begin] != s.below[k]:
            s.stamp[ZERO] += 1
            stamp = s.stamp[ZERO]
            depth = ZERO
            s.stack[depth] = s.below[begin]
            while depth >= 0:
                node = s.stack[depth]
                depth -= 1
                row = s.head[node]
                while row >= 0:
                    below = s.below[row]
                    if below == s.below[k]:
                        return begin
                    if s.visited[below] != stamp:
                        s.visited[below] = stamp
                        depth += 1
                        s.stack[depth] = below
                    row = s.following[row]
        begin = s.following[begin]
    return NOTHING


@compiled_part
def drop_implied(t: Tables, n: int, s: RowSpace) -> int:
    """Drop rows that are sums of others whatever the weights: v1 >= v3 where v1 >= v2 >= v3 are rows.

    Such a row touches the region where the others meet, a tie that floats would leave open. It is
    no facet, for on it the others vanish too and one of them is not parallel to it.

    Returns
    -------
    int
        The new number of rows; their order stays.
    """
    for j in range(n):
        _ends(t, j, s)
        if s.above[j] >= 0 and s.below[j] >= 0:
            s.head[s.above[j]] = NOTHING
            s.head[s.below[j]] = NOTHING
            s.entering[s.below[j]] = ZERO
    for j in range(n):
        if s.above[j] >= 0 and s.below[j] >= 0:
            s.following[j] = s.head[s.above[j]]
            s.head[s.above[j]] = j
            s.entering[s.below[j]] += 1
    kept = ZERO
    for j in range(n):
        implied = False
        if s.above[j] >= 0 and s.below[j] >= 0:
            begin = _reaches(j, s)
            implied = begin >= 0 and _surely_apart(t, j, begin, s)
        s.implied[j] = implied
    for j in range(n):
        if s.implied[j]:
            continue
        if kept < j:
            for c in range(t.size):
                s.rows[c, kept] = s.rows[c, j]
            s.slack[kept] = s.slack[j]
            s.flags[kept] = s.flags[j]
            s.spans[kept] = s.spans[j]
            s.knot[kept] = s.knot[j]
        kept += 1
    return kept
