"""Check a certificate: whether the listed regions and neighbours are those of the network over the domain.

``python check.py FILE`` needs Python alone. Integers decide; nothing is searched for, nothing of the file is
executed. ``docs/certificate.md`` has the format and the argument. Exit status: 0 proven, 1 refused, 2 no
certificate, 3 a sample was checked, which is no proof.
"""

import argparse
import hashlib
import multiprocessing
import random
import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, count, islice, pairwise
from operator import mul
from typing import Any

MAGIC = b"PSPROOF1"
PROVEN, REFUSED, BAD, SAMPLED = 0, 1, 2, 3
COLUMNS = 13
Row = tuple[int, ...]  # coefficients (a ..., b) of a . z + b; of a point: numerators and their denominator
Numbers = tuple[float, ...]
Verdict = tuple[int, str]
_MOST, _MOST_BYTES, _MOST_BITS = 1 << 32, 1 << 30, 1 << 18
# All that Python raises on bytes that are no certificate, or one larger than the machine.
_DAMAGE = (
    ValueError, LookupError, TypeError, ArithmeticError, OSError, MemoryError, RuntimeError, StopIteration,
    struct.error,
)  # fmt: skip


class RefusedError(Exception):
    """The file does not prove its claim; the message says where."""


class Reader:
    """Bytes, read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """Next bytes."""
        self.at += size
        if self.at > len(self.data):
            raise ValueError("a part of it ends too early")
        return self.data[self.at - size : self.at]

    def number(self, most: int = _MOST) -> int:
        """Next number: seven bits a byte, the lowest first."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128 and value <= most:
                return value
            if byte < 128:
                break
        raise ValueError("a number in it is too large")

    def numbers(self) -> Iterator[int]:
        """All numbers that are left."""
        while self.at < len(self.data):
            yield self.number()

    def floats(self, size: int) -> Numbers:
        """Next float64 numbers."""
        return struct.unpack(f"<{size}d", self.take(8 * size))

    def section(self) -> bytes:
        """Next part: its compressed size, its size, its bytes as zlib compresses them."""
        packed, size = struct.unpack("<II", self.take(8))
        inflate = zlib.decompressobj()
        try:
            raw = inflate.decompress(self.take(packed), min(size, _MOST_BYTES) + 1)
        except zlib.error as damage:
            raise ValueError("a part of it does not decompress") from damage
        if len(raw) != size or not inflate.eof or inflate.unused_data:
            raise ValueError("a part of it has not the size that it says")
        return raw

    def rational(self, size: int) -> Row:
        """Next rational point: so many numerators, and the denominator they have."""
        parts = [self.take(self.number(1 << 16)) for _ in range(size + 1)]
        point = [int.from_bytes(part, "little", signed=True) for part in parts]
        if point[-1] <= 0:
            raise ValueError("a denominator in it is not positive")
        return tuple(point)


def exponent_of(values: Iterable[float]) -> int:
    """Least power of two that makes all of them integers."""
    return max((value.as_integer_ratio()[1].bit_length() - 1 for value in values), default=0)


