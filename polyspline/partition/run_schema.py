"""The shape of a run file: tables, header, chunks of arrays.

A run file is one SQLite database with our application id and the schema
version in its header. Arrays that grow with the run are *series*: sequences of
blobs of little-endian numbers, each with its first row, row count and CRC-32.

============================ ======== ============ =================================
series                       type     columns      rows
============================ ======== ============ =================================
packed                       uint64   words        regions, in order of discovery
points, entries              f8, i4   S, 1         the same: where each was entered
witnesses, witness_exact     f8, u1   S, 1         expanded regions
edges, edge_sources          i4, i4   2, 1         facets crossed by expanded regions
closing_edges, closing_...   i4, i4   2, 1         further edges among kept regions
frontier_witnesses, ..exact  f8, u1   S, 1         kept regions that are not expanded
============================ ======== ============ =================================

The `closing` and `frontier` series complete a run that a limit stopped; a
resumed run drops them.
"""

from __future__ import annotations

import io
import json
import math
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.errors import RunFileError

APPLICATION_ID = 0x506C5370  # "PlSp"
SCHEMA_VERSION = 1
BUSY_SECONDS = 60.0
_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_CHUNK_BYTES = 1 << 24

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE arrays (name TEXT PRIMARY KEY, npy BLOB NOT NULL);
CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    regions INTEGER NOT NULL, expanded INTEGER NOT NULL, edges INTEGER NOT NULL,
    exact_fallbacks INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE finish (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    stop TEXT NOT NULL, closing_edges INTEGER NOT NULL, frontier INTEGER NOT NULL,
    exact_fallbacks INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE chunks (
    series TEXT NOT NULL, start INTEGER NOT NULL, count INTEGER NOT NULL,
    crc32 INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (series, start));
CREATE TABLE exact_witnesses (region INTEGER PRIMARY KEY, point TEXT NOT NULL);
INSERT INTO progress VALUES (1, 0, 0, 0, 0, 0.0);
"""

CLOSING_SERIES = ("closing_edges", "closing_sources", "frontier_witnesses", "frontier_exact")


@dataclass(frozen=True)
class Progress:
    """What the committed transactions of a run file hold."""

    regions: int
    expanded: int
    edges: int
    exact_fallbacks: int
    seconds: float


@dataclass(frozen=True)
class Finish:
    """How a finished run ended: stop key, sizes of the closing series, final counters."""

    stop: str
    closing_edges: int
    frontier: int
    exact_fallbacks: int
    seconds: float


def check_header(path: Path) -> None:
    """Check that a file is a run file of a schema that this version reads.

    Parameters
    ----------
    path
        The file; only its first 100 bytes are read, without SQLite.

    Raises
    ------
    RunFileError
        If the file is missing, unreadable, not a run file, or of another schema.
    """
    try:
        with path.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
    except FileNotFoundError:
        raise RunFileError(f"{path}: there is no such run file; check the name.") from None
    except OSError as failure:
        reason = failure.strerror or type(failure).__name__
        raise RunFileError(
            f"{path}: cannot be read ({reason}); expected a run file of polyspline."
        ) from failure
    ours = (
        len(header) == _HEADER_BYTES
        and header.startswith(_MAGIC)
        and int.from_bytes(header[68:72], "big") == APPLICATION_ID
    )
    if not ours:
        raise RunFileError(
            f"{path}: is not a run file of polyspline; expected a file that 'polyspline enumerate -o' "
            "or Partition.save wrote."
        )
    version = int.from_bytes(header[60:64], "big")
    if version > SCHEMA_VERSION:
        raise RunFileError(
            f"{path}: was written by a newer polyspline (schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}); upgrade polyspline to read it."
        )
    if version < 1:
        raise RunFileError(f"{path}: has schema {version}, which never existed; the file is damaged.")


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing run file; transactions are begun and ended by hand.

    The journal is the rollback journal, which SQLite deletes at each commit, so
    that a closed run file is a single file. A journal left by a killed process
    is rolled back by the first reader.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def damaged(path: Path, what: str) -> RunFileError:
    """Build the error for a run file whose content contradicts itself."""
    return RunFileError(
        f"{path}: the run file is damaged ({what}); restore it from a copy, or enumerate again."
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever an unreadable run file causes into one `RunFileError`."""
    try:
        yield
    except RunFileError:
        raise
    except sqlite3.OperationalError as failure:
        raise RunFileError(
            f"{path}: cannot be read now ({failure}); wait until no other process writes to it, and check "
            "that the file and its folder may be read."
        ) from failure
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, EOFError, OverflowError) as failure:
        raise damaged(path, str(failure) or type(failure).__name__) from failure


