"""Certificates of partitions: found in floating point, and decided by the checker's integers."""

from __future__ import annotations

import math
import multiprocessing
import os
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyspline.errors import InvariantError, OutputError
from polyspline.files import check_writable
from polyspline.partition import Partition
from polyspline.proof import check as checker
from polyspline.proof.bases import tight_rows
from polyspline.proof.certificate import Certificate
from polyspline.proof.encode import (
    BLOCK,
    Point,
    RegionProof,
    block_bytes,
    domain_bytes,
    head,
    is_rational,
    network_tables,
    packed_codes,
)
from solvers.float_mode import gradual_underflow
from solvers.integers import nearest_float
from solvers.lp import exact
from solvers.lp.inside import rounded_inside
from solvers.status import LPStatus

Floats = NDArray[np.float64]
Row = checker.Row

Combination = tuple[tuple[int, ...], tuple[int, int] | None]
"""Rows, and the bound ``n / d`` that they combine to."""

_SAME = 1e-9
"""Rows whose coefficients differ by less are tried as multiples of each other."""
_CLEAR = 1e-9
"""How far from equality, relatively, a value in floats must be to be taken for certain."""
_SURE = 2
_REACH = 1e3
"""How far a point beyond a facet may be sought, in units of the region's size."""


class Prover:
    """Proofs of the regions of one partition.

    Parameters
    ----------
    part
        The partition, of any engine.
    """

    def __init__(self, part: Partition) -> None:
        self.part = part
        self.net = checker.Network(network_tables(part.net))
        self.domain = checker.domain_rows(domain_bytes(part.domain), part.net.latent_dim)
        self.codes = packed_codes(part, self.net.pieces)
        # Of a walk within a ball, the neighbours beyond the ball are not there.
        self.expanded = part.expanded if part.within is None else 0
        # (lower, higher): whether the higher's witness is beyond their facet alone, as seen from the lower.
        self.served: dict[tuple[int, int], bool] = {}

    def witness(self, i: int) -> Point:
        """Witness as it is stored."""
        point = self.part.exact_witnesses.get(i)
        if point is None:
            return tuple(self.part.witnesses[i].tolist())
        return _over_one_denominator(point)

    def block(self, start: int) -> bytes:
        """Bytes of the block that begins with a region."""
        self.served.clear()
        stop = min(start + BLOCK, len(self.part))
        proofs = [self.region(i, start) for i in range(start, stop)]
        return block_bytes(start, proofs, len(self.net.unit_at))

    def region(self, i: int, first: int) -> RegionProof:
        """Proof of a region; of lower neighbours, those from `first` on were proven before by this prover."""
        view = self._view(i)
        order, facets, serves = self._sides(i, view)
        proof = RegionProof(view.code, view.witness, [j for j in order if j < i], [], [])
        for j, facet, likely in zip(order, facets, serves, strict=True):
            if j > i:
                self.served[i, j] = self._serves(view, facet, j, likely)
                continue
            served = self.served.pop((j, i)) if j >= first else None
            if served is None and not likely:
                served = self._served_from(j, i)
            if served:
                proof.flags.append(0)
            elif self._serves(view, facet, j, likely):
                proof.flags.append(1)
            else:
                point = self._point(i, j, view, facet)
                proof.points.append(point)
                proof.flags.append(3 if is_rational(point) else 2)
        if i < self.expanded:
            proof.sides, proof.rows = self._index_sets(i, view, facets)
        return proof

    def _view(self, i: int) -> _View:
        code = self.codes[i]
        names, rows = self.net.rows_of(code)
        is_exact = bool(self.part.witness_exact[i])
        return _View(code, names, rows, self.domain, self.witness(i), self.part.witnesses[i], is_exact)

    def _sides(self, i: int, view: _View) -> tuple[list[int], list[int], list[int]]:
        """Neighbours, as the checker orders them, their facets, and whether their witnesses seem to serve."""
        near = self.part.neighbours(i)
        order = [*near[near < i][::-1].tolist(), *near[near > i].tolist()]
        facets = [self._facet(i, j, view.code, view.names) for j in order]
        return order, facets, view.serves(facets, self.part.witnesses[order]) if order else []

    def _serves(self, view: _View, facet: int, j: int, likely: int) -> bool:
        """Whether the witness of j is beyond a facet alone; exactly where floats leave it open."""
        if likely == _SURE and self.part.witness_exact[j]:
            return True
        return likely > 0 and view.is_beyond(_ints(self.witness(j)), facet)

    def _served_from(self, j: int, i: int) -> bool:
        """Whether the witness of i is beyond the facet alone, as seen from the neighbour j."""
        view = self._view(j)
        facet = self._facet(j, i, view.code, view.names)
        (likely,) = view.serves([facet], self.part.witnesses[[i]])
        return self._serves(view, facet, i, likely)

    def _facet(self, i: int, j: int, code: int, names: list[int]) -> int:
        """Row of the first unit in which two neighbours differ, between its two pieces."""
        other = self.codes[j]
        apart = code ^ other
        unit = self.net.unit_at[(apart & -apart).bit_length() - 1]
        try:
            return names.index(unit << 16 | self.net.piece(other, unit))
        except ValueError:
            raise InvariantError(
                f"regions {i} and {j} cannot share a facet: unit {unit} is on pieces that are no neighbours."
            ) from None

    def _point(self, i: int, j: int, view: _View, facet: int) -> Point:
        point = view.floats_beyond(facet)
        if point is None:
            point = view.rational_beyond(facet)
        if point is None:
            raise InvariantError(f"regions {i} and {j} share no facet: no point is just beyond it.")
        return point

    def _index_sets(
        self, i: int, view: _View, facets: list[int]
    ) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Index sets of the sides of the box, and of the rows that it does not settle."""
        size = self.net.S
        basis = [view.rows[facet] for facet in facets] + self.domain
        polar = view.polar_of(facets)
        axes = [tuple((-1 if k & 1 else 1) * (k >> 1 == c) for c in range(size)) for k in range(2 * size)]
        found = self._combinations(basis, polar, axes, -np.array(axes, dtype=np.float64))
        sides, bounds = [members for members, _ in found], [bound for _, bound in found]
        box, exponent = checker.box_of(bounds)
        listed = set(facets)
        left = [
            k for k in view.perhaps_beyond(box, exponent) if k not in listed and any(view.rows[k][:-1])
            and not checker.box_settles(view.rows[k], box, exponent)
        ]  # fmt: skip
        found = self._combinations(basis, polar, [view.rows[k] for k in left], view.polar[left])
        for k, (members, _) in zip(left, found, strict=True):
            if not members:
                name = view.names[k]
                raise InvariantError(
                    f"region {i} has a facet that is not listed: of unit {name >> 16}, towards piece "
                    f"{name & 0xFFFF}."
                )
        return sides, [members for members, _ in found]

    def _combinations(
        self, basis: list[Row], polar: Floats, targets: Sequence[Row], aims: Floats
    ) -> list[Combination]:
        """Rows of the basis that combine to a bound of each target, and the bound; no rows where none do.

        A target with a constant, a row, needs a bound that shows it to be >= 0; of one without, a side of
        the box, any bound will do.
        """
        if not targets or not basis:
            return [((), None)] * len(targets)
        found: list[Combination] = []
        names, _ = tight_rows(polar, aims)
        for target, (few, many) in zip(targets, names.transpose(0, 2, 1).tolist(), strict=True):
            one = _bounded(basis, few, target)
            if not one[0]:
                one = _bounded(basis, many, target)
            if not one[0] and (len(target) > self.net.S or few[0] != -2):
                one = _bounded(basis, _exact_combination(basis, target[: self.net.S]), target)
            found.append(one)
        return found


def _bounded(basis: list[Row], names: Sequence[int], target: Row) -> Combination:
    """Bound of a target by some rows (names below zero left out), if it is good enough, and those rows."""
    members = tuple(sorted(k for k in names if k >= 0))
    bound = checker.least([basis[k] for k in members], target) if members else None
    size = len(basis[0]) - 1
    if bound is None or (len(target) > size and bound[0] + bound[1] * target[size] < 0):
        return (), None
    return members, bound


class _View:
    """The rows of a region: as they are, and in floats around its witness, ``polar . y <= 1``."""

    def __init__(
        self,
        code: int,
        names: list[int],
        rows: list[Row],
        domain: list[Row],
        witness: Point,
        centre: Floats,
        is_exact: bool,
    ) -> None:
        self.is_exact = is_exact  # whether the centre is the witness, not its rounding
        self.code, self.names, self.rows, self.domain = code, names, rows, domain
        self.witness, self.centre = witness, centre
        self.point = _ints(witness)
        self.polar = _polar(rows, self.point)
        self.polar_domain = _polar(domain, self.point)

    def polar_of(self, facets: list[int]) -> Floats:
        """Rows of the facets and of the domain."""
        return np.vstack([self.polar[facets], self.polar_domain])

    def perhaps_beyond(self, box: Sequence[int | None], exponent: int) -> list[int]:
        """Rows that the box does not settle for certain."""
        size = len(self.centre)
        away = np.full(2 * size, np.inf)
        *above, below = self.point
        for k, side in enumerate(box):
            if side is not None:
                mine = (-above[k >> 1] if k & 1 else above[k >> 1]) << exponent
                away[k] = _ratio(mine - side * below, below << exponent)
        with np.errstate(all="ignore"):
            # The largest value of g . y on the box, of which the sides are y_c >= -low_c and y_c <= high_c.
            down, up = np.maximum(-self.polar, 0.0), np.maximum(self.polar, 0.0)
            most = np.where(down > 0.0, down * away[::2], 0.0) + np.where(up > 0.0, up * away[1::2], 0.0)
            return [int(k) for k in np.flatnonzero(~(most.sum(axis=1) < 1.0 - _CLEAR))]

    def _same(self, facet: int) -> NDArray[np.bool_]:
        """Whether each row may be a multiple of a facet's."""
        mine = self.polar[facet]
        with np.errstate(all="ignore"):  # rows whose difference overflows are not one
            return np.asarray(np.abs(self.polar - mine).max(axis=1) <= _SAME * np.abs(mine).max())

    def serves(self, facets: list[int], witnesses: Floats) -> list[int]:
        """Whether the witness of each neighbour is beyond its facet alone: 0 hardly, 1 maybe, 2 surely."""
        away = (witnesses - self.centre).T
        polar = np.vstack([self.polar, self.polar_domain])
        room = 1.0 - polar @ away
        clear = np.abs(room) > _CLEAR * (1.0 + np.abs(polar) @ np.abs(away))
        found = []
        for k, facet in enumerate(facets):
            column = room[:, k] > 0.0
            column[facet] = not column[facet]
            if column.all():
                found.append(_SURE if self.is_exact and clear[:, k].all() else 1)
            else:
                same = np.append(self._same(facet), np.zeros(len(self.domain), dtype=np.bool_))
                same[facet] = False
                found.append(int((column | same).all()))
        return found

    def is_beyond(self, point: Row, facet: int) -> bool:
        """Whether a point is beyond a facet alone, exactly."""
        return checker.is_beyond(point, self.rows[facet], self.rows, self.domain)

    def floats_beyond(self, facet: int) -> Point | None:
        """Few-digit floats beyond a facet alone, from the middle of the facet; None if none are found."""
        polar = np.vstack([self.polar, self.polar_domain])
        size = len(self.centre)
        scale = np.abs(polar).max(axis=0)
        scale[scale == 0.0] = 1.0
        walls = np.vstack([np.diag(scale), -np.diag(scale)])
        mine = self.polar[facet]
        if not mine.any():
            return None
        reach = max(float(np.abs(mine / scale).max()), 1e-300)
        aims = mine + np.vstack([np.diag(scale), -np.diag(scale)]) * (1e-3 * reach)
        with np.errstate(all="ignore"):
            names, vertices = tight_rows(np.vstack([polar, walls / _REACH]), aims)
            if not np.isfinite(vertices).all() or (names[:, 0, 0] == -2).any():
                return None
            middle = vertices.mean(axis=0)
            others = np.append(~self._same(facet), np.ones(len(self.domain), dtype=np.bool_))
            values = polar[others] @ middle
            most = values.max(initial=0.0)
            step = min(1.0 / most - 1.0, 1.0) if most > 0.0 else 1.0
            if not step > 0.0:
                return None
            middle = middle * (1.0 + step / 2)
            room = 1.0 - polar[others] @ middle
            spread = np.abs(polar[others]).sum(axis=1)
            grid = min(
                (room / np.where(spread > 0.0, spread, 1.0)).min(initial=np.inf),
                (float(mine @ middle) - 1.0) / float(np.abs(mine).sum()),
            )
            if not 0.0 < grid < np.inf:
                return None
            grid = 2.0 ** np.floor(np.log2(grid))
            for cell in (grid, grid / 2**20, 0.0):
                point = self.centre + middle
                if cell > 0.0:
                    point = np.round(point / cell) * cell + 0.0
                if size and np.isfinite(point).all():
                    floats = tuple(point.tolist())
                    if self.is_beyond(_ints(floats), facet):
                        return floats
        return None

    def rational_beyond(self, facet: int) -> Point | None:
        """Point beyond a facet alone, by an exact linear program; None if there is none."""
        mine = self.rows[facet]
        if not any(mine[:-1]):
            return None
        rows = [tuple(-entry for entry in mine), *self.domain]
        rows += [row for row in self.rows if any(row[:-1]) and not checker.is_multiple(row, mine)]
        found = exact.interior_point([[-a for a in row[:-1]] for row in rows], [row[-1] for row in rows])
        if found is None:
            return None
        near, _ = rounded_inside(rows, found)
        floats = tuple(nearest_float(entry) for entry in near)
        if np.isfinite(floats).all() and self.is_beyond(_ints(floats), facet):
            return floats
        point = _over_one_denominator(found)
        return point if self.is_beyond(_ints(point), facet) else None


