"""The least of a sum of kinked terms: exact penalties and absolute values of linear forms (kernel).

Guarantee: heuristic. The multipliers are those of the last vertex, up to rounding; bounds are to
be evaluated from them by those who need them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from solvers.compiled import NOTHING, ZERO, compiled, compiled_part, larger

__all__ = ["minimise_kinks"]

Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Forms whose value changes no faster than this along an edge do not end it.
_TINY_PIVOT = 1e-7
# How far a multiplier may be out of its range.
_TOLERANCE = 1e-9
# Steps for each variable, after which the search for the minimum is given up, and multiplications in all.
_MOST_STEPS = 30
_MOST_WORK = 4e9


@compiled_part
def _is_narrow(kinks: Floats, k: int) -> bool:
    """Whether both kinks of a form are one, with no room between them."""
    return bool(kinks[k, 0] == kinks[k, 1])


@compiled_part
def _add(forms: Floats, k: int, share: float, pull: Floats) -> None:
    """Add a share of a form to a gradient."""
    n = len(pull)
    if share == 0.0:
        return
    if k < n:
        pull[k] += share
    else:
        for i in range(n):
            pull[i] += share * forms[i, k - n]


@compiled_part
def _state_after(side: int, up: float, narrow: bool) -> int:
    """Tell where a form is that leaves a kink upwards or downwards."""
    if narrow and side != 0:
        return 1 if up > 0 else -1
    if side > 0 and up > 0:
        return 1
    if side < 0 and up < 0:
        return -1
    return 0


@compiled_part
def _reach(state: int, value: float, rate: float, kinks: Floats, k: int) -> float:
    """Tell when a form reaches its next kink; infinite if it does not."""
    if rate > 0.0 and state <= 0:
        gap = kinks[k, 0] - value if state < 0 else kinks[k, 1] - value
    elif rate < 0.0 and state >= 0:
        gap = kinks[k, 1] - value if state > 0 else kinks[k, 0] - value
    else:
        return np.inf
    return larger(gap / rate, 0.0)


@compiled_part
def _pivot(inverse: Floats, alpha: Floats, place: int) -> None:
    """Put the form with coefficients ``alpha`` in the basis into the basis, at a place."""
    n = len(alpha)
    for i in range(n):
        share = inverse[i, place] / alpha[place]
        if share != 0.0:
            for j in range(n):
                inverse[i, j] -= alpha[j] * share
            inverse[i, place] = share


@compiled_part
def _in_basis(forms: Floats, k: int, inverse: Floats, alpha: Floats) -> None:
    """Write a form in terms of those of the basis."""
    n = len(alpha)
    for j in range(n):
        alpha[j] = 0.0
    if k < n:
        for j in range(n):
            alpha[j] = inverse[k, j]
        return
    for i in range(n):
        share = forms[i, k - n]
        if share != 0.0:
            for j in range(n):
                alpha[j] += share * inverse[i, j]


@compiled_part
def _values(forms: Floats, w: Floats, values: Floats) -> None:
    """Write the values of all forms at a point: its coordinates, then the others."""
    n, p = forms.shape
    for i in range(n):
        values[i] = w[i]
    for k in range(p):
        values[n + k] = 0.0
    for i in range(n):
        share = w[i]
        if share != 0.0:
            for k in range(p):
                values[n + k] += share * forms[i, k]


@compiled_part
def _start(
    forms: Floats,
    kinks: Floats,
    active: Signs,
    inverse: Floats,
    basis: Integers,
    side: Signs,
    alpha: Floats,
) -> None:
    """Take the active forms into the basis of coordinates, as far as they are independent and have kinks."""
    n, p = forms.shape
    for i in range(n):
        basis[i] = i
        side[i] = active[i]
        inverse[i, i] = 1.0
    for k in range(n, n + p):
        if active[k] == 0 or not np.isfinite(kinks[k, 0] if active[k] < 0 else kinks[k, 1]):
            continue
        _in_basis(forms, k, inverse, alpha)
        place, most = NOTHING, _TINY_PIVOT
        for j in range(n):
            # Coordinates that are active themselves stay.
            if basis[j] < n and side[j] == 0 and abs(alpha[j]) > most:
                place, most = j, abs(alpha[j])
        if place >= 0:
            _pivot(inverse, alpha, place)
            basis[place], side[place] = k, active[k]


@compiled_part
def _leaving(
    inverse: Floats,
    pull: Floats,
    basis: Integers,
    side: Signs,
    kinks: Floats,
    multipliers: Floats,
    norms: Floats,
) -> tuple[int, float]:
    """Multipliers of the basis; the place whose leaving falls most steeply, and the slope (0 if none)."""
    n = len(pull)
    for j in range(n):
        multipliers[j], norms[j] = 0.0, 0.0
    for i in range(n):
        share = pull[i]
        for j in range(n):
            multipliers[j] -= share * inverse[i, j]
            norms[j] += inverse[i, j] * inverse[i, j]
    place, slope, best = NOTHING, 0.0, 0.0
    for j in range(n):
        k = basis[j]
        weight = kinks[k, 2]
        both = side[j] != 0 and _is_narrow(kinks, k)
        upper = weight if side[j] > 0 or both else 0.0
        lower = -weight if side[j] < 0 or both else 0.0
        excess = multipliers[j] - upper if multipliers[j] > upper else multipliers[j] - lower
        if lower <= multipliers[j] <= upper or abs(excess) <= _TOLERANCE:
            continue
        worth = excess * excess / norms[j]
        if worth > best:
            place, slope, best = j, excess, worth
    return place, slope


@compiled_part
def _place(
    forms: Floats,
    kinks: Floats,
    towards: Floats,
    inverse: Floats,
    basis: Integers,
    side: Signs,
    w: Floats,
    values: Floats,
    state: Signs,
    inside: Bools,
    pull: Floats,
) -> None:
    """Write the point of the basis, where each form is there, and the gradient of those outside."""
    n, p = forms.shape
    for j in range(n):
        k = basis[j]
        inside[k] = True
        at = towards[k] if side[j] == 0 else kinks[k, 0] if side[j] < 0 else kinks[k, 1]
        for i in range(n):
            w[i] += inverse[i, j] * at
    _values(forms, w, values)
    for k in range(n + p):
        if inside[k]:
            continue
        if values[k] < kinks[k, 0]:
            state[k] = -1
        elif values[k] > kinks[k, 1] or _is_narrow(kinks, k):
            state[k] = 1
        _add(forms, k, state[k] * kinks[k, 2], pull)


@compiled_part
def _descend(
    forms: Floats,
    kinks: Floats,
    values: Floats,
    rates: Floats,
    slope: float,
    state: Signs,
    inside: Bools,
    when: Floats,
    pull: Floats,
) -> tuple[int, float]:
    """Pass kinks along an edge until the sum no longer falls: the form that stops it (or -1), and how far."""
    for k in range(len(values)):
        when[k] = np.inf if inside[k] else _reach(state[k], values[k], rates[k], kinks, k)
    while True:
        first = ZERO
        for k in range(len(values)):
            if when[k] < when[first]:
                first = k
        length = when[first]
        if not length < np.inf:  # NaN too: there is nothing to pass
            return NOTHING, 0.0
        passed = 1 if rates[first] > 0.0 else -1
        if _is_narrow(kinks, first):
            passed *= 2
        jump = passed * kinks[first, 2]
        slope += jump * rates[first]
        if slope >= 0.0 and abs(rates[first]) > _TINY_PIVOT:
            return first, length
        state[first] += passed
        _add(forms, first, jump, pull)
        when[first] = _reach(state[first], values[first], rates[first], kinks, first)


@compiled
def minimise_kinks(
    forms: Floats, kinks: Floats, active: Signs, towards: Floats
) -> tuple[bool, Floats, Floats, Signs, int]:
    """Minimise the sum of ``weight * max(0, below - v, v - above)`` over the linear forms v of w.

    Parameters
    ----------
    forms
        (n, p): coefficients of the forms beyond the coordinates of w, a column each.
    kinks
        (n + p, 3): below, above and weight of every form, those of the coordinates first.
        Those of the coordinates are finite, and weigh enough for a minimum to exist.
    active
        (n + p,) signs of the kinks that w is first at, as far as they are independent.
    towards
        (n,) where the coordinates are that this leaves open.

    Returns
    -------
    found : bool
        False if the steps ran out.
    w : ndarray, shape (n,)
    multipliers : ndarray, shape (n + p,)
        Of all forms: the slopes of their terms that add up to zero.
    active : ndarray of int8, shape (n + p,)
        The kinks that w is at.
    steps : int

    Notes
    -----
    Guarantee: heuristic.

    Algorithm: from vertex to vertex along the edge that falls most steeply for its length, past
    every kink until the sum no longer falls. There is no first phase: every vertex will do.
    ``O((n + p) n)`` a step, with an explicit inverse.

    References
    ----------
    R. H. Bartels, A. R. Conn, J. W. Sinclair, "Minimization techniques for piecewise differentiable
    functions: the l1 solution to an overdetermined linear system", SIAM J. Numer. Anal. 15 (1978).
    """
    n, p = forms.shape
    alpha, norms, direction, pull = np.empty(n), np.empty(n), np.empty(n), np.zeros(n)
    inverse, basis, side = np.zeros((n, n)), np.empty(n, dtype=np.int64), np.zeros(n, dtype=np.int8)
    w, values, multipliers = np.zeros(n), np.empty(n + p), np.zeros(n)
    state, inside = np.zeros(n + p, dtype=np.int8), np.zeros(n + p, dtype=np.bool_)
    rates, when = np.empty(n + p), np.empty(n + p)
    _start(forms, kinks, active, inverse, basis, side, alpha)
    _place(forms, kinks, towards, inverse, basis, side, w, values, state, inside, pull)
    found, steps = False, 0
    # A step costs as much as the forms have coefficients, and the inverse twice.
    most = min(_MOST_STEPS * n, _MOST_WORK / (n * (p + 2.0 * n)))
    while steps < most:
        place, slope = _leaving(inverse, pull, basis, side, kinks, multipliers, norms)
        found = place < 0
        if found:
            break
        steps += 1
        up = 1.0 if slope > 0.0 else -1.0
        for i in range(n):
            direction[i] = up * inverse[i, place]
        _values(forms, direction, rates)
        out = basis[place]
        inside[out] = False
        state[out] = _state_after(side[place], up, _is_narrow(kinks, out))
        _add(forms, out, state[out] * kinks[out, 2], pull)
        k, length = _descend(forms, kinks, values, rates, -abs(slope), state, inside, when, pull)
        if k < 0:
            break
        for i in range(n):
            w[i] += length * direction[i]
        for i in range(n + p):
            values[i] += length * rates[i]
        _add(forms, k, -state[k] * kinks[k, 2], pull)
        _in_basis(forms, k, inverse, alpha)
        _pivot(inverse, alpha, place)
        basis[place], inside[k] = k, True
        # The kink is the one that lies ahead.
        ahead = 1 if rates[k] > 0.0 else -1
        side[place] = state[k] if state[k] != 0 else ahead
    everywhere, signs = np.zeros(n + p), np.zeros(n + p, dtype=np.int8)
    for k in range(n + p):
        everywhere[k] = state[k] * kinks[k, 2]
    for j in range(n):
        everywhere[basis[j]] = multipliers[j]
        signs[basis[j]] = side[j]
    return found, w, everywhere, signs, steps
