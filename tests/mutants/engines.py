"""Faults in regions, balls, the walk and the partition."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_KERNEL = "polyspline/regions/kernel.py"
_EXACT = "polyspline/regions/exact.py"
_BALL = "polyspline/regions/ball_kernel.py"
_LOOKUP = "polyspline/partition/lookup.py"

_SOUND = ("tests/agreement/test_sound_decisions.py",)
_PENCILS = ("tests/agreement/test_pencils.py",)
_ZOO = ("tests/agreement/test_degenerate_zoo.py",)
_BALLS = ("tests/regions/test_balls.py", "tests/walk/test_radius.py")
_WORDS = ("tests/partition/test_codes_of_several_words.py",)
_LOCATE = ("tests/partition/test_locate_and_graph.py",)
_LIMITS = ("tests/walk/test_limits.py",)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "dead units are left to floats",
        _KERNEL,
        "        if outcome != DECIDED or dead:",
        "        if outcome != DECIDED:",
        _ZOO,
        "a unit on its knot on the whole region flips by chance",
    ),
    Mutant(
        "a witness of the whole space holds unseen",
        _KERNEL,
        "        if not t.bounded and not _witness_holds(t, s, n, witness, True, work):",
        "        if False and not _witness_holds(t, s, n, witness, True, work):",
        ("tests/walk/test_far_witnesses.py",),
        "the float point beside the proven ray is not proven",
    ),
    Mutant(
        "a witness that is asked for alone holds unseen",
        _KERNEL,
        "        return (DECIDED if holds else INTERIOR_UNPROVEN), 0, False",
        "        return DECIDED, 0, False",
        ("tests/walk/test_far_witnesses.py", *_LIMITS),
        "witnesses of regions at the frontier are not proven",
    ),
    Mutant(
        "a unit that is not beside its knot stays",
        _KERNEL,
        "        elif not t.is_group[unit]:\n            return False\n",
        "",
        _ZOO,
        "twins of a unit with three pieces are each beside their knot or the region is none: the twin's row"
        " is the same function, so where one is on its knot the other is",
        equivalent=True,
    ),
    Mutant(
        "three equal members flip one by one",
        _KERNEL,
        "            if unit == crossed or (t.is_group[unit] and t.is_copied[unit]):",
        "            if t.is_group[unit] and t.is_copied[unit]:",
        (*_ZOO, "tests/agreement/test_max_groups.py"),
        "the last pair of members decides the piece beyond",
    ),
    Mutant(
        "exact rows evaluate without error",
        _EXACT,
        "    slack = 8.0 * (size + 4) * ROUNDOFF * (np.abs(array).T @ reach) + 8.0 * SMALLEST"
        " * (1.0 + np.sum(reach))",
        "    slack = 0.0 * (np.abs(array).T @ reach)",
        ("tests/regions/test_exact_rows.py",),
        "rows that are rounded once count as exact",
    ),
    Mutant(
        "integers of 53 bits and more count as integers",
        _EXACT,
        "        if largest < _SMALL:",
        "        if largest < _SMALL**4:",
        ("tests/regions/test_exact_rows.py",),
        "integers that floats round are flagged as exact",
    ),
    Mutant(
        "a row that is rounded to zero is central",
        _EXACT,
        "        if row[-1] == 0:\n            flags[j] |= CENTRAL",
        "        if abs(array[-1, j]) < 1e-9:\n            flags[j] |= CENTRAL",
        ("tests/regions/test_exact_rows.py",),
        "rows beside the apex count as through it",
    ),
    Mutant(
        "a row that touches is a facet",
        _EXACT,
        "    if beyond >= 0:\n        return None",
        "    if beyond > 0:\n        return None",
        _PENCILS,
        "a row met at a vertex alone makes an edge",
    ),
    Mutant(
        "a tie beyond a facet goes to the highest member",
        _EXACT,
        "        if lead is not None and (lead, index) < (least, best):",
        "        if lead is not None and (lead, -index) < (least, -best):",
        (*_ZOO, "tests/agreement/test_max_groups.py"),
        "the lowest of equal members is the piece",
    ),
    Mutant(
        "a unit on its knot beyond a facet gets the upper piece",
        _EXACT,
        "                    beyond[start + index] = other if slope > 0 else min(piece, other)",
        "                    beyond[start + index] = other if slope > 0 else max(piece, other)",
        _ZOO,
        "a unit identically on its knot has the lower piece",
    ),
    Mutant(
        "a point that a float cannot hold is inside",
        "solvers/lp/inside.py",
        "    if rounded == point or is_inside(rows, rounded):",
        "    if True:",
        ("tests/regions/test_thin_domains.py",),
        "a rounded witness counts as inside",
    ),
    # ---- balls
    Mutant(
        "a point at the radius is within it",
        _BALL,
        "    if not sup and not total < 1.0 - 4.0 * (dim + 8.0) * ROUNDOFF:",
        "    if not sup and not total < 1.0 + 8.0 * (dim + 8.0) * ROUNDOFF:",
        _BALLS,
        "rounding brings a point into the ball",
    ),
    Mutant(
        "a point is in the ball's box whatever it is",
        _BALL,
        "        if not far < radius:\n            return False\n",
        "",
        _BALLS,
        "the maximum norm has no other check",
    ),
    Mutant(
        "a point beyond the domain has a slack",
        _BALL,
        "        if not abs(z) <= t.radius[c]:\n            return False\n",
        "",
        _BALLS,
        "the slack says nothing there",
    ),
    Mutant(
        "multipliers prove without slack",
        _BALL,
        "        spread += weight * s.slack[j]",
        "        spread += 0.0 * s.slack[j]",
        _BALLS,
        "computed rows count as true",
    ),
    Mutant(
        "multipliers prove without rounding",
        _BALL,
        "    return bool(highest + rounding < 0.0)",
        "    return bool(highest < 0.0)",
        _BALLS,
        "the combination counts as exact",
    ),
    Mutant(
        "negative multipliers prove",
        _BALL,
        "        if place >= rows or not search.weights[i] > 0.0:\n            continue",
        "        if place >= rows:\n            continue",
        _BALLS,
        "a row times a negative number is no bound",
    ),
    Mutant(
        "the dual of the maximum norm is the length",
        _BALL,
        "    if not sup and top > 0.0:",
        "    if top > 0.0:",
        _BALLS,
        "corners of the cube are farther than its faces",
    ),
    Mutant(
        "a ball does not open its exact decision",
        "polyspline/walk/sieve.py",
        "        undecided = np.flatnonzero(verdict == OPEN)",
        "        undecided = np.flatnonzero(verdict > APART_OF_ALL)".replace("APART_OF_ALL", "2"),
        _BALLS,
        "what floats leave open counts as apart",
    ),
    Mutant(
        "the sieve numbers codes anew",
        "polyspline/walk/sieve.py",
        "        return np.asarray(self._meets[number])",
        "        return np.asarray(self._meets[: len(number)])",
        ("tests/walk/test_radius.py",),
        "a region has the verdict of another",
    ),
    # ---- codes
    Mutant(
        "codes are compared by any word",
        _LOOKUP,
        "            equal = (self._packed[region] == wanted[open_]).all(axis=1)",
        "            equal = (self._packed[region] == wanted[open_]).any(axis=1)",
        _WORDS,
        "codes of one hash and one common word count as equal",
    ),
    Mutant(
        "the tie set is left out of the key",
        _LOOKUP,
        "            keys = np.hstack([packed_low[rows], self._packing.pack(pieces.high[rows]), ties])",
        "            keys = np.hstack([packed_low[rows], self._packing.pack(pieces.high[rows])])",
        _WORDS,
        "points with two and with three equal members count as one case",
    ),
    Mutant(
        "the highest piece is left out of the key",
        _LOOKUP,
        "            keys = np.hstack([packed_low[rows], self._packing.pack(pieces.high[rows]), ties])",
        "            keys = np.hstack([packed_low[rows], ties])",
        (*_WORDS, *_LOCATE),
        "points on different knots count as one case",
    ),
    Mutant(
        "a second code of one hash is not looked for",
        _LOOKUP,
        "            open_ = open_[~equal]\n",
        "            open_ = open_[:0]\n",
        (*_WORDS, *_LOCATE),
        "codes of one hash hide each other",
    ),
    Mutant(
        "a scan ignores the mask of free units",
        _LOOKUP,
        "            ignored[packing.word[unit]] |= packing.mask[unit] << packing.shift[unit]",
        "            ignored[packing.word[unit]] |= packing.mask[unit]",
        (*_WORDS, *_LOCATE),
        "other units are left free",
    ),
    Mutant(
        "the walk compares codes by their last word",
        "polyspline/partition/code_table.py",
        "            if packed[region, c] != key[c]:\n                same = False",
        "            same = packed[region, c] == key[c]",
        _WORDS,
        "two regions count as one",
    ),
    Mutant(
        "witnesses are looked at by the lower piece alone",
        "polyspline/partition/witnesses.py",
        "                held[b] &= (v > above) if upper else (v <= below)",
        "                held[b] &= True if upper else (v <= below)",
        ("tests/partition/test_witnesses.py",),
        "a witness on the wrong side of a knot passes",
    ),
    Mutant(
        "a wrong witness is no contradiction",
        "polyspline/partition/witnesses.py",
        "    if len(wrong):\n",
        "    if len(wrong) > len(part):\n",
        ("tests/partition/test_witnesses.py",),
        "a witness in another region passes",
    ),
    Mutant(
        "sides of facets need not pair in a walk",
        "polyspline/walk/walker.py",
        "        if self._sides != expected:",
        "        if self._sides < expected:",
        ("tests/walk/test_contradictions.py",),
        "a facet that was seen from one side passes",
    ),
    Mutant(
        "an edge is noted from both sides",
        "polyspline/walk/merge.py",
        "            if other > region:",
        "            if other != region:",
        _LIMITS,
        "every edge twice",
    ),
    Mutant(
        "a limit of regions is passed by one",
        "polyspline/walk/merge.py",
        "                if regions >= limit:",
        "                if regions > limit:",
        _LIMITS,
        "`max_regions` is exact",
    ),
    Mutant(
        "a witness that its embedding rounds is kept",
        "polyspline/walk/expander.py",
        "        status[~problem.is_kept(witnesses)] = NEEDS_EXACT\n",
        "",
        _SOUND,
        "subnormal coordinates are rounded after the proof",
    ),
)
