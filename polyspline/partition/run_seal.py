"""The checksum of all rows of a run file, kept up with every row that is added or deleted.

It is the sum of the digests of the rows, modulo 2^128: rows may come and go in any order, and nothing that
is in the file already is read again. It finds damage, and edits by hand; who sets out to forge a run can
compute it, too. What a series holds is covered by the CRC-32 in the row of each chunk.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterable, Sequence
from typing import Any

COLUMNS = {
    "meta": ("key", "value"),
    "arrays": ("name", "npy"),
    "progress": ("id", "regions", "expanded", "edges", "exact_fallbacks", "seconds"),
    "finish": ("id", "stop", "closing_edges", "frontier", "exact_fallbacks", "seconds"),
    "chunks": ("series", "start", "count", "crc32"),
    "exact_witnesses": ("region", "point"),
}
"""Tables, and the columns of theirs that are summed: all but the bytes of chunks, whose CRC-32 is."""

_DIGEST_BYTES = 16
_MODULUS = 1 << (8 * _DIGEST_BYTES)


def row_digest(table: str, row: Sequence[Any]) -> int:
    """Digest of a row: of the table's name, and the type, the length and the bytes of each value."""
    digest = hashlib.blake2b(table.encode(), digest_size=_DIGEST_BYTES)
    for value in row:
        if isinstance(value, bytes):
            kind, data = b"b", value
        elif isinstance(value, str):
            kind, data = b"s", value.encode("utf-8")
        elif isinstance(value, float):
            kind, data = b"f", struct.pack("<d", value)
        else:
            kind, data = b"i", repr(value).encode()
        digest.update(kind + struct.pack("<Q", len(data)))
        digest.update(data)
    return int.from_bytes(digest.digest(), "little")


def rows_sum(table: str, rows: Iterable[Sequence[Any]]) -> int:
    """Sum of the digests of rows."""
    return sum(row_digest(table, row) for row in rows) % _MODULUS


def file_sum(connection: sqlite3.Connection) -> int:
    """Sum of the digests of all rows that are in the file."""
    total = 0
    for table, columns in COLUMNS.items():
        total += rows_sum(table, connection.execute(f"SELECT {', '.join(columns)} FROM {table}"))
    return total % _MODULUS


def stored_sum(connection: sqlite3.Connection) -> int | None:
    """Sum that the file says it has; None if it says none."""
    rows = connection.execute("SELECT digest FROM seal").fetchall()
    if len(rows) != 1 or not isinstance(rows[0][0], bytes) or len(rows[0][0]) != _DIGEST_BYTES:
        return None
    return int.from_bytes(rows[0][0], "little")


def add_to_sum(connection: sqlite3.Connection, change: int) -> None:
    """Add to the sum in the file what rows that were added or, negative, deleted make of it."""
    before = stored_sum(connection)
    if before is None:
        raise sqlite3.DatabaseError("its checksum is missing")
    write_sum(connection, before + change)


def write_sum(connection: sqlite3.Connection, total: int) -> None:
    """Set the sum in the file."""
    data = (total % _MODULUS).to_bytes(_DIGEST_BYTES, "little")
    connection.execute("INSERT OR REPLACE INTO seal VALUES (1, ?)", (data,))
