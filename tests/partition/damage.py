"""Single-bit damage to run files: ``python -m tests.partition.damage rows|file [RUN]``, every bit.

Of the values of every row (under a minute), or of the file itself (some ten minutes); without a file, of a
run of a small network. A flip is right if the file is then refused, or read as the very
same run. `every_flip` gives the flips in the values of rows, `raw_flips` those in the bytes of the file.
"""

from __future__ import annotations

import shutil
import sqlite3
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from polyspline.errors import RunFileError
from polyspline.partition.run_schema import connect
from polyspline.partition.run_state import StoredRun, read_run

TABLES = ("meta", "progress", "finish", "chunks", "exact_witnesses", "arrays", "seal")

Flip = tuple[str, int, str, int]
"""Table, rowid, column, bit of its value."""


def _bits(value: Any) -> int:
    """Bits of a value as it is flipped: integers and floats have 64."""
    if isinstance(value, str):
        return 8 * len(value.encode())
    return 8 * len(value) if isinstance(value, bytes) else 64


def flipped(value: Any, bit: int) -> Any:
    """Give a value with one bit flipped; text that is no UTF-8 any more as the bytes of a text."""
    if isinstance(value, int):
        (number,) = struct.unpack("<q", struct.pack("<Q", (value % (1 << 64)) ^ (1 << bit)))
        return number
    data = bytearray(struct.pack("<d", value) if isinstance(value, float) else value)
    data[bit // 8] ^= 1 << (bit % 8)
    return struct.unpack("<d", data)[0] if isinstance(value, float) else bytes(data)


def every_flip(path: Path) -> Iterator[Flip]:
    """Give every bit of every value of every row of a run file."""
    with closing(sqlite3.connect(path)) as connection:
        for table in TABLES:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            query = f"SELECT rowid, {', '.join(columns)} FROM {table}"
            for rowid, *values in connection.execute(query).fetchall():
                for column, value in zip(columns, values, strict=True):
                    yield from ((table, rowid, column, bit) for bit in range(_bits(value)))


def apply_flip(connection: sqlite3.Connection, flip: Flip) -> bool:
    """Flip one bit of a value; False where the table itself does not take what comes of it."""
    table, rowid, column, bit = flip
    connection.text_factory = bytes
    query = f"SELECT {column}, TYPEOF({column}) FROM {table} WHERE rowid = ?"
    value, kind = connection.execute(query, (rowid,)).fetchone()
    changed = flipped(value, bit)
    mark = "CAST(? AS TEXT)" if kind == b"text" else "?"
    try:
        connection.execute(f"UPDATE {table} SET {column} = {mark} WHERE rowid = ?", (changed, rowid))
    except sqlite3.IntegrityError:
        return False
    return True


def same_run(one: StoredRun, two: StoredRun) -> bool:
    """Whether two runs are the same in all that they say."""
    for item in fields(StoredRun):
        left, right = getattr(one, item.name), getattr(two, item.name)
        if item.name == "within":
            left, right = repr(left), repr(right)
        if isinstance(left, np.ndarray):
            if left.dtype != right.dtype or left.tobytes() != right.tobytes():
                return False
        elif left != right:
            return False
    return True


def is_right(path: Path, whole: StoredRun) -> bool:
    """Whether a damaged file is refused, or read as what it was."""
    try:
        return same_run(read_run(path), whole)
    except RunFileError:
        return True


def wrong_flips(path: Path, flips: Iterator[Flip] | list[Flip], folder: Path) -> list[Flip]:
    """Those flips after which another run is read."""
    whole, copy = read_run(path), folder / "flipped"
    wrong = []
    for flip in flips:
        shutil.copyfile(path, copy)
        with closing(connect(copy)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            taken = apply_flip(connection, flip)
        if taken and not is_right(copy, whole):
            wrong.append(flip)
    return wrong


def wrong_raw_flips(path: Path, bits: Iterator[int] | list[int], folder: Path) -> list[int]:
    """Those bits of the file itself after whose flip another run is read."""
    whole, copy, data = read_run(path), folder / "flipped", path.read_bytes()
    wrong = []
    for bit in bits:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << (bit % 8)
        copy.write_bytes(changed)
        if not is_right(copy, whole):
            wrong.append(bit)
        copy.with_name(f"{copy.name}-wal").unlink(missing_ok=True)
        copy.with_name(f"{copy.name}-shm").unlink(missing_ok=True)
    return wrong


def main(arguments: list[str]) -> int:
    """Flip every bit of every row, or of the file; print how many are wrong."""
    what, *rest = arguments
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = Path(rest[0]) if rest else folder / "run"
        if not rest:
            import polyspline as ps

            net, box = ps.zoo.random_network([2, 5, 1], seed=1), ps.Box(-1, 1, dim=2)
            ps.enumerate_regions(net, box, max_regions=9, run_file=run, method="walk")
        wrong: list[Any]
        if what == "rows":
            flips = list(every_flip(run))
            tried, wrong = len(flips), wrong_flips(run, flips, folder)
        else:
            tried = 8 * run.stat().st_size
            wrong = wrong_raw_flips(run, iter(range(tried)), folder)
    print(f"{tried} bits flipped, {len(wrong)} read as another run: {wrong[:20]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
