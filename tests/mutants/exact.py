"""Faults in the solvers: proofs of facets and of redundancy, ties, exact programs, signs."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_CONE = "solvers/lp/cone.py"
_REDUNDANCY = "solvers/lp/redundancy.py"
_SHOOTING = "solvers/lp/shooting.py"
_FRAME = "solvers/lp/frame.py"
_TIES = "solvers/lp/ties.py"
_LP = "solvers/lp/exact.py"
_SIGNS = "solvers/predicates/signs.py"

_EDGE = ("tests/solvers/test_lp_at_the_edge.py",)
_LAWS = ("tests/solvers/test_exact_lp_laws.py",)
_PREDICATES = ("tests/solvers/test_predicates_and_polyhedra.py",)
_PENCILS = ("tests/agreement/test_pencils.py",)
_ZOO = ("tests/agreement/test_degenerate_zoo.py",)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "linear programs prove without slack",
        _CONE,
        "        good &= (out[j] > slack[j] * scale + _LEAST) & (out[j] < _MOST)",
        "        good &= (out[j] > _LEAST) & (out[j] < _MOST)",
        _EDGE,
        "computed rows count as true",
    ),
    Mutant(
        "the slack of a cone does not grow with the point",
        _CONE,
        "        good &= (out[j] > slack[j] * scale + _LEAST) & (out[j] < _MOST)",
        "        good &= (out[j] > slack[j] + _LEAST) & (out[j] < _MOST)",
        _EDGE,
        "far points have the slack of near ones",
    ),
    Mutant(
        "values below all products prove",
        _CONE,
        "        good &= (out[j] > slack[j] * scale + _LEAST) & (out[j] < _MOST)",
        "        good &= (out[j] > slack[j] * scale) & (out[j] < _MOST)",
        _EDGE,
        "what underflowed has a sign",
    ),
    Mutant(
        "probes and guesses prove without slack",
        _CONE,
        "        good &= out[j] > slack[j] * scale + _LEAST\n",
        "        good &= out[j] > _LEAST\n",
        _EDGE,
        "computed rows count as true",
    ),
    Mutant(
        "points beyond the reach have a slack",
        _CONE,
        "        good &= abs(x[c]) <= radius[c]",
        "        good &= abs(x[c]) <= _MOST",
        _EDGE,
        "the slack says nothing there",
    ),
    Mutant(
        "multipliers take rows for exact",
        _REDUNDANCY,
        "            value += lp.lam[i] * (1.0 + room * slack[j] / w.value[j])",
        "            value += lp.lam[i]",
        _EDGE,
        "the combining rows are off by their slack",
    ),
    Mutant(
        "multipliers leave no residual",
        _REDUNDANCY,
        "    return value * _safety(d) + _LEAST, residual * _safety(d) + _LEAST",
        "    return value * _safety(d) + _LEAST, _LEAST",
        _EDGE,
        "what the multipliers miss of the target counts for nothing",
    ),
    Mutant(
        "the residual is not rounded",
        _REDUNDANCY,
        "        residual += abs(left) + 8.0 * ROUNDOFF * (d + 2) * size",
        "        residual += abs(left)",
        _EDGE,
        "a residual of long sections rounds",
    ),
    Mutant(
        "the residual is not multiplied by the section",
        _REDUNDANCY,
        "            if value + residual * most + margin < 1.0 - _SPARE:",
        "            if value + residual + margin < 1.0 - _SPARE:",
        _EDGE,
        "long sections are as short as the frame",
    ),
    Mutant(
        "a redundant row is taken for exact",
        _REDUNDANCY,
        "            if value + residual * most + margin < 1.0 - _SPARE:",
        "            if value + residual * most < 1.0 - _SPARE:",
        _EDGE,
        "the row itself is off by its slack",
    ),
    Mutant(
        "the box discards rows without slack",
        _REDUNDANCY,
        "            if w.rate[j] * safety + room * slack[j] / w.value[j] < 1.0 - _SPARE:",
        "            if w.rate[j] * safety < 1.0 - _SPARE:",
        _EDGE,
        "the row itself is off by its slack",
    ),
    Mutant(
        "the box is as small as the multipliers say",
        _REDUNDANCY,
        "        w.low[c] -= spill * most\n        w.high[c] += spill * most\n",
        "        w.low[c] -= 0.0 * spill\n",
        _EDGE,
        "the residual of each side counts for nothing",
    ),
    Mutant(
        "a bound of an unbounded section is taken",
        _REDUNDANCY,
        "    if not most < (np.inf if bounded and attempt == 0 else presumed):",
        "    if not most < np.inf:",
        _EDGE,
        "the presumed size of the section is not proven",
    ),
    Mutant(
        "the room of a stretched frame is that along the axes",
        _FRAME,
        "    return (1.5 if along else 1.25 + 0.25 * q) * _ROUNDED",
        "    return 0.5 * _ROUNDED",
        _EDGE,
        "a row in the frame is off by more slacks",
    ),
    Mutant(
        "the room of a cone is that of its witness",
        _FRAME,
        "        return 1.5 * reach_of_frame(w, most) * _ROUNDED",
        "        return 0.1 * _ROUNDED",
        _EDGE,
        "the slack grows with the section's points",
    ),
    Mutant(
        "a ray that meets a row proves it a facet",
        _SHOOTING,
        "    if not inside_of_proven(system.rows, system.slack, n, probe, scale, m, w.rate):\n"
        "        return False\n",
        "",
        _EDGE,
        "the probe beyond the facet is not looked at",
    ),
    # ---- ties
    Mutant(
        "one row of the support makes a tie",
        _TIES,
        "    if count < 2 or count > size:",
        "    if count < 1 or count > size:",
        _EDGE,
        "a multiple of one row has its facet: rows of one family come once, and a lone support of an"
        " independent row fails the elimination",
        equivalent=True,
    ),
    Mutant(
        "products of the elimination may wrap",
        _TIES,
        "_ROOM = 2.0**61",
        "_ROOM = 2.0**80",
        _EDGE,
        "int64 wraps and the identity holds by chance",
    ),
    Mutant(
        "multipliers of any sign make a tie",
        _TIES,
        "        if (matrix[i, count] > 0) != (matrix[i, i] > 0) or matrix[i, count] == 0:\n",
        "        if matrix[i, count] == 0:\n",
        _EDGE,
        "a row that is a difference is a facet",
    ),
    Mutant(
        "positive by less than the error is positive",
        _TIES,
        "        if not s.lam[i] > bound:",
        "        if not s.lam[i] > 0.0:",
        _EDGE,
        "computed multipliers count as true",
    ),
    Mutant(
        "the columns of a tie are exact",
        _TIES,
        "            row_deviation += abs(product) + unit * room + row_norm * s.errors[j] + _LEAST",
        "            row_deviation += abs(product) + unit * room",
        _EDGE,
        "dependent columns count as independent",
    ),
    Mutant(
        "the multipliers of a tie carry no error",
        _TIES,
        "        spread += abs(s.lam[i]) * s.errors[i]\n",
        "",
        _EDGE,
        "the columns' errors count for nothing",
    ),
    Mutant(
        "the target of a tie is exact",
        _TIES,
        "    spread = target_error\n",
        "    spread = 0.0 * target_error\n",
        _EDGE,
        "the row itself is off by its slack",
    ),
    Mutant(
        "the residual of a tie is not rounded",
        _TIES,
        "        residual = larger(residual, abs(left) + unit * room + spread + _LEAST)",
        "        residual = larger(residual, abs(left) + spread + _LEAST)",
        _EDGE,
        "an exact target and exact columns leave a rounding",
    ),
    Mutant(
        "rows that are not central span as few dimensions",
        _TIES,
        "    if not central:\n        dimension += 1\n",
        "",
        _EDGE,
        "the offset is one dimension more",
    ),
    # ---- exact programs
    Mutant(
        "the entering row is not the first one met",
        _LP,
        "                if best is None or slack * best_rate < best_slack * rate:",
        "                if best is None or slack * best_rate > best_slack * rate:",
        _LAWS,
        "the next vertex is outside",
    ),
    Mutant(
        "a guess that refutes is believed",
        _LP,
        "        if min(weights) < 0 or side >= 0:\n            return None",
        "        if min(weights) < 0:\n            return None",
        ("tests/solvers/test_refutations.py", *_LAWS),
        "multipliers that prove nothing prove infeasibility",
    ),
    Mutant(
        "refuting weights may be negative",
        _LP,
        "        if min(weights) < 0 or side >= 0:\n            return None",
        "        if side >= 0:\n            return None",
        ("tests/solvers/test_refutations.py", *_LAWS),
        "a negative multiple of a row is none",
    ),
    Mutant(
        "Bland's rule is never in force",
        _LP,
        "            bland = vertex.slacks[entering] == 0",
        "            bland = vertex.slacks[entering] < 0",
        ("tests/solvers/test_refutations.py", *_LAWS),
        "the simplex may cycle",
    ),
    Mutant(
        "an interior of no width is one",
        _LP,
        "    if best.value is None or best.point is None or best.value <= 0:",
        "    if best.value is None or best.point is None or best.value < 0:",
        _LAWS,
        "a point on a row counts as strictly inside",
    ),
    Mutant(
        "a hint that is not feasible is an optimum's basis",
        _LP,
        "        if min(vertex.slacks) < 0:\n            found",
        "        if min(vertex.slacks) < -(10**9):\n            found",
        _LAWS,
        "the walk starts outside",
    ),
    # ---- signs
    Mutant(
        "signs are those of the rounded sums",
        _SIGNS,
        "> 4.0 * (width + 1) * ROUNDOFF * size + (4 * width + 8) * _FLUSHED",
        "> (4 * width + 8) * _FLUSHED",
        _PREDICATES,
        "rounding decides",
    ),
    Mutant(
        "signs of what underflows are those of floats",
        _SIGNS,
        "> 4.0 * (width + 1) * ROUNDOFF * size + (4 * width + 8) * _FLUSHED",
        "> 4.0 * (width + 1) * ROUNDOFF * size",
        _PREDICATES,
        "a product that underflows counts as exact",
    ),
    Mutant(
        "infinity has a sign",
        _SIGNS,
        "    decided &= np.isfinite(value) & np.isfinite(size)\n",
        "",
        _PREDICATES,
        "a sum that overflows has an infinite size, so nothing is above its error: `inf > inf` is false, and"
        " so are comparisons with NaN",
        equivalent=True,
    ),
    Mutant(
        "rows whose products are equal are proportional",
        _SIGNS,
        "        answer[open_rows] = [found == target for found in exact_rows_to_integers(table[open_rows])]",
        "        answer[open_rows] = True",
        _PREDICATES,
        "equal rounded products do not prove",
    ),
)