def integers(values: Iterable[float], exponent: int) -> list[int]:
    """Floats times a power of two that makes them integers."""
    return [(above << exponent) // below for above, below in (value.as_integer_ratio() for value in values)]


def homogeneous(floats: Sequence[float]) -> Row:
    """Floats as numerators, and behind them the denominator that they have."""
    return tuple(integers((*floats, 1.0), exponent_of(floats)))


def domain_rows(raw: bytes, size: int) -> list[Row]:
    """Rows ``h - G z >= 0`` of a domain."""
    reader = Reader(raw)
    found = [homogeneous(reader.floats(size + 1))[:-1] for _ in range(reader.number())]
    if reader.at != len(raw):
        raise ValueError("its domain is longer than its content")
    return [(*(-entry for entry in row[:-1]), row[-1]) for row in found]


class Network:
    """The network of a certificate, and the rows of any of its codes."""

    def __init__(self, raw: bytes) -> None:
        self.reader = reader = Reader(raw)
        self.digest = hashlib.sha256(raw).hexdigest()
        self.S = width = reader.number(1 << 16)
        self.shift: list[int] = []  # place of each unit's piece in the code
        self.pieces: list[int] = []
        self.unit_at: list[int] = []  # unit of each bit of the code
        # Of each layer: rows (columns or None for all, weights), biases, units (first row, table, number in
        # the code or -1, members), tables (knots, slopes, offsets), mask of the code before; all integers.
        self.layers: list[tuple[Any, list[int], Sequence[Row], Any, int]] = []
        self.exponent, self.size, self.bits, last = 0, 1, 2, 0
        for depth in range(reader.number()):
            before = len(self.unit_at)
            width = self._read(width)
            last = depth + 1 if len(self.unit_at) > before else last
        if reader.at != len(raw) or not self.S or not self.layers:
            raise ValueError("its network is not as it should be")
        self.places = [self.bits * k for k in range(self.S + 1)]
        self.half, self.mask = 1 << self.bits - 1, (1 << self.bits) - 1
        self.lift = sum(self.half << place for place in self.places)
        self.room = max(16, 100_000 // (1 + sum(len(layer[0]) for layer in self.layers)))
        del self.layers[last:]  # what comes after the last unit makes no row
        for layer in self.layers:
            layer[1][:] = [bias << self.places[-1] for bias in layer[1]]
        self.cache: dict[tuple[int, int], tuple[list[int], dict[int, list[tuple[int, Row]]]]] = {}

    def _read(self, width: int) -> int:
        """Read a layer; the number of its outputs."""
        reader, rows, units = self.reader, [], []
        tables: list[tuple[int, Numbers, Numbers, Numbers]] = []
        before = (1 << len(self.unit_at)) - 1
        for _ in range(reader.number()):
            columns = [reader.number(width - 1) for _ in range(reader.number(width))]
            if any(a >= b for a, b in pairwise(columns)):
                raise ValueError("the columns of a row do not ascend")
            rows.append((columns, reader.floats(len(columns))))
        biases = reader.floats(len(rows))
        for _ in range(reader.number()):
            members = reader.number(min(len(rows), 1 << 15))
            if members:
                tables.append((members, (), (1.0,) * members, (0.0,) * members))
                continue
            knots = reader.number(1 << 15)
            tables.append((0, reader.floats(knots), reader.floats(knots + 1), reader.floats(knots + 1)))
            _check_table(*(list(map(Fraction, part)) for part in tables[-1][1:]))
        taken = 0
        while taken < len(rows):
            name = reader.number()
            members, pieces = max(tables[name][0], 1), len(tables[name][2])
            units.append((taken, name, len(self.pieces) if pieces > 1 else -1, members))
            taken += members
            if pieces > 1:
                self.shift.append(len(self.unit_at))
                self.unit_at += [len(self.pieces)] * (pieces - 1).bit_length()
                self.pieces.append(pieces)
        if taken != len(rows) or not rows:
            raise ValueError("its units do not fit its rows")
        # Bring the layer to integers over powers of two, and find how many bits a coefficient may need.
        parts = [part for table in tables for part in table[1:]]
        knot, slope, offset = ([x for part in parts[k::3] for x in part] for k in range(3))
        weights = [x for _, row in rows for x in row]
        here = max(self.exponent + exponent_of(weights), exponent_of((*biases, *knot)))
        after = max(here + exponent_of(slope), exponent_of(offset))
        if (here + after) * (self.S + 1) < _MOST_BITS:
            moves = (here, after - here, after)
            scaled = [[integers(part, e) for part, e in zip(t[1:], moves, strict=True)] for t in tables]
            bias = integers(biases, here)
            lines = [(c if len(c) < width else None, integers(row, here - self.exponent)) for c, row in rows]
            size = max(sum(map(abs, w)) * self.size + abs(b) for (_, w), b in zip(lines, bias, strict=True))
            farthest = max(map(abs, integers(knot, here)), default=0)
            self.bits = max(self.bits, (2 * size + farthest).bit_length() + 2)
            self.size = max(max(map(abs, s)) * size + max(map(abs, o)) for _, s, o in scaled)
            self.exponent = after
            self.layers.append((lines, bias, units, scaled, before))
            if self.bits * (self.S + 1) < _MOST_BITS:
                return len(units)
        raise ValueError("its numbers need too many bits")

    def split(self, packed: int) -> Row:
        """Coefficients of an affine function that is packed into one integer."""
        lifted, mask, half = packed + self.lift, self.mask, self.half
        return tuple([(lifted >> place & mask) - half for place in self.places])

    def piece(self, code: int, unit: int) -> int:
        """Piece of a unit in a code."""
        return code >> self.shift[unit] & (1 << (self.pieces[unit] - 1).bit_length()) - 1

    def rows_of(self, code: int) -> tuple[list[int], list[Row]]:
        """Names ``unit << 16 | piece beyond`` of the rows of a code, and the rows: ``a . z + b >= 0``."""
        sides: list[tuple[int, Row]] = []
        state: Any = None
        for depth, (lines, biases, units, _, before) in enumerate(self.layers):
            key = (depth, code & before)
            above, state = state, self.cache.pop(key, None)
            if state is None:
                inputs = [1 << place for place in self.places[:-1]]
                inputs = self._outputs(depth - 1, above[0], code) if depth else inputs
                state = [], {}
                for (c, weights), bias in zip(lines, biases, strict=True):
                    chosen = inputs if c is None else [inputs[k] for k in c]
                    state[0].append(sum(map(mul, weights, chosen), bias))
            self.cache[key] = state
            for unit in units:
                if unit[2] >= 0:
                    name = unit[2] << 16 | self.piece(code, unit[2])
                    if name not in state[1]:
                        state[1][name] = list(self._sides(depth, unit, name & 0xFFFF, state[0]))
                    sides += state[1][name]
        while len(self.cache) > self.room:
            del self.cache[next(iter(self.cache))]
        return [name for name, _ in sides], [row for _, row in sides]

    def _outputs(self, depth: int, values: list[int], code: int) -> list[int]:
        found, tables = [], self.layers[depth][3]
        for first, name, unit, members in self.layers[depth][2]:
            piece = self.piece(code, unit) if unit >= 0 else 0
            value = values[first + piece if members > 1 else first]
            found.append(tables[name][1][piece] * value + (tables[name][2][piece] << self.places[-1]))
        return found

    def _sides(self, depth: int, unit: Row, piece: int, values: list[int]) -> Iterator[tuple[int, Row]]:
        first, table, name, members = unit
        if members > 1:
            for other in (q for q in range(members) if q != piece):
                yield name << 16 | other, self.split(values[first + piece] - values[first + other])
            return
        knots = [knot << self.places[-1] for knot in self.layers[depth][3][table][0]]
        if piece > 0:
            yield name << 16 | piece - 1, self.split(values[first] - knots[piece - 1])
        if piece < len(knots):
            yield name << 16 | piece + 1, self.split(knots[piece] - values[first])


def _check_table(knots: list[Fraction], slopes: list[Fraction], offsets: list[Fraction]) -> None:
    for k, knot in enumerate(knots):
        jump = slopes[k + 1] - slopes[k]
        if jump == 0 or jump * knot + offsets[k + 1] != offsets[k] or (k and knot <= knots[k - 1]):
            raise RefusedError(f"pieces {k} and {k + 1} of a unit's table do not meet in a kink")


def joined(data: bytes, records: int, width: int) -> bytes:
    """Put records together of which all first bytes come first, then all second bytes ..."""
    if len(data) != records * width:
        raise ValueError("a column of it has not one record for each")
    found = bytearray(len(data))
    for b in range(width):
        found[b::width] = data[b * records : (b + 1) * records]
    return bytes(found)


def dot(row: Row, point: Row) -> int:
    """Value of a row at a point, times the point's denominator."""
    return sum(map(mul, row, point))


def is_multiple(row: Row, other: Row) -> bool:
    """Whether a row is a multiple, zero included, of one that is not zero."""
    k = next(i for i, entry in enumerate(other) if entry)
    return all(row[k] * theirs == mine * other[k] for mine, theirs in zip(row, other, strict=True))


def is_beyond(point: Row, facet: Row, rows: Sequence[Row], domain: Sequence[Row]) -> bool:
    """Whether a point is beyond a facet and strictly inside all rows that are no multiple of it."""
    if dot(facet, point) >= 0 or any(dot(row, point) <= 0 for row in domain):
        return False
    return all(dot(row, point) > 0 or is_multiple(row, facet) for row in rows)


def least(basis: Sequence[Row], target: Row) -> tuple[int, int] | None:
    """Lower bound ``n / d`` of ``target . z`` where rows are >= 0, as their combination; None if it is none.

    Elimination without fractions gives the multipliers; the result rests on the products at the end alone.
    """
    size, last = len(basis[0]) - 1, 1
    work = [[row[r] for row in basis] + [target[r]] for r in range(size)]
    for c in range(len(basis)):
        pivot = next((r for r in range(c, size) if work[r][c]), None)
        if pivot is None:
            return None
        work[c], work[pivot] = work[pivot], work[c]
        head, p = work[c], work[c][c]
        for r in range(size):
            if r != c:
                f = work[r][c]
                work[r] = [(p * x - f * y) // last for x, y in zip(work[r], head, strict=True)]
        last = p
    sign = -1 if last < 0 else 1
    multipliers, last = [sign * work[c][-1] for c in range(len(basis))], abs(last)
    sums = [sum(map(mul, multipliers, column)) for column in zip(*basis, strict=True)]
    if min(multipliers) < 0 or any(x != last * t for x, t in zip(sums[:size], target[:size], strict=True)):
        return None
    return -sums[size], last


def box_of(bounds: Sequence[tuple[int, int] | None]) -> tuple[list[int | None], int]:
    """Lower bounds of z_0, -z_0, z_1 ... as integers over ``2 ** exponent``, rounded down to 64 bits."""
    # In lowest terms, so that the rounding does not depend on how the rows are scaled.
    terms = [bound and Fraction(*bound).as_integer_ratio() for bound in bounds]
    size = [64 - abs(t[0]).bit_length() + t[1].bit_length() if t else 0 for t in terms]
    top = max(0, *size)
    return [
        t and (t[0] << max(e, 0)) // (t[1] << max(-e, 0)) << top - e for t, e in zip(terms, size, strict=True)
    ], top  # fmt: skip


def box_settles(row: Row, box: list[int | None], exponent: int) -> bool:
    """Whether a row is >= 0 on a box."""
    total = row[-1] << exponent
    for k, a in enumerate(row[:-1]):
        if a:
            side = box[2 * k + (a < 0)]
            if side is None:
                return False
            total += abs(a) * side
    return total >= 0


class Certificate:
    """What a file claims, and the parts of its proof."""

    def __init__(self, data: bytes) -> None:
        self.reader = reader = Reader(data)
        if reader.take(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin like one")
        self.net = Network(reader.section())
        self.domain = domain_rows(reader.section(), self.net.S)
        self.count, self.expanded = Reader(reader.section()).numbers()
        self.codes: list[int] = []
        self.floats = array("d")  # S for each region
        self.exact: dict[int, Row] = {}  # witnesses that no floats are
        self.neighbours: list[array[int]] = []  # of each region: neighbour << 2 | what is tested here
        self.blocks: list[tuple[int, int, int]] = []  # place in the file, regions from, to
        while len(self.codes) < self.count:
            self._read()
        if reader.at != len(data) or len(self.codes) != self.count or self.expanded > self.count:
            raise ValueError("it has not as many regions as it says")
        if not self.count or len(set(self.codes)) < self.count:
            raise RefusedError("there is no region, or one twice")

    def columns(self, place: int) -> list[bytes]:
        """Columns of the block at a place in the file."""
        self.reader.at = place
        raw = Reader(self.reader.section())
        return [raw.take(raw.number()) for _ in range(COLUMNS)]

    def _read(self) -> None:
        """Codes, witnesses and edges of the next block."""
        net, first, place = self.net, len(self.codes), self.reader.at
        head, codes, floats, exact, edges, flags, *_ = self.columns(place)
        regions = range(first, first + Reader(head).number())
        self.blocks.append((place, first, regions.stop))
        size, rationals, at = (len(net.unit_at) + 7) // 8, Reader(exact), first - 1
        packed = joined(codes, len(regions), size)
        while rationals.at < len(exact):
            at += rationals.number() + 1
            self.exact[at] = rationals.rational(net.S)
        loose = [i for i in regions if i not in self.exact]
        values = iter(struct.unpack(f"<{len(loose) * net.S}d", joined(floats, len(loose), 8 * net.S)))
        links, e, uneven = Reader(edges).numbers(), 0, [u for u, n in enumerate(net.pieces) if n & n - 1]
        for i in regions:
            code = int.from_bytes(packed[(i - first) * size : (i - first + 1) * size], "little")
            if code >> len(net.unit_at) or any(net.piece(code, u) >= net.pieces[u] for u in uneven):
                raise RefusedError(f"region {i}: there is no such code")
            self.codes.append(code)
            self.floats.extend([0.0] * net.S if i in self.exact else _taken(values, net.S))
            self.neighbours.append(array("Q"))
            other = i
            for step in _taken(links, _taken(links, 1)[0]):
                other -= step
                if not step or other < 0:
                    raise RefusedError(f"region {i} has itself or one region twice for neighbours")
                flag = flags[e >> 2] >> 2 * (e & 3) & 3
                self.neighbours[i].append(other << 2 | flag)
                self.neighbours[other].append(i << 2 | (flag == 0))
                e += 1

    def witness(self, i: int) -> Row:
        """Witness of a region."""
        return self.exact.get(i) or homogeneous(self.floats[i * self.net.S : (i + 1) * self.net.S])

    def check_block(self, block: int, wanted: set[int] | None = None) -> int:
        """Check the regions of a block, or some of them; how many were."""
        place, first, last = self.blocks[block]
        *_, points, exact, side_sizes, sides, counts, sizes, rest = self.columns(place)
        size, tests = self.net.S, [e & 3 for i in range(first, last) for e in self.neighbours[i]]
        floats, rationals, done = Reader(joined(points, tests.count(2), 8 * size)), Reader(exact), 0
        box, other, number_of = _sets(side_sizes, sides), _sets(sizes, rest), Reader(counts).numbers()
        for i in range(first, last):
            beyond: list[Row | None] = []
            for entry in self.neighbours[i]:
                if entry & 2:
                    beyond.append(rationals.rational(size) if entry & 1 else homogeneous(floats.floats(size)))
                else:
                    beyond.append(self.witness(entry >> 2) if entry & 1 else None)
            of_box = _taken(box, 2 * size if i < self.expanded else 0)
            of_rows = _taken(other, _taken(number_of, 1)[0] if i < self.expanded else 0)
            if wanted is None or i in wanted:
                self.check_region(i, beyond, of_box, of_rows)
                done += 1
        rest_of = (floats.numbers(), rationals.numbers(), box, other, number_of)
        if any(next(left, None) is not None for left in rest_of):
            raise ValueError("a block of it holds more than its regions have")
        return done

    def check_region(self, i: int, beyond: list[Row | None], sides: list[Row], sets: list[Row]) -> None:
        """Check that a code is a region, that its neighbours are, and that there is no other."""
        net, code, domain, witness = self.net, self.codes[i], self.domain, self.witness(i)
        names, rows = net.rows_of(code)
        for name, row in zip(names, rows, strict=True):
            # A unit that is on its knot in the whole region is on the lower piece.
            if dot(row, witness) <= 0 and (any(row) or name & 0xFFFF < net.piece(code, name >> 16)):
                raise RefusedError(f"region {i}: its witness is not strictly inside {_named(name)}")
        if any(dot(row, witness) <= 0 for row in domain):
            raise RefusedError(f"region {i}: its witness is not strictly inside the domain")
        place, facets = dict(zip(names, count())), []
        for entry, point in zip(self.neighbours[i], beyond, strict=True):
            facets.append(facet := self._facet(i, entry >> 2, place, rows))
            if point is not None and not is_beyond(point, rows[facet], rows, domain):
                reason = f"their point is not beyond {_named(names[facet])} alone"
                raise RefusedError(f"regions {i} and {entry >> 2}: {reason}")
        if i >= self.expanded:
            return
        basis, bounds = [rows[facet] for facet in facets] + domain, []
        for k, members in enumerate(sides):
            side = tuple([(-1 if k & 1 else 1) * (k >> 1 == c) for c in range(net.S)])
            where = f"region {i}: side {k} of its box"
            bounds.append(_bound(basis, members, side, where) if members else None)
        (box, exponent), listed, of_rows = box_of(bounds), set(facets), iter(sets)
        for k, row in enumerate(rows):
            if k not in listed and any(row[:-1]) and not box_settles(row, box, exponent):
                where = f"region {i}: {_named(names[k])}"
                above, below = _bound(basis, next(of_rows, ()), row[:-1], where)
                if above + below * row[-1] < 0:
                    raise RefusedError(f"{where} is no facet that is listed, and does not follow from those")
        if next(of_rows, None) is not None:
            raise RefusedError(f"region {i}: there are more index sets than rows that need one")

    def _facet(self, i: int, j: int, place: dict[int, int], rows: list[Row]) -> int:
        """Row between two regions; all units that differ must have a multiple of it between their pieces."""
        net, apart, facet = self.net, self.codes[i] ^ self.codes[j], -1
        while apart:
            unit = net.unit_at[(apart & -apart).bit_length() - 1]
            apart &= ~(((1 << (net.pieces[unit] - 1).bit_length()) - 1) << net.shift[unit])
            row = place.get(unit << 16 | net.piece(self.codes[j], unit), -1)
            if row < 0 or not (any(rows[row][:-1]) if facet < 0 else is_multiple(rows[row], rows[facet])):
                raise RefusedError(f"regions {i} and {j}: unit {unit} cannot differ across one facet")
            facet = row if facet < 0 else facet
        return facet


def _bound(basis: list[Row], members: Row, target: Row, where: str) -> tuple[int, int]:
    usable = 0 < len(members) <= len(target) and members[-1] < len(basis)
    found = least([basis[k] for k in members], target) if usable else None
    if found is None:
        raise RefusedError(f"{where} is no combination of the rows that are named for it")
    return found


def _named(name: int) -> str:
    return f"the row of unit {name >> 16} towards piece {name & 0xFFFF}"


def _taken(values: Iterator[Any], size: int) -> list[Any]:
    found = list(islice(values, size))
    if len(found) != size:
        raise ValueError("a column of it is too short")
    return found


def _sets(sizes: bytes, indices: bytes) -> Iterator[Row]:
    numbers = Reader(indices).numbers()
    for size in Reader(sizes).numbers():
        yield tuple(k + c for c, k in enumerate(accumulate(_taken(numbers, size))))


_loaded: list[Certificate] = []


def _load(data: bytes) -> None:
    _loaded[:] = [Certificate(data)]


def _check(block: int) -> int:
    return _loaded[0].check_block(block)


def check(data: bytes, sample: int | None = None, seed: int = 0, workers: int = 1, net: str = "") -> Verdict:
    """Check a certificate, or `sample` regions of it; `net` is the digest that its network must have."""
    try:
        found = Certificate(data)
        blocks, wanted = range(len(found.blocks)), set(range(0))
        if net and net.lower() != found.net.digest:
            raise RefusedError(f"it is of another network, {found.net.digest}")
        if sample is not None:
            wanted = set(random.Random(seed).sample(range(found.count), min(max(sample, 0), found.count)))
            blocks_of = [b for b in blocks if wanted.intersection(range(*found.blocks[b][1:]))]
            done = sum(found.check_block(b, wanted) for b in blocks_of)
            return SAMPLED, f"no proof: {done:,} of {found.count:,} regions were checked, and are right."
        if workers > 1:
            with multiprocessing.Pool(workers, _load, (data,)) as pool:
                done = sum(pool.imap(_check, blocks))
        else:
            done = sum(map(found.check_block, blocks))
    except RefusedError as reason:
        return REFUSED, f"refused: {reason}."
    except _DAMAGE as reason:
        return BAD, f"this is no certificate that can be read: {reason or type(reason).__name__}."
    if done != found.count:
        return REFUSED, f"refused: only {done:,} of {found.count:,} regions were checked."
    edges = sum(map(len, found.neighbours)) // 2
    claim = f"{done:,} regions and {edges:,} pairs of neighbours over {len(found.domain)} domain rows"
    rest = "there are no others" if found.expanded == done else (
        f"of the first {found.expanded:,} all facets and neighbours are among them")  # fmt: skip
    return PROVEN, f"proven: {claim}; {rest}. Network {found.net.digest}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the file that the command line names."""
    parser = argparse.ArgumentParser(description="Check the certificate of a partition.")
    parser.add_argument("file")
    parser.add_argument("--sample", type=int, metavar="N", help="check N regions only, which is no proof")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--net", default="", metavar="DIGEST", help="the network's, as digest.py prints it")
    given = vars(parser.parse_args(arguments))
    try:
        with open(given.pop("file"), "rb") as stream:
            status, sentence = check(stream.read(), **given)
    except OSError as failure:
        status, sentence = BAD, f"the file cannot be read: {failure.strerror}."
    print(sentence)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