def _polar(rows: Sequence[Row], point: Row) -> Floats:
    """Rows as ``g . y <= 1`` around a point that is strictly inside; zero where it is not."""
    size = len(point) - 1
    found = np.zeros((len(rows), size))
    for k, row in enumerate(rows):
        value = checker.dot(row, point)
        if value > 0:
            try:
                share = -point[-1] / value
                found[k] = [a * share for a in row[:-1]]
            except OverflowError:
                found[k] = [_ratio(-a * point[-1], value) for a in row[:-1]]
    underflown = ~((np.abs(found) > 0.0).any(axis=1))
    for k in np.flatnonzero(underflown).tolist():
        value = checker.dot(rows[k], point)
        if value > 0:
            found[k] = [_ratio(-a * point[-1], value) for a in rows[k][:-1]]
    return found


def _ratio(above: int, below: int) -> float:
    try:
        return above / below
    except OverflowError:
        return 1e300 if above > 0 else -1e300


def _ints(point: Point) -> Row:
    return tuple(map(int, point)) if is_rational(point) else checker.homogeneous(point)


def _over_one_denominator(point: Sequence[Fraction]) -> Row:
    below = math.lcm(*(entry.denominator for entry in point))
    return (*(int(entry * below) for entry in point), below)


def _exact_combination(basis: list[Row], target: Row) -> tuple[int, ...]:
    """Rows that combine to the best bound of a target, by an exact linear program."""
    found = exact.maximise(
        [-entry for entry in target], [[-a for a in row[:-1]] for row in basis], [row[-1] for row in basis]
    )
    if found.status is not LPStatus.OPTIMAL:
        return ()
    return tuple(sorted(found.multipliers))


