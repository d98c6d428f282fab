"""Laws of damaged and of hostile run files: refused before anything is made of them."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from polyspline.errors import RunFileError
from polyspline.partition import Partition, RunWriter, StopReason, load_partition, run_schema
from polyspline.partition.run_schema import SCHEMAS, point_text, read_point_text
from tests.oracle.cases import random_weights
from tests.partition.damage import every_flip, wrong_flips, wrong_raw_flips
from tests.partition.from_oracle import case, cut_off
from tests.partition.test_run_file import assert_equal_partitions, assert_equal_states, write_slice


@pytest.fixture(scope="module")
def part() -> Partition:
    return case(random_weights([2, 5, 4, 1], 1), "relu").partition


@pytest.fixture
def run(part: Partition, tmp_path: Path) -> Path:
    """Run with all tables filled, a finish and exact witnesses among them."""
    path = tmp_path / "run"
    with RunWriter.create(path, part.net, part.domain, {"start": [0.1, 0.2]}) as writer:
        write_slice(writer, part, 0, 3)
        writer.finish(StopReason.MAX_SECONDS, [[1, 2]], [0], part.witnesses[3:6], [True] * 3)
    return path


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def as_schema_1(path: Path) -> None:
    """Make the file what the first version would have written."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        rows = connection.execute("SELECT region, point FROM exact_witnesses").fetchall()
        for region, text in rows:
            decimals = " ".join(str(value) for value in read_point_text(text, 2))
            connection.execute("UPDATE exact_witnesses SET point = ? WHERE region = ?", (decimals, region))
        connection.execute("DROP TABLE seal")
        connection.execute("PRAGMA user_version = 1")


# ---- damage


def test_a_flipped_bit_of_a_row_is_refused_or_means_the_same(run: Path, tmp_path: Path) -> None:
    flips = list(every_flip(run))
    drawn = random.Random(0)
    chosen = []
    for table in sorted({flip[0] for flip in flips}):
        of_table = [flip for flip in flips if flip[0] == table]
        chosen += drawn.sample(of_table, min(60, len(of_table)))
    assert len(chosen) > 300
    assert wrong_flips(run, chosen, tmp_path) == []


def test_a_flipped_bit_of_the_file_is_refused_or_means_the_same(run: Path, tmp_path: Path) -> None:
    size = 8 * run.stat().st_size
    drawn = random.Random(1)
    bits = [*drawn.sample(range(800), 100), *drawn.sample(range(size), 200)]
    assert wrong_raw_flips(run, bits, tmp_path) == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE meta SET value = REPLACE(value, '0.1', '1.1') WHERE key = 'options'",
        "UPDATE progress SET exact_fallbacks = 7",
        "UPDATE progress SET seconds = 8.5",
        "UPDATE finish SET stop = 'max_regions'",
        "DELETE FROM finish",
        "DELETE FROM meta WHERE key = 'n_units'",
        "INSERT INTO meta VALUES ('left_out', '1')",
        "DELETE FROM exact_witnesses",
        "UPDATE exact_witnesses SET region = region + 1",
        "DELETE FROM seal",
        "UPDATE seal SET digest = x'00'",
    ],
)
def test_a_row_that_was_changed_by_hand_is_refused(run: Path, tampering: str) -> None:
    execute(run, tampering)
    with pytest.raises(RunFileError, match="checksum"):
        load_partition(run)


def test_the_checksum_is_kept_up_through_every_kind_of_commit(part: Partition, run: Path) -> None:
    load_partition(run)
    writer, _ = RunWriter.open_for_resume(run, part.net, part.domain)
    with writer:
        write_slice(writer, part, 3, 7)
        writer.flush()
        load_partition(run)
        write_slice(writer, part, 7, 9)
        writer.finish(StopReason.INTERRUPTED, exact_witnesses={4: (Fraction(1, 9), Fraction(1))})
    load_partition(run)


def test_a_run_that_is_complete_by_its_word_alone_is_refused(part: Partition, tmp_path: Path) -> None:
    path = tmp_path / "run"
    cut_off(part, 5, 12).save(path)
    as_schema_1(path)
    execute(path, "UPDATE finish SET stop = 'complete'")
    with pytest.raises(RunFileError, match="of 12 regions are expanded"):
        load_partition(path)
    with pytest.raises(RunFileError, match="of 12 regions are expanded"):
        RunWriter.open_for_resume(path, part.net, part.domain)


# ---- files of the first schema


def test_a_file_of_the_first_schema_is_read_and_goes_on_in_the_present_one(
    part: Partition, run: Path, tmp_path: Path
) -> None:
    new = load_partition(run)
    old = tmp_path / "old"
    old.write_bytes(run.read_bytes())
    as_schema_1(old)
    before = old.read_bytes()
    assert_equal_partitions(load_partition(old), new)
    assert old.read_bytes() == before
    states = []
    for path in (run, old):
        writer, state = RunWriter.open_for_resume(path, part.net, part.domain)
        states.append(state)
        with writer:
            write_slice(writer, part, 3, 7)
    assert_equal_states(*states)
    assert_equal_partitions(load_partition(old), load_partition(run))
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    execute(old, "UPDATE progress SET seconds = 8.5")
    with pytest.raises(RunFileError, match="checksum"):
        load_partition(old)


