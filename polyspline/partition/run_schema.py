"""The shape of a run file: tables, header, chunks of arrays.

A run file is one SQLite database with our application id and the schema
version in its header. Arrays that grow with the run are *series*: sequences of
blobs of little-endian numbers, each with its first row, row count and CRC-32.
The table `seal` holds a checksum of the rows of all others (see `run_seal`).

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

Files of schema 1 had no seal, and wrote exact witnesses in decimals; they are
read as they are, and raised to the present schema when a run goes on in them.
"""

from __future__ import annotations

import io
import json
import math
import re
import sqlite3
import tokenize
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.errors import RunFileError, TooLargeError
from polyspline.partition.run_seal import COLUMNS, add_to_sum, file_sum, rows_sum, stored_sum, write_sum

APPLICATION_ID = 0x506C5370  # "PlSp"
SCHEMA_VERSION = 2
BUSY_SECONDS = 60.0
_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_CHUNK_BYTES = 1 << 24

_SCHEMA_1 = """
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

_SEAL = "CREATE TABLE seal (id INTEGER PRIMARY KEY CHECK (id = 1), digest BLOB NOT NULL);"

SCHEMAS = {1: _SCHEMA_1, 2: _SCHEMA_1 + _SEAL}
"""What creates an empty file of each version."""

_LONGEST_NUMBER = 1 << 18
"""Digits, in base 16, of a numerator or denominator: a million bits, far more than any walk has needed."""

_NUMBERS = {
    1: re.compile(r"(-?[0-9]{1,4300})(?:/([0-9]{1,4300}))?"),
    2: re.compile(rf"(-?[0-9a-f]{{1,{_LONGEST_NUMBER}}})/([0-9a-f]{{1,{_LONGEST_NUMBER}}})"),
}
_BASES = {1: 10, 2: 16}

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
    # Nothing of a file's schema is trusted; text that is no UTF-8 is damage, not an operational error.
    connection.text_factory = _strict_text
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _strict_text(data: bytes) -> str:
    return data.decode("utf-8")


def read_version(connection: sqlite3.Connection) -> int:
    """Read the schema version of an open file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_schema(connection: sqlite3.Connection, path: Path) -> int:
    """Check that a file has the tables of its version and nothing else, before any of them is read.

    A view or a trigger runs what its writer thought of, and so might other tables than ours.

    Returns
    -------
    int
        The version.

    Raises
    ------
    RunFileError
        If there is anything else, or anything is missing.
    """
    version = read_version(connection)
    if version not in SCHEMAS:
        raise damaged(path, f"schema {version} is none of {sorted(SCHEMAS)}")
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(SCHEMAS[version])
        expected = set(model.execute(query))
    found = connection.execute(query).fetchmany(2 * len(expected))
    if len(found) != len(expected) or set(found) != expected:
        odd = sorted({f"{kind} {name}" for kind, name, _, _ in set(found) ^ expected})
        raise damaged(path, f"its tables are not those of a run file: {', '.join(odd)[:200]}")
    return version


def check_seal(connection: sqlite3.Connection, path: Path) -> int:
    """Check the schema of a file and the checksum of its rows; gives the version.

    Raises
    ------
    RunFileError
        If either is not what was written. Files of schema 1 have no checksum.
    """
    version = check_schema(connection, path)
    if version > 1 and stored_sum(connection) != file_sum(connection):
        raise damaged(path, "its checksum does not fit what it holds")
    return version