@gradual_underflow()
def prove(part: Partition, *, workers: int = 1) -> Certificate:
    """Prove a partition: make a certificate that a checker of its own verifies.

    Parameters
    ----------
    part
        A partition of either engine, over any domain, complete or partial. Of a partial one, what is listed
        is proven, and that nothing is missing around the regions that were expanded.
    workers
        Processes; the certificate is the same for any number.

    Returns
    -------
    Certificate
        ``.check()`` checks it, ``.save(path)`` writes it for ``python -m polyspline.proof.check``.

    Raises
    ------
    InvariantError
        If the partition is wrong, so that it has no proof; the message says where.

    Notes
    -----
    Guarantee: none is needed. The index sets and points are sought in floating point, and in rationals where
    the checker's arithmetic refuses those; that they prove the partition is for the checker to say.

    Algorithm: a linear program over its facets for each side of a region's box and each row that the box
    does not settle, and about one exact product of rows and points for each region and edge.
    """
    expanded, first, blocks = proof_parts(part, workers)
    return Certificate(first + b"".join(blocks), len(part), expanded)


def proof_parts(part: Partition, workers: int, done: int = 0) -> tuple[int, bytes, Iterator[bytes]]:
    """Return E, the bytes before the blocks, and the blocks that come after so many that are done."""
    prover = Prover(part)
    first = head(part.net, part.domain, len(part), prover.expanded)
    return prover.expanded, first, _blocks(prover, workers, range(0, len(part), BLOCK)[done:])