def test_the_tables_of_each_schema_are_what_its_files_have(run: Path) -> None:
    query = "SELECT type, name, sql FROM sqlite_master"
    with closing(sqlite3.connect(run)) as connection, closing(sqlite3.connect(":memory:")) as model:
        model.executescript(SCHEMAS[run_schema.SCHEMA_VERSION])
        assert set(connection.execute(query)) == set(model.execute(query))


# ---- hostile files

_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT 'packed', i, i, i, x'' FROM n"


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE chunks", f"CREATE VIEW chunks (series, start, count, crc32, data) AS {_ENDLESS}"),
        ("CREATE VIEW more AS SELECT 1",),
        ("CREATE TRIGGER t AFTER DELETE ON finish BEGIN DELETE FROM arrays; END",),
        ("CREATE TRIGGER t INSERT ON chunks BEGIN SELECT RAISE(IGNORE); END",),
        ("CREATE INDEX i ON chunks (series, abs(start))",),
        ("CREATE TABLE more (x)",),
        ("ALTER TABLE chunks ADD COLUMN more GENERATED ALWAYS AS (count + 1)",),
        ("ALTER TABLE meta RENAME TO beta",),
        ("DROP TABLE meta", "CREATE VIRTUAL TABLE meta USING fts5(key, value)"),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_views_triggers_and_odd_tables_are_refused_before_they_are_read(
    statements: tuple[str, ...], version: int, part: Partition, run: Path
) -> None:
    if version == 1:
        as_schema_1(run)
    execute(run, *statements)
    began = time.monotonic()
    for read in (load_partition, lambda path: RunWriter.open_for_resume(path, part.net, part.domain)):
        with pytest.raises(RunFileError, match="tables are not those of a run file"):
            read(run)
    assert time.monotonic() - began < 10.0


@pytest.mark.parametrize(
    "text",
    [
        "1e999999999 0",
        "1/0 0",
        "9" * 5000 + " 0",
        "1 2 3",
        "1",
        "",
        " ",
        "nan 0",
        "0x1 0",
        "1_0 0",
        "\u0661 0",
        "1/-2 0",
        "inf 0",
    ],
)
def test_numbers_as_text_are_bounded(text: str, run: Path) -> None:
    as_schema_1(run)
    with closing(sqlite3.connect(run, isolation_level=None)) as connection:
        connection.execute("UPDATE exact_witnesses SET point = ?", (text,))
    began = time.monotonic()
    with pytest.raises(RunFileError, match="damaged"):
        load_partition(run)
    assert time.monotonic() - began < 10.0


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE meta SET value = '" + "[" * 100_000 + "' WHERE key = 'options'",
        "UPDATE meta SET value = '[]' WHERE key = 'options'",
        'UPDATE meta SET value = \'{"radius": 1e999, "norm": "l2", "start": [0, 0]}\' '
        "WHERE key = 'options'",
        "UPDATE meta SET value = '" + "9" * 100_000 + "' WHERE key = 'n_units'",
        "INSERT INTO meta VALUES ('left_out', 'true')",
        "INSERT INTO meta VALUES ('left_out', 'null')",
        "INSERT INTO meta VALUES ('left_out', '-1')",
        "UPDATE progress SET regions = 4611686018427387904",
        "UPDATE progress SET expanded = 1.5",
        "UPDATE progress SET expanded = -1",
        "UPDATE progress SET seconds = 1e999",
        "UPDATE finish SET frontier = 4611686018427387904",
        "UPDATE chunks SET count = 'many'",
        "UPDATE chunks SET data = 7 WHERE series = 'packed'",
        "UPDATE arrays SET npy = CAST('text' AS TEXT)",
    ],
)
def test_odd_values_of_an_unsealed_file_are_refused(tampering: str, run: Path) -> None:
    as_schema_1(run)
    execute(run, tampering)
    with pytest.raises(RunFileError, match="damaged") as caught:
        load_partition(run)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', (",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (4611686018427387904,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "x" * 20_000,
    ],
)
def test_arrays_that_are_not_what_their_header_says_are_refused(header: str, run: Path) -> None:
    as_schema_1(run)
    body = header.encode() + b"\n"
    npy = b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body + bytes(8)
    with closing(sqlite3.connect(run, isolation_level=None)) as connection:
        connection.execute("UPDATE arrays SET npy = ? WHERE name = 'network/weight_0'", (npy,))
    with pytest.raises(RunFileError, match="damaged"):
        load_partition(run)


# ---- exact witnesses


def test_exact_witnesses_of_any_length_come_back(part: Partition, tmp_path: Path) -> None:
    """Python writes no more than 4300 digits of a decimal number."""
    point = (Fraction(-(3**40_000), 2**50_000 + 1), Fraction(0))
    assert read_point_text(point_text(point), 2) == point
    with RunWriter.create(tmp_path / "run", part.net, part.domain) as writer:
        writer.append(
            part.packed[:1],
            part.witnesses[:1],
            [-1],
            part.witnesses[:1],
            [False],
            np.zeros((0, 2)),
            [],
            expanded=1,
            exact_fallbacks=0,
            seconds=0.0,
            exact_witnesses={0: point},
        )
    assert load_partition(tmp_path / "run").exact_witnesses == {0: point}
