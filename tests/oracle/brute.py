"""A second oracle that tries every activation code: no cutting, no vertices, only exact linear programs.

For networks of a few units. It shares the pre-activation formulas with the other oracle and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, product

from tests.oracle.forms import FloatArray, OracleLayer, identity_forms, integer_layers, pieces_of_layers
from tests.oracle.integers import primitive, rank
from tests.oracle.partition import Code
from tests.oracle.simplex import maximum

#: A halfspace ``a·z + β <= 0`` as (a_1, ..., a_S, β).
Halfspace = tuple[int, ...]


def code_rows(layers: Sequence[OracleLayer], code: Code) -> list[Halfspace] | None:
    """The halfspaces that one code asks for; None if a constant unit contradicts it."""
    chain = integer_layers(layers)
    forms, den = identity_forms(layers[0][0].shape[1]), 1
    rows: list[Halfspace] = []
    for layer, pieces in zip(chain, pieces_of_layers(chain, code), strict=True):
        forms, den = layer.preactivations(forms, den)
        for neuron, (piece, knots, group) in enumerate(
            zip(pieces, layer.knots, layer.rows_of(forms), strict=True)
        ):
            if len(group) > 1:
                leads = [tuple(a - b for a, b in zip(other, group[piece], strict=True)) for other in group]
                if any(not any(lead[:-1]) and lead[-1] > 0 for lead in leads):
                    return None
                if any(not any(lead) for lead in leads[:piece]):
                    return None
                rows += [lead for lead in leads if any(lead[:-1])]
                continue
            above = [layer.above_knot(neuron, knot, group[0], den) for knot in range(len(knots))]
            if not any(group[0][:-1]):
                if piece != sum(row[-1] > 0 for row in above):
                    return None
                continue
            if piece < len(knots):
                rows.append(above[piece])
            if piece > 0:
                rows.append(tuple(-entry for entry in above[piece - 1]))
        forms, den = layer.activations(forms, den, pieces)
    return rows


def has_interior(rows: Sequence[Halfspace]) -> bool:
    """Whether some point is strictly inside all halfspaces."""
    if not rows:
        return True
    objective = [0] * (len(rows[0]) - 1) + [1]
    lifted = [[*row[:-1], 1] for row in rows] + [objective]
    depth = maximum(objective, lifted, [-row[-1] for row in rows] + [1])
    return depth is not None and depth > 0


def intersection_dimension(rows: Sequence[Halfspace], dimension: int) -> int:
    """Dimension of the intersection of halfspaces; -1 if it is empty."""
    rows = list(dict.fromkeys(primitive(row) for row in rows))
    bounds = [-row[-1] for row in rows]
    room = [0] * dimension + [1]
    always_tight = []
    for row in rows:
        # The largest s <= 1 such that some point of the set is s inside this row: 0 if always tight.
        lifted = [[*other[:-1], 0] for other in rows] + [[*row[:-1], 1], room]
        best = maximum(room, lifted, [*bounds, -row[-1], 1])
        if best is None:
            return -1
        if best == 0:
            always_tight.append(row[:-1])
    return dimension - rank(always_tight)


def brute_partition(
    layers: Sequence[OracleLayer], domain_rows: tuple[FloatArray, FloatArray] | None
) -> tuple[set[Code], set[frozenset[Code]]]:
    """Codes of all regions and all pairs of neighbours, by trying every code and every pair."""
    dimension = layers[0][0].shape[1]
    domain: list[Halfspace] = []
    if domain_rows is not None:
        for normal, offset in zip(domain_rows[0].tolist(), domain_rows[1].tolist(), strict=True):
            exact = [Fraction(entry) for entry in [*normal, -offset]]
            scale = max(entry.denominator for entry in exact)
            domain.append(tuple(int(entry * scale) for entry in exact))
    n_pieces = [
        count
        for layer in integer_layers(layers)
        for count, is_unit in zip(layer.n_pieces, layer.is_unit, strict=True)
        if is_unit
    ]
    regions: dict[Code, list[Halfspace]] = {}
    for code in product(*[range(n) for n in n_pieces]):
        rows = code_rows(layers, code)
        if rows is not None and has_interior(domain + rows):
            regions[code] = domain + rows
    edges = set()
    for left, right in combinations(regions, 2):
        if intersection_dimension(regions[left] + regions[right], dimension) == dimension - 1:
            edges.add(frozenset((left, right)))
    return set(regions), edges