def initialise(path: Path, arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> None:
    """Write a new, empty run file at a path where there is none.

    Parameters
    ----------
    path
        Where to write; the caller makes it appear whole under its final name.
    arrays
        Content of the network and the domain, by name.
    meta
        JSON values by key.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.executescript(f"BEGIN;{SCHEMA}COMMIT;")
        connection.execute("BEGIN")
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            connection.execute("INSERT INTO arrays VALUES (?, ?)", (name, buffer.getvalue()))
        for key, value in meta.items():
            write_meta(connection, key, value)
        connection.execute("COMMIT")


def read_meta(connection: sqlite3.Connection) -> dict[str, Any]:
    """JSON values of the meta table, by key."""
    return {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}


def write_meta(connection: sqlite3.Connection, key: str, value: Any) -> None:
    """Set one JSON value of the meta table."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))


def read_arrays(connection: sqlite3.Connection, prefix: str) -> dict[str, NDArray[Any]]:
    """Arrays whose name starts with `prefix`, by the rest of the name."""
    rows = connection.execute("SELECT name, npy FROM arrays")
    return {
        name[len(prefix) :]: np.load(io.BytesIO(npy), allow_pickle=False)
        for name, npy in rows
        if name.startswith(prefix)
    }


def read_progress(connection: sqlite3.Connection) -> Progress:
    """Counters of the last committed append."""
    row = connection.execute(
        "SELECT regions, expanded, edges, exact_fallbacks, seconds FROM progress"
    ).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("its counters are missing")
    return Progress(*row)


def read_finish(connection: sqlite3.Connection) -> Finish | None:
    """How the run ended, or None while it runs or after it was killed."""
    row = connection.execute(
        "SELECT stop, closing_edges, frontier, exact_fallbacks, seconds FROM finish"
    ).fetchone()
    return None if row is None else Finish(*row)


def write_series(connection: sqlite3.Connection, series: str, start: int, rows: NDArray[Any]) -> None:
    """Append rows to a series, from row `start` on, in chunks of at most 16 MiB."""
    step = max(1, _CHUNK_BYTES // max(1, rows.nbytes // max(1, len(rows))))
    for low in range(0, len(rows), step):
        chunk = rows[low : low + step]
        data = chunk.astype(chunk.dtype.newbyteorder("<"), copy=False).tobytes()
        connection.execute(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?)",
            (series, start + low, len(chunk), zlib.crc32(data), data),
        )


def read_series(
    connection: sqlite3.Connection, path: Path, series: str, shape: tuple[int, ...], dtype: Any
) -> NDArray[Any]:
    """Read a series whole, checking every chunk.

    Parameters
    ----------
    connection, path
        The open run file and its name.
    series
        Name of the series.
    shape, dtype
        What it must be: rows first.

    Raises
    ------
    RunFileError
        If a chunk is missing, overlaps, has the wrong size or a wrong CRC-32.
    """
    native = np.dtype(dtype)
    row_bytes = native.itemsize * math.prod(shape[1:])
    sizes = "SELECT TOTAL(count), TOTAL(LENGTH(data)) FROM chunks WHERE series = ?"
    rows, size = connection.execute(sizes, (series,)).fetchone()
    if rows != shape[0] or size != rows * row_bytes:
        raise damaged(path, f"series {series} has {int(rows)} rows of {shape[0]}, {int(size)} bytes")
    out = np.empty(shape, dtype=native)
    filled = 0
    query = "SELECT start, count, crc32, data FROM chunks WHERE series = ? ORDER BY start"
    for start, count, crc32, data in connection.execute(query, (series,)):
        if start != filled or len(data) != count * row_bytes or zlib.crc32(data) != crc32:
            raise damaged(path, f"series {series}, row {start}")
        chunk = np.frombuffer(data, dtype=native.newbyteorder("<"))
        out[filled : filled + count] = chunk.reshape(count, *shape[1:])
        filled += count
    return out


def write_exact_witnesses(connection: sqlite3.Connection, witnesses: dict[int, tuple[Fraction, ...]]) -> None:
    """Store exact witnesses as text, "p/q" coordinates separated by spaces."""
    connection.executemany(
        "INSERT OR REPLACE INTO exact_witnesses VALUES (?, ?)",
        [(region, " ".join(str(value) for value in point)) for region, point in witnesses.items()],
    )


def read_exact_witnesses(connection: sqlite3.Connection, below: int) -> dict[int, tuple[Fraction, ...]]:
    """Exact witnesses of the regions with an index less than `below`."""
    rows = connection.execute("SELECT region, point FROM exact_witnesses WHERE region < ?", (below,))
    return {region: tuple(Fraction(text) for text in point.split()) for region, point in rows}
