"""Certificates in parts that can be changed one by one, and the oracle's word on what they claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from polyspline.proof import check as checker
from polyspline.proof.encode import RegionProof, block_bytes, head
from polyspline.proof.writer import Prover
from tests.agreement.support import Problem, Where, walked
from tests.oracle import OraclePartition, oracle_partition


class Claim(NamedTuple):
    """A certificate in parts: one network and domain, and what is said of each region."""

    net: Any
    domain: Any
    proofs: tuple[RegionProof, ...]
    expanded: int

    def data(self) -> bytes:
        """Bytes of the certificate, in two blocks or more where it has two regions or more."""
        bits = sum((int(count) - 1).bit_length() for count in self.net.n_pieces)
        half = max(1, len(self.proofs) // 2)
        blocks = [
            block_bytes(first, self.proofs[first : first + half], bits)
            for first in range(0, len(self.proofs), half)
        ]
        return head(self.net, self.domain, len(self.proofs), self.expanded) + b"".join(blocks)

    def check(self) -> tuple[int, str]:
        """Say what the checker says."""
        return checker.check(self.data())

    def with_proof(self, i: int, **changed: Any) -> Claim:
        """Change what is said of one region."""
        proofs = list(self.proofs)
        proofs[i] = replace(proofs[i], **changed)
        return self._replace(proofs=tuple(proofs))


def claim_of(part: Any, prover: type[Prover] = Prover) -> Claim:
    """Claim that a partition makes, with its proof."""
    made = prover(part)
    proofs = tuple(made.region(i, 0) for i in range(len(part)))
    return Claim(part.net, part.domain, proofs, made.expanded)


class Known(NamedTuple):
    """A right claim, and what the oracle knows of its network."""

    claim: Claim
    truth: OraclePartition


def known(given: Problem, where: Where, **options: Any) -> Known:
    """Claim of the walk's partition, and the oracle's partition."""
    part = walked(given.net, where.domain, **options)
    truth = oracle_partition(given.layers, where.rows, whole_space=where.rows is None)
    return Known(claim_of(part), truth)


def is_true(claim: Claim, truth: OraclePartition) -> bool:
    """Whether what a certificate claims holds, by the oracle."""
    pieces = [int(count) for count in claim.net.n_pieces]
    codes = [_unpacked(proof.code, pieces) for proof in claim.proofs]
    pairs = [(i, j) for i, proof in enumerate(claim.proofs) for j in proof.neighbours]
    edges = {frozenset((codes[i], codes[j])) for i, j in pairs}
    around = {edge for edge in truth.edges if edge & set(codes[: claim.expanded])}
    everything = claim.expanded < len(codes) or set(codes) == set(truth.codes)
    return (
        0 < len(codes) == len(set(codes))
        and set(codes) <= set(truth.codes)
        and len(pairs) == len(edges)
        and around <= edges <= truth.edges
        and everything
    )


def _unpacked(code: int, pieces: list[int]) -> tuple[int, ...]:
    found = []
    for count in pieces:
        bits = (count - 1).bit_length()
        found.append(code & ((1 << bits) - 1))
        code >>= bits
    return tuple(found)