def _blocks(prover: Prover, workers: int, starts: range) -> Iterator[bytes]:
    if workers > 1 and len(starts) > 1:
        with multiprocessing.get_context("spawn").Pool(workers, _load, (prover.part,)) as pool:
            yield from pool.imap(_proven_block, starts)
    else:
        yield from map(prover.block, starts)


@gradual_underflow()
def prove_to_file(part: Partition, path: Path, *, workers: int = 1) -> int:
    """Write the certificate of a partition block by block, and go on where an earlier call was stopped.

    Until it is whole the file is called ``FILE.partial``. Blocks are the same however often the writing is
    stopped.

    Parameters
    ----------
    part
        The partition.
    path
        Where to write; what is there is replaced.
    workers
        Processes.

    Returns
    -------
    int
        E, see `Certificate.expanded`.

    Raises
    ------
    OutputError
        If the file cannot be written there.
    InvariantError
        If the partition is wrong, so that it has no proof.
    """
    check_writable(path)
    partial = path.with_name(f"{path.name}.partial")
    _, first, _ = proof_parts(part, 1)
    try:
        kept = partial.read_bytes() if partial.exists() else b""
        ends = _section_ends(kept, len(first)) if kept.startswith(first) else []
        expanded, _, blocks = proof_parts(part, workers, len(ends))
        with open(partial, "r+b" if ends else "wb") as stream:
            if not ends:
                stream.write(first)
            stream.truncate(stream.seek(ends[-1] if ends else len(first)))
            for block in blocks:
                stream.write(block)
                stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except OSError as failure:
        raise OutputError(f"cannot write {path}: {failure.strerror or failure}.") from failure
    return expanded


def _section_ends(data: bytes, start: int) -> list[int]:
    """Where the whole sections from a place on end."""
    reader, ends = checker.Reader(data), []
    reader.at = start
    while reader.at < len(data):
        try:
            reader.section()
        except (ValueError, struct.error):  # the one that was being written
            break
        ends.append(reader.at)
    return ends


_provers: list[Prover] = []


def _load(part: Partition) -> None:
    _provers[:] = [Prover(part)]


@gradual_underflow()
def _proven_block(start: int) -> bytes:
    return _provers[0].block(start)
