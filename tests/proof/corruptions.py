"""Changes of one field of a valid certificate; many of them by ``python -m tests.proof.corruptions [N]``."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from polyspline.proof.encode import RegionProof
from tests.agreement.support import cube, polytope, problem, whole_space
from tests.agreement.zoo import families
from tests.oracle.cases import random_weights, simplex_with_cuts
from tests.proof.support import Claim, Known, is_true, known

Draw = random.Random


@cache
def cases() -> tuple[Known, ...]:
    """Valid certificates of every kind, small ones."""
    zoo = families()
    return (
        known(problem(random_weights([2, 5, 4, 1], 1), "relu"), cube(2)),
        known(
            problem(random_weights([3, 4, 3, 1], 2), "leaky_relu:0.1"), polytope(simplex_with_cuts(3, 2, 1))
        ),
        known(problem(random_weights([2, 4, 3, 1], 3), "hardtanh"), cube(2)),
        known(problem(random_weights([1, 4, 4, 1], 4), "abs"), whole_space(1)),
        known(problem(zoo["zero-biases-2"], "relu"), whole_space(2)),
        known(problem(zoo["duplicate-2"], "relu"), cube(2)),
        known(problem(zoo["folded"], "hardtanh"), whole_space(2)),
        known(problem(random_weights([2, 5, 4, 1], 5), "relu"), cube(2), max_regions=9),
    )


def _some(draw: Draw, claim: Claim) -> int:
    return draw.randrange(len(claim.proofs))


def _code(draw: Draw, claim: Claim) -> Claim:
    i = _some(draw, claim)
    bits = sum((int(count) - 1).bit_length() for count in claim.net.n_pieces)
    return claim.with_proof(i, code=claim.proofs[i].code ^ 1 << draw.randrange(bits))


def _witness(draw: Draw, claim: Claim) -> Claim:
    i, j = _some(draw, claim), _some(draw, claim)
    point: Any = claim.proofs[j].witness
    if draw.random() < 0.5:
        k = draw.randrange(claim.net.latent_dim)
        point = tuple(x if c != k else draw.choice([-x, 2 * x, 0 * x, x + x]) for c, x in enumerate(point))
    return claim.with_proof(i, witness=point)


def _edge_dropped(draw: Draw, claim: Claim) -> Claim:
    i = _some(draw, claim)
    proof = claim.proofs[i]
    if not proof.neighbours:
        return claim
    k = draw.randrange(len(proof.neighbours))
    points, at = list(proof.points), sum(flag > 1 for flag in proof.flags[:k])
    if proof.flags[k] > 1:
        del points[at]
    neighbours = proof.neighbours[:k] + proof.neighbours[k + 1 :]
    return claim.with_proof(
        i, neighbours=neighbours, flags=proof.flags[:k] + proof.flags[k + 1 :], points=points
    )


def _edge_added(draw: Draw, claim: Claim) -> Claim:
    i = _some(draw, claim)
    proof = claim.proofs[i]
    others = sorted({*range(i)} - {*proof.neighbours})
    if not others:
        return claim
    order = sorted([*proof.neighbours, draw.choice(others)], reverse=True)
    flags = dict(zip(proof.neighbours, proof.flags, strict=True))
    return claim.with_proof(i, neighbours=order, flags=[flags.get(j, draw.randrange(2)) for j in order])


def _edge_moved(draw: Draw, claim: Claim) -> Claim:
    i = _some(draw, claim)
    proof = claim.proofs[i]
    others = sorted({*range(i)} - {*proof.neighbours})
    if not others or not proof.neighbours:
        return claim
    order = list(proof.neighbours)
    order[draw.randrange(len(order))] = draw.choice(others)
    return claim.with_proof(i, neighbours=sorted(order, reverse=True))


def _flag(draw: Draw, claim: Claim) -> Claim:
    i = _some(draw, claim)
    flags = list(claim.proofs[i].flags)
    if flags:
        flags[draw.randrange(len(flags))] = draw.randrange(4)
    return claim.with_proof(i, flags=flags)


def _point(draw: Draw, claim: Claim) -> Claim:
    having = [i for i, proof in enumerate(claim.proofs) if proof.points]
    if not having:
        return claim
    i = draw.choice(having)
    points: list[Any] = list(claim.proofs[i].points)
    k = draw.randrange(len(points))
    points[k] = draw.choice([claim.proofs[_some(draw, claim)].witness, tuple(-x for x in points[k])])
    return claim.with_proof(i, points=points)


def _changed_set(draw: Draw, sets: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    found = list(sets)
    if found:
        k = draw.randrange(len(found))
        indices = set(found[k])
        indices ^= {draw.randrange(max(indices, default=0) + 3)}
        found[k] = tuple(sorted(indices))
    return found


def _side(draw: Draw, claim: Claim) -> Claim:
    i = _some(draw, claim)
    sides = claim.proofs[i].sides
    return claim if sides is None else claim.with_proof(i, sides=_changed_set(draw, sides))


def _row(draw: Draw, claim: Claim) -> Claim:
    i = _some(draw, claim)
    sets = claim.proofs[i].rows
    kind = draw.randrange(3)
    if kind == 0:
        return claim.with_proof(i, rows=_changed_set(draw, sets))
    if kind == 1:
        return claim.with_proof(i, rows=sets[1:])
    return claim.with_proof(i, rows=[*sets, (0,)])


def _renumbered(claim: Claim, order: list[int]) -> Claim:
    """Regions in another order, or without some; edges follow."""
    place = {i: k for k, i in enumerate(order)}
    around: list[dict[int, tuple[int, list[Any]]]] = []
    for proof in claim.proofs:
        stored = iter(proof.points)
        pairs = zip(proof.neighbours, proof.flags, strict=True)
        around.append({j: (flag, [next(stored)] if flag > 1 else []) for j, flag in pairs})
    proofs: list[RegionProof] = []
    for k, i in enumerate(order):
        links: dict[int, tuple[int, list[Any]]] = {}
        for j in place:
            if place[j] < k:
                if j in around[i]:
                    links[place[j]] = around[i][j]
                elif i in around[j]:
                    flag, points = around[j][i]
                    links[place[j]] = (1 - flag if flag < 2 else flag, points)
        lower = sorted(links, reverse=True)
        proofs.append(
            replace(
                claim.proofs[i],
                neighbours=lower,
                flags=[links[j][0] for j in lower],
                points=[point for j in lower for point in links[j][1]],
            )
        )
    return claim._replace(proofs=tuple(proofs), expanded=min(claim.expanded, len(order)))


def _region_dropped(draw: Draw, claim: Claim) -> Claim:
    i = _some(draw, claim)
    kept = [k for k in range(len(claim.proofs)) if k != i]
    return _renumbered(claim, kept) if kept else claim


def _region_twice(draw: Draw, claim: Claim) -> Claim:
    proof = claim.proofs[_some(draw, claim)]
    return claim._replace(
        proofs=(*claim.proofs, replace(proof, neighbours=[], flags=[], points=[])),
        expanded=claim.expanded + draw.randrange(2),
    )


def _regions_swapped(draw: Draw, claim: Claim) -> Claim:
    i, j = _some(draw, claim), _some(draw, claim)
    proofs = list(claim.proofs)
    if draw.random() < 0.5:
        proofs[i], proofs[j] = (
            replace(proofs[i], code=proofs[j].code, witness=proofs[j].witness),
            replace(proofs[j], code=proofs[i].code, witness=proofs[i].witness),
        )
        return claim._replace(proofs=tuple(proofs))
    order = list(range(len(proofs)))
    order[i], order[j] = j, i
    return _renumbered(claim, order)


def _expanded(draw: Draw, claim: Claim) -> Claim:
    fewer = draw.randrange(len(claim.proofs) + 1)
    proofs = [
        replace(proof, sides=(proof.sides or [()] * (2 * claim.net.latent_dim)) if i < fewer else None,
                rows=proof.rows if i < fewer else [])
        for i, proof in enumerate(claim.proofs)
    ]  # fmt: skip
    return claim._replace(proofs=tuple(proofs), expanded=fewer)


CHANGES: tuple[Callable[[Draw, Claim], Claim], ...] = (
    _code, _witness, _edge_dropped, _edge_added, _edge_moved, _flag, _point, _side, _row, _region_dropped,
    _region_twice, _regions_swapped, _expanded,
)  # fmt: skip


def corrupted(seed: int) -> tuple[Claim, bool, tuple[int, str]]:
    """Change one field: the claim, whether the oracle holds it for true, and what the checker says."""
    draw = Draw(seed)
    case = draw.choice(cases())
    change = CHANGES[seed % len(CHANGES)]
    claim = change(draw, case.claim)
    return claim, is_true(claim, case.truth), claim.check()


def main(count: int) -> int:
    """Corrupt so many certificates; 1 if a false claim is accepted."""
    outcomes = {0: 0, 1: 0, 2: 0}
    for seed in range(count):
        _, true, (status, sentence) = corrupted(seed)
        outcomes[status] += 1
        if status == 0 and not true:
            print(f"seed {seed}: a false claim is accepted: {sentence}")
            return 1
    print(f"{count}: {outcomes[1]} refused, {outcomes[2]} unreadable, {outcomes[0]} true and accepted")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
