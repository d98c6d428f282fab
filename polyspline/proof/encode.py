"""The bytes of a certificate: what `polyspline.proof.check` reads."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from polyspline.cpa.units import MaxGroup
from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.partition import Partition
from polyspline.proof.check import MAGIC
from polyspline.proof.digest import LayerTable, Table, network_bytes, number

BLOCK = 1024
"""Regions in a block."""
_ROWS = 4096

Point = tuple[float, ...] | tuple[int, ...]
"""S floats, or S numerators and the denominator that they have."""


@dataclass
class RegionProof:
    """What a certificate says of one region.

    Attributes
    ----------
    code
        Pieces, packed as in `packed_codes`.
    witness
        A point strictly inside.
    neighbours
        Neighbours of lower index, descending.
    flags
        For each of them: 0 our witness is beyond the facet as seen from there, 1 its witness as seen from
        here, 2 and 3 a stored point (floats, a rational one) as seen from here.
    points
        The stored points.
    sides
        Index sets for the sides of the box, 2 S of them; None where the region is not expanded.
    rows
        Index sets for the rows that are no facet and that the box does not settle.
    """

    code: int
    witness: Point
    neighbours: list[int]
    flags: list[int]
    points: list[Point] = field(default_factory=list)
    sides: list[tuple[int, ...]] | None = None
    rows: list[tuple[int, ...]] = field(default_factory=list)


def packed_codes(part: Partition, n_pieces: Sequence[int]) -> list[int]:
    """Pack the codes of all regions into integers, the first unit in the lowest bits of each."""
    bits = [(count - 1).bit_length() for count in n_pieces]
    units = np.repeat(np.arange(len(bits)), bits)
    places = np.concatenate([np.arange(count) for count in bits]) if bits else np.zeros(0, dtype=np.int64)
    found: list[int] = []
    for start in range(0, len(part), _ROWS):
        codes = part.packing.unpack(part.packed[start : start + _ROWS]).astype(np.int64)
        lines = np.packbits((codes[:, units] >> places) & 1 != 0, axis=1, bitorder="little")
        found += [int.from_bytes(line.tobytes(), "little") for line in lines]
    return found


def network_tables(net: Network) -> bytes:
    """Return the tables of a network, of which a certificate has the digest."""
    layers: list[LayerTable] = []
    for layer in net.layers:
        matrix = layer.matrix
        rows: list[tuple[Sequence[int], Sequence[float]]] = []
        for r in range(layer.n_rows):
            if isinstance(matrix, np.ndarray):
                columns = np.flatnonzero(matrix[r])
                rows.append((columns.tolist(), matrix[r, columns].tolist()))
            else:
                span = slice(matrix.indptr[r], matrix.indptr[r + 1])
                rows.append((matrix.indices[span].tolist(), matrix.data[span].tolist()))
        tables: dict[object, Table] = {
            unit: (unit.n_rows, (), (), ())
            if isinstance(unit, MaxGroup)
            else (0, unit.knots, unit.slopes, unit.offsets)
            for unit, _ in layer.kinds
        }
        layers.append((rows, layer.bias.tolist(), [tables[unit] for unit in layer.units]))
    return network_bytes(net.latent_dim, layers)


def domain_bytes(domain: Domain) -> bytes:
    """Return the rows of a domain: G and h side by side."""
    G, h = domain.rows()
    return number(len(h)) + np.hstack([G, h[:, None]]).astype("<f8").tobytes()


def section(raw: bytes) -> bytes:
    """Compress a part of the file, with its sizes before it."""
    packed = zlib.compress(raw, 9)
    return struct.pack("<II", len(packed), len(raw)) + packed


def head(net: Network, domain: Domain, regions: int, expanded: int) -> bytes:
    """All that comes before the blocks."""
    claim = number(regions) + number(expanded)
    return MAGIC + section(network_tables(net)) + section(domain_bytes(domain)) + section(claim)


def block_bytes(first: int, proofs: Sequence[RegionProof], code_bits: int) -> bytes:
    """One block: the regions from index `first` on, one column for each field."""
    size = (code_bits + 7) // 8
    exact = [k for k, proof in enumerate(proofs) if is_rational(proof.witness)]
    gaps = [b - a - 1 for a, b in zip([-1, *exact], exact, strict=False)]
    flags = [flag for proof in proofs for flag in proof.flags]
    points = [point for proof in proofs for point in proof.points]
    sides = [chosen for proof in proofs for chosen in proof.sides or ()]
    rows = [chosen for proof in proofs for chosen in proof.rows]
    columns = [
        number(len(proofs)),
        _planes(b"".join(proof.code.to_bytes(size, "little") for proof in proofs), size),
        _floats([proof.witness for proof in proofs]),
        b"".join(number(gap) + _rational(proofs[k].witness) for gap, k in zip(gaps, exact, strict=True)),
        _numbers(
            entry
            for i, proof in enumerate(proofs, first)
            for entry in (len(proof.neighbours), *_steps(i, proof.neighbours))
        ),
        bytes(sum(flag << 2 * k for k, flag in enumerate(flags[e : e + 4])) for e in range(0, len(flags), 4)),
        _floats(points),
        b"".join(_rational(point) for point in points if is_rational(point)),
        _numbers(map(len, sides)),
        _indices(sides),
        _numbers(len(proof.rows) for proof in proofs if proof.sides is not None),
        _numbers(map(len, rows)),
        _indices(rows),
    ]
    return section(b"".join(number(len(column)) + column for column in columns))


def _steps(i: int, neighbours: Sequence[int]) -> list[int]:
    return [a - b for a, b in zip([i, *neighbours], neighbours, strict=False)]


def _numbers(values: Iterable[int]) -> bytes:
    return b"".join(map(number, values))


def _indices(sets: Iterable[tuple[int, ...]]) -> bytes:
    """Ascending indices: the first one, and how many are left out before each of the others."""
    return _numbers(b - a - 1 for chosen in sets for a, b in zip((-1, *chosen), chosen, strict=False))


def is_rational(point: Point) -> bool:
    """Whether a point is of integers over one denominator."""
    return isinstance(point[0], int)


def _rational(point: Point) -> bytes:
    found = []
    for entry in map(int, point):
        size = (entry.bit_length() + 8) // 8
        found.append(number(size) + entry.to_bytes(size, "little", signed=True))
    return b"".join(found)


def _floats(points: Sequence[Point]) -> bytes:
    """Floats of all points that have them, byte by byte: the first bytes of all points first."""
    loose = np.array([point for point in points if not is_rational(point)], dtype="<f8")
    return _planes(loose.tobytes(), 8 * loose.shape[1]) if loose.size else b""


def _planes(data: bytes, width: int) -> bytes:
    return b"".join(data[k::width] for k in range(width))
