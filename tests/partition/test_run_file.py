"""Laws of the run file: whole from the start, safe under a kill, resumed as it was, never overwritten."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyspline.domains import Box
from polyspline.errors import InvariantError, OutputError, RunFileError, RunFileExistsError
from polyspline.network import Network
from polyspline.partition import (
    Partition,
    RunWriter,
    StopReason,
    WalkState,
    load_partition,
    run_schema,
)
from tests.oracle.cases import random_weights
from tests.partition.from_oracle import case, cut_off


@pytest.fixture(scope="module")
def part() -> Partition:
    return case(random_weights([2, 5, 4, 1], 1), "relu").partition


def write_slice(writer: RunWriter, part: Partition, start: int, stop: int) -> None:
    """Append as a walk would that finds two regions whenever it expands one."""
    found, known = min(2 * stop, len(part)), min(2 * start, len(part))
    crossed = (part.edges[:, 0] >= start) & (part.edges[:, 0] < stop) & (part.edges[:, 1] < found)
    writer.append(
        part.packed[known:found],
        part.witnesses[known:found] + 0.25,
        np.arange(known, found),
        part.witnesses[start:stop],
        part.witness_exact[start:stop],
        part.edges[crossed],
        part.edge_sources[crossed],
        expanded=stop,
        exact_fallbacks=stop // 2,
        seconds=stop / 8,
        exact_witnesses={start: (Fraction(1, 3), Fraction(-2, 7))},
    )


def assert_equal_states(one: WalkState, two: WalkState) -> None:
    for item in fields(WalkState):
        left, right = getattr(one, item.name), getattr(two, item.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)
        else:
            assert left == right, item.name


def assert_equal_partitions(one: Partition, two: Partition) -> None:
    for item in fields(Partition):
        left, right = getattr(one, item.name), getattr(two, item.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        else:
            assert left == right, item.name


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_saving_and_loading_gives_the_partition_back(part: Partition, tmp_path: Path) -> None:
    part.save(tmp_path / "run.polyspline")
    assert_equal_partitions(load_partition(tmp_path / "run.polyspline"), part)
    assert names_in(tmp_path) == ["run.polyspline"]


def test_a_partial_partition_comes_back_but_is_not_resumed(part: Partition, tmp_path: Path) -> None:
    partial = cut_off(part, 5, 12)
    partial.save(tmp_path / "run")
    loaded = load_partition(tmp_path / "run")
    assert_equal_partitions(loaded, partial)
    assert not loaded.complete
    with pytest.raises(RunFileError, match="cannot be continued"):
        RunWriter.open_for_resume(tmp_path / "run", part.net, part.domain)


def test_a_file_is_whole_from_the_start(part: Partition, tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run", part.net, part.domain, {"start": np.array([0.1, 0.2])}):
        assert names_in(tmp_path) == ["run"]
        loaded = load_partition(tmp_path / "run")
    assert len(loaded) == 0
    assert loaded.stop is StopReason.INTERRUPTED
    assert loaded.net == part.net
    assert loaded.domain == part.domain


def test_resuming_without_a_file_starts_one(part: Partition, tmp_path: Path) -> None:
    writer, state = RunWriter.open_for_resume(
        tmp_path / "run", part.net, part.domain, {"start": np.array([0.1, 0.2])}
    )
    writer.close()
    assert state.regions == state.expanded == 0
    assert state.stop is None
    assert state.start is not None
    assert state.start.tolist() == [0.1, 0.2]
    assert names_in(tmp_path) == ["run"]


def test_a_resumed_walk_stands_where_the_other_stopped(part: Partition, tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "one", part.net, part.domain) as writer:
        write_slice(writer, part, 0, 3)
        write_slice(writer, part, 3, 7)
    with RunWriter.create(tmp_path / "two", part.net, part.domain) as writer:
        write_slice(writer, part, 0, 3)
        writer.finish(StopReason.MAX_SECONDS, [[1, 2]], [0], part.witnesses[3:6], [True] * 3)
    loaded = load_partition(tmp_path / "two")
    assert (len(loaded), loaded.expanded, loaded.stop) == (6, 3, StopReason.MAX_SECONDS)
    assert loaded.edges[-1].tolist() == [1, 2]
    writer, state = RunWriter.open_for_resume(tmp_path / "two", part.net, part.domain)
    assert state.stop is StopReason.MAX_SECONDS
    assert (state.regions, state.expanded) == (6, 3)
    assert [1, 2] not in state.edges[3:].tolist()
    with writer:
        write_slice(writer, part, 3, 7)
    states = []
    for name in ("one", "two"):
        writer, state = RunWriter.open_for_resume(tmp_path / name, part.net, part.domain)
        writer.close()
        states.append(state)
    assert_equal_states(*states)
    assert_equal_partitions(load_partition(tmp_path / "one"), load_partition(tmp_path / "two"))
    np.testing.assert_array_equal(states[0].points, part.witnesses[:14] + 0.25)
    np.testing.assert_array_equal(states[0].entries, np.arange(14))


def test_a_finish_is_kept_until_the_resumed_walk_has_found_more(part: Partition, tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run", part.net, part.domain) as writer:
        write_slice(writer, part, 0, 3)
        writer.finish(
            StopReason.INTERRUPTED,
            frontier_witnesses=part.witnesses[3:5],
            frontier_exact=[True, False],
            exact_fallbacks=40,
            seconds=2.5,
            exact_witnesses={4: (Fraction(1, 9), Fraction(1))},
        )
    before = load_partition(tmp_path / "run")
    assert (len(before), before.exact_fallbacks, before.seconds) == (5, 40, 2.5)
    assert before.exact_witnesses[4] == (Fraction(1, 9), Fraction(1))
    writer, state = RunWriter.open_for_resume(tmp_path / "run", part.net, part.domain)
    assert 4 not in state.exact_witnesses
    assert (state.exact_fallbacks, state.seconds) == (1, 3 / 8)
    writer.close()
    assert_equal_partitions(load_partition(tmp_path / "run"), before)


def test_a_killed_run_is_read_up_to_its_last_commit(part: Partition, tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path / "run", part.net, part.domain)
    write_slice(writer, part, 0, 3)
    writer.flush()
    write_slice(writer, part, 3, 7)
    loaded = load_partition(tmp_path / "run")
    writer.close()
    assert (len(loaded), loaded.expanded, loaded.stop) == (3, 3, StopReason.INTERRUPTED)
    assert np.all(loaded.edges < 3)
    np.testing.assert_array_equal(loaded.packed, part.packed[:3])


KILLED = """
import itertools, sys
import numpy as np
from polyspline.domains import Box
from polyspline.network import zoo
from polyspline.partition import run_file
from polyspline.partition import RunWriter
run_file.COMMIT_SECONDS = 0.0
net, domain = zoo.random_network([2, 70, 1]), Box(-1, 1, dim=2)
writer = RunWriter.create(sys.argv[1], net, domain, {"start": [0.0, 0.0]})
for i in itertools.count():
    rows = np.full((50, 2), i, dtype=np.uint64)
    writer.append(rows, np.full((50, 2), float(i)), np.full(50, i), np.full((50, 2), float(i)), np.ones(50),
                  np.tile([i, i + 1], (9, 1)), np.full(9, i), expanded=50 * (i + 1), exact_fallbacks=i,
                  seconds=float(i))
    if i == 20:
        print("going", flush=True)