def upgrade(connection: sqlite3.Connection) -> None:
    """Raise an older file to the present schema, within the transaction that is open."""
    version = read_version(connection)
    if version == SCHEMA_VERSION:
        return
    rows = connection.execute("SELECT region, point FROM exact_witnesses").fetchall()
    connection.execute(_SEAL.rstrip(";"))
    connection.executemany(
        "UPDATE exact_witnesses SET point = ? WHERE region = ?",
        [(point_text(read_point_text(text, version)), region) for region, text in rows],
    )
    write_sum(connection, file_sum(connection))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def insert_rows(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows to a table, each a value for every column that is summed, and keep the checksum up."""
    columns = COLUMNS[table]
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
    add_to_sum(connection, rows_sum(table, rows))


def delete_rows(
    connection: sqlite3.Connection, table: str, where: str = "TRUE", values: Sequence[Any] = ()
) -> int:
    """Delete rows of a table and keep the checksum up; how many they were."""
    query = f"SELECT {', '.join(COLUMNS[table])} FROM {table} WHERE {where}"
    rows = connection.execute(query, values).fetchall()
    if rows:
        connection.execute(f"DELETE FROM {table} WHERE {where}", values)
        add_to_sum(connection, -rows_sum(table, rows))
    return len(rows)


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
    except (
        sqlite3.DatabaseError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        ArithmeticError,
        RecursionError,
    ) as failure:
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
        connection.executescript(f"BEGIN;{SCHEMAS[SCHEMA_VERSION]}COMMIT;")
        connection.execute("BEGIN")
        write_sum(connection, file_sum(connection))
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            insert_rows(connection, "arrays", [(name, buffer.getvalue())])
        for key, value in meta.items():
            write_meta(connection, key, value)
        connection.execute("COMMIT")


def read_meta(connection: sqlite3.Connection) -> dict[str, Any]:
    """JSON values of the meta table, by key.

    Raises
    ------
    ValueError
        If the options of the run, or how far it is surrounded, are of another kind.
    """
    meta = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
    left_out = meta.get("left_out", 0)
    if not isinstance(meta["options"], dict):
        raise ValueError("its options are no object")
    if type(left_out) is not int or left_out < 0:
        raise ValueError("the first region with a neighbour that was left out is no index")
    return meta


def write_meta(connection: sqlite3.Connection, key: str, value: Any) -> None:
    """Set one JSON value of the meta table."""
    delete_rows(connection, "meta", "key = ?", (key,))
    insert_rows(connection, "meta", [(key, json.dumps(value))])


def read_arrays(connection: sqlite3.Connection, prefix: str) -> dict[str, NDArray[Any]]:
    """Arrays whose name starts with `prefix`, by the rest of the name."""
    rows = connection.execute("SELECT name, npy FROM arrays")
    return {name[len(prefix) :]: _read_npy(npy) for name, npy in rows if name.startswith(prefix)}


def _read_npy(data: bytes) -> NDArray[Any]:
    """Array of the bytes of an npy file, whose header is checked against how many they are."""
    stream = io.BytesIO(data)
    try:
        major, _ = np.lib.format.read_magic(stream)
        read_header = (
            np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(stream)
    except tokenize.TokenError as damage:
        raise ValueError("the header of an array cannot be read") from damage
    size = dtype.itemsize * math.prod(shape)
    if (
        dtype.hasobject
        or dtype.itemsize == 0
        or min(shape, default=0) < 0
        or size != len(data) - stream.tell()
    ):
        raise ValueError(f"an array of shape {shape} is not what its {len(data)} bytes hold")
    array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return array


def _counts(row: Sequence[Any], names: str) -> None:
    """Refuse counters that are no counts, and seconds that are none."""
    *counts, seconds = row
    if any(type(count) is not int or not 0 <= count < 1 << 63 for count in counts):
        raise ValueError(f"{names}: {counts} are no counts")
    if type(seconds) is not float or not 0.0 <= seconds < math.inf:
        raise ValueError(f"{names}: {seconds!r} are no seconds")


def read_progress(connection: sqlite3.Connection) -> Progress:
    """Counters of the last committed append."""
    row = connection.execute(
        "SELECT regions, expanded, edges, exact_fallbacks, seconds FROM progress"
    ).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("its counters are missing")
    _counts(row, "progress")
    progress = Progress(*row)
    if progress.expanded > progress.regions:
        raise ValueError(f"{progress.expanded} of {progress.regions} regions are expanded")
    return progress


def write_progress(connection: sqlite3.Connection, progress: Progress) -> None:
    """Set the counters."""
    delete_rows(connection, "progress")
    row = (progress.regions, progress.expanded, progress.edges, progress.exact_fallbacks, progress.seconds)
    insert_rows(connection, "progress", [(1, *row)])


def read_finish(connection: sqlite3.Connection) -> Finish | None:
    """How the run ended, or None while it runs or after it was killed."""
    row = connection.execute(
        "SELECT stop, closing_edges, frontier, exact_fallbacks, seconds FROM finish"
    ).fetchone()
    if row is None:
        return None
    _counts(row[1:], "finish")
    return Finish(*row)


def write_finish(connection: sqlite3.Connection, finish: Finish) -> None:
    """Note how the run ended."""
    row = (finish.stop, finish.closing_edges, finish.frontier, finish.exact_fallbacks, finish.seconds)
    insert_rows(connection, "finish", [(1, *row)])


def write_series(connection: sqlite3.Connection, series: str, start: int, rows: NDArray[Any]) -> None:
    """Append rows to a series, from row `start` on, in chunks of at most 16 MiB."""
    step = max(1, _CHUNK_BYTES // max(1, rows.nbytes // max(1, len(rows))))
    for low in range(0, len(rows), step):
        chunk = rows[low : low + step]
        data = chunk.astype(chunk.dtype.newbyteorder("<"), copy=False).tobytes()
        row = (series, start + low, len(chunk), zlib.crc32(data))
        connection.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?)", (*row, data))
        add_to_sum(connection, rows_sum("chunks", [row]))


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


def point_text(point: Sequence[Fraction]) -> str:
    """Exact point as text: "p/q" for each coordinate, in base 16, separated by spaces.

    Raises
    ------
    TooLargeError
        If a number has more digits than a file may hold.
    """
    words = [f"{value.numerator:x}/{value.denominator:x}" for value in point]
    if not all(_NUMBERS[SCHEMA_VERSION].fullmatch(word) for word in words):
        raise TooLargeError(
            f"an exact witness has a coordinate of more than {_LONGEST_NUMBER} hexadecimal digits, which run "
            "files do not hold; enumerate without a run file."
        )
    return " ".join(words)


def read_point_text(text: str, version: int) -> tuple[Fraction, ...]:
    """Exact point of a text that a file of some version holds.

    Raises
    ------
    ValueError
        If it is not written as such a file writes it, or a number is longer than one can be.
    """
    found = [_NUMBERS[version].fullmatch(word) for word in text.split(" ")]
    base = _BASES[version]
    point = []
    for match in found:
        if match is None:
            raise ValueError("an exact witness is no point")
        denominator = int(match[2] or "1", base)
        if denominator == 0:
            raise ValueError("an exact witness has a denominator of 0")
        point.append(Fraction(int(match[1], base), denominator))
    return tuple(point)


def write_exact_witnesses(connection: sqlite3.Connection, witnesses: dict[int, tuple[Fraction, ...]]) -> None:
    """Store exact witnesses, in place of any that the regions have."""
    for region in witnesses:
        delete_rows(connection, "exact_witnesses", "region = ?", (region,))
    insert_rows(
        connection, "exact_witnesses", [(region, point_text(point)) for region, point in witnesses.items()]
    )


def read_exact_witnesses(
    connection: sqlite3.Connection, below: int, dim: int
) -> dict[int, tuple[Fraction, ...]]:
    """Exact witnesses, of `dim` coordinates each, of the regions with an index less than `below`.

    Raises
    ------
    ValueError
        If one is no such point.
    """
    version = read_version(connection)
    rows = connection.execute("SELECT region, point FROM exact_witnesses WHERE region < ?", (below,))
    witnesses = {region: read_point_text(text, version) for region, text in rows}
    if any(len(point) != dim for point in witnesses.values()) or min(witnesses, default=0) < 0:
        raise ValueError("an exact witness is of no region, or of another dimension")
    return witnesses