"""


def test_kill_9_leaves_a_file_that_resumes(tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        os.kill(process.pid, signal.SIGKILL)
    from polyspline.network import zoo

    writer, state = RunWriter.open_for_resume(path, zoo.random_network([2, 70, 1]), Box(-1, 1, dim=2))
    writer.finish(StopReason.INTERRUPTED)
    writer.close()
    batches = state.regions // 50
    # A kill between two commits may leave a journal with nothing in it, which the next commit removes.
    assert batches > 20
    assert state.regions == state.expanded == 50 * batches
    assert len(state.edges) == 9 * batches
    assert state.exact_fallbacks == batches - 1
    np.testing.assert_array_equal(state.packed[:, 0], np.repeat(np.arange(batches), 50))
    np.testing.assert_array_equal(state.points[:, 1], np.repeat(np.arange(batches), 50))
    assert len(load_partition(path)) == state.regions
    assert names_in(tmp_path) == ["run"]


def test_nothing_is_overwritten(part: Partition, tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_text("precious")
    with pytest.raises(RunFileExistsError, match="--resume"):
        RunWriter.create(path, part.net, part.domain)
    with pytest.raises(RunFileExistsError):
        part.save(path)
    assert path.read_text() == "precious"
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunFileExistsError):
        RunWriter.create(dangling, part.net, part.domain)
    assert names_in(tmp_path) == ["link", "run"]


def test_a_name_taken_while_the_file_is_built_is_not_overwritten(
    part: Partition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    initialise = run_schema.initialise

    def slow(temporary: Path, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        initialise(temporary, arrays, meta)
        path.write_text("other")

    monkeypatch.setattr(run_schema, "initialise", slow)
    with pytest.raises(RunFileExistsError):
        RunWriter.create(path, part.net, part.domain)

    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    path.unlink()
    with pytest.raises(RunFileExistsError):
        RunWriter.create(path, part.net, part.domain)
    assert path.read_text() == "other"
    monkeypatch.setattr(run_schema, "initialise", initialise)
    path.unlink()
    RunWriter.create(path, part.net, part.domain).close()
    assert len(load_partition(path)) == 0
    assert names_in(tmp_path) == ["run"]


def test_a_place_that_cannot_be_written_is_named(part: Partition, tmp_path: Path) -> None:
    for path in (tmp_path / "missing" / "run", Path("/proc/run.polyspline")):
        with pytest.raises(OutputError, match=path.name):
            RunWriter.create(path, part.net, part.domain)
        with pytest.raises(OutputError):
            RunWriter.open_for_resume(path, part.net, part.domain)
    assert names_in(tmp_path) == []


def test_a_run_of_another_network_or_domain_is_refused(part: Partition, tmp_path: Path) -> None:
    RunWriter.create(tmp_path / "run", part.net, part.domain).close()
    other = Network.from_layers(*random_weights([2, 5, 4, 1], 2))
    with pytest.raises(RunFileError, match="another network"):
        RunWriter.open_for_resume(tmp_path / "run", other, part.domain)
    with pytest.raises(RunFileError, match="another domain"):
        RunWriter.open_for_resume(tmp_path / "run", part.net, Box(-2, 2, dim=2))


def damage(path: Path, how: str) -> None:
    if how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("weights\n" * 100)
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-5000])
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:70])
    elif how == "other database":
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE t (x)")
    elif how == "directory":
        path.unlink()
        path.mkdir()
    elif how == "missing":
        path.unlink()
    else:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(how)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("empty", "is not a run file"),
        ("text", "is not a run file"),
        ("cut short", "is not a run file"),
        ("other database", "is not a run file"),
        ("directory", "cannot be read"),
        ("missing", "no such run file"),
        ("truncated", "damaged"),
        ("PRAGMA user_version = 99", "newer polyspline"),
        ("PRAGMA user_version = 0", "damaged"),
        ("UPDATE progress SET regions = regions + 1", "damaged"),
        ("UPDATE progress SET regions = 1e18", "damaged"),
        ("UPDATE progress SET expanded = 'many'", "damaged"),
        ("DELETE FROM progress", "damaged"),
        ("DELETE FROM meta", "damaged"),
        ("DELETE FROM arrays WHERE name LIKE 'network/%0'", "damaged"),
        ("DROP TABLE finish", "tables are not those of a run file"),
        ("UPDATE chunks SET crc32 = 0 WHERE series = 'edges'", "damaged"),
        ("UPDATE chunks SET start = 1 WHERE series = 'witnesses'", "damaged"),
        ("UPDATE arrays SET npy = x'00112233'", "damaged"),
        ("UPDATE meta SET value = '{' WHERE key = 'options'", "damaged"),
        ("UPDATE finish SET stop = 'tired'", "damaged"),
        ("UPDATE meta SET value = '\"0\"' WHERE key = 'network_fingerprint'", "damaged"),
    ],
)
def test_a_file_that_is_not_a_sound_run_file_gives_one_sentence(
    part: Partition, tmp_path: Path, how: str, words: str
) -> None:
    path = tmp_path / "run"
    part.save(path)
    damage(path, how)
    with pytest.raises(RunFileError, match=words) as caught:
        load_partition(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_writers_of_one_file_are_noticed(part: Partition, tmp_path: Path) -> None:
    first = RunWriter.create(tmp_path / "run", part.net, part.domain)
    second, _ = RunWriter.open_for_resume(tmp_path / "run", part.net, part.domain)
    write_slice(first, part, 0, 3)
    first.close()
    write_slice(second, part, 0, 2)
    with pytest.raises(RunFileError, match="another process"):
        second.close()
    assert load_partition(tmp_path / "run").expanded == 3


def test_an_interrupt_after_the_commit_writes_nothing_twice(
    part: Partition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RunWriter.create(tmp_path / "run", part.net, part.domain)
    write_slice(writer, part, 0, 3)

    def interrupted(_: RunWriter) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "_pending_done", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.flush()
    write_slice(writer, part, 3, 7)
    writer.close()
    with RunWriter.create(tmp_path / "other", part.net, part.domain) as other:
        write_slice(other, part, 0, 3)
        write_slice(other, part, 3, 7)
    assert_equal_partitions(load_partition(tmp_path / "run"), load_partition(tmp_path / "other"))


def test_counts_that_contradict_each_other_are_refused(part: Partition, tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run", part.net, part.domain) as writer:
        with pytest.raises(InvariantError, match="contradict"):
            writer.append(
                part.packed[:2],
                part.witnesses[:1],
                [0, 1],
                [],
                [],
                [],
                [],
                expanded=0,
                exact_fallbacks=0,
                seconds=0.0,
            )
        with pytest.raises(InvariantError, match="contradict"):
            writer.finish(StopReason.COMPLETE, frontier_witnesses=part.witnesses[:1], frontier_exact=[True])
    with pytest.raises(InvariantError, match="closed"):
        writer.finish(StopReason.COMPLETE)


def test_a_complete_run_that_may_not_be_written_is_still_resumed(part: Partition, tmp_path: Path) -> None:
    part.save(tmp_path / "run")
    (tmp_path / "run").chmod(0o444)
    writer, state = RunWriter.open_for_resume(tmp_path / "run", part.net, part.domain)
    writer.close()
    assert state.complete
    assert state.regions == len(part)


def test_series_longer_than_a_chunk_come_back(
    part: Partition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_schema, "_CHUNK_BYTES", 100)
    part.save(tmp_path / "run")
    assert_equal_partitions(load_partition(tmp_path / "run"), part)
