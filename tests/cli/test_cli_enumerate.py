"""``polyspline enumerate``: what it counts, prints and keeps, and how it exits."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.network import load_network
from polyspline.partition import load_partition
from tests.cli.conftest import Polyspline

KEYS = {
    "regions",
    "affine_regions",
    "adjacencies",
    "complete",
    "stop",
    "seconds",
    "units",
    "latent_dim",
    "ambient_dim",
    "exact_fallbacks",
}


def test_json_holds_the_promised_keys_and_the_true_counts(polyspline: Polyspline, cross_file: Path) -> None:
    outcome = polyspline("enumerate", cross_file, "--box", -1, 1, "--json")
    assert outcome.status == 0
    facts = outcome.facts
    assert facts.keys() >= KEYS
    assert (facts["regions"], facts["adjacencies"], facts["affine_regions"]) == (4, 4, None)
    assert (facts["complete"], facts["stop"]) == (True, "complete")
    assert (facts["units"], facts["latent_dim"], facts["ambient_dim"]) == (2, 2, 1)


def test_affine_regions_are_counted_only_if_asked_for(polyspline: Polyspline, network_file: Path) -> None:
    outcome = polyspline("enumerate", network_file, "--box", -1, 1, "--affine-regions", "--json")
    part = enumerate_regions(load_network(network_file), Box(-1, 1, dim=2))
    assert outcome.facts["affine_regions"] == part.n_affine_regions
    assert outcome.facts["regions"] == len(part)


def test_whole_space_and_boxes_with_negative_and_exponent_bounds(
    polyspline: Polyspline, network_file: Path
) -> None:
    net = load_network(network_file)
    whole = polyspline("enumerate", network_file, "--whole-space", "--json")
    assert whole.facts["regions"] == len(enumerate_regions(net, WholeSpace(2)))
    box = polyspline("enumerate", network_file, "--box", "-2.5", "-1e-1", "--json")
    assert box.facts["regions"] == len(enumerate_regions(net, Box(-2.5, -0.1, dim=2)))


def test_domain_files_of_both_kinds(polyspline: Polyspline, cross_file: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "box.npz", lo=[-1.0, 1.0], hi=[1.0, 2.0])
    np.savez(tmp_path / "triangle.npz", G=[[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], h=[0.5, 0.5, 1.0])
    box = polyspline("enumerate", cross_file, "--domain", tmp_path / "box.npz", "--json")
    triangle = polyspline("enumerate", cross_file, "--domain", tmp_path / "triangle.npz", "--json")
    assert (box.facts["regions"], triangle.facts["regions"]) == (2, 4)


@pytest.mark.parametrize("name", ["start.npy", "start.npz", "start.txt", "start.csv"])
def test_the_start_may_come_from_any_usual_file(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path, name: str
) -> None:
    path, point = tmp_path / name, np.array([0.5, -0.5])
    if name.endswith("npy"):
        np.save(path, point)
    elif name.endswith("npz"):
        np.savez(path, z=point)
    else:
        path.write_text("0.5, -0.5\n", encoding="utf-8")
    run = tmp_path / "run"
    assert polyspline("enumerate", cross_file, "--box", -1, 1, "--start", path, "-o", run).status == 0
    assert load_partition(run).code(0).tolist() == [1, 0]


def test_without_json_the_counts_are_for_a_person(polyspline: Polyspline, cross_file: Path) -> None:
    outcome = polyspline("enumerate", cross_file, "--box", -1, 1)
    assert outcome.status == 0
    lines = [line.split(maxsplit=1) for line in outcome.stdout.splitlines()]
    assert ["regions", "4"] in [[word.strip() for word in line] for line in lines]
    assert "every facet of every region was crossed" in outcome.stdout
    assert "\x1b" not in outcome.stdout


def test_a_pipe_gets_no_progress(polyspline_process: Polyspline, cross_file: Path) -> None:
    polyspline_process("enumerate", cross_file, "--box", -1, 1)
    outcome = polyspline_process("enumerate", cross_file, "--box", -1, 1, "--json")
    assert outcome.stderr == ""
    assert len(outcome.stdout.splitlines()) == 1
    assert isinstance(json.loads(outcome.stdout), dict)


def test_max_regions_is_exact_exits_3_and_keeps_the_run(
    polyspline: Polyspline, network_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run.polyspline"
    common = ("enumerate", network_file, "--box", -1, 1, "-o", run)
    outcome = polyspline(*common, "--max-regions", 5, "--json")
    assert outcome.status == 3
    assert outcome.facts["regions"] == 5
    assert (outcome.facts["complete"], outcome.facts["stop"]) == (False, "max_regions")
    assert "--resume" in outcome.stderr
    kept = load_partition(run)
    assert len(kept) == 5
    assert not kept.complete


def test_max_seconds_exits_3(polyspline: Polyspline, tmp_path: Path) -> None:
    from polyspline.network import zoo

    path = tmp_path / "large.npz"
    zoo.random_network([4, 48, 48, 1], seed=0).save(path)
    outcome = polyspline("enumerate", path, "--box", -1, 1, "--max-seconds", 0.2, "--json")
    assert outcome.status == 3
    assert outcome.facts["stop"] == "max_seconds"
    assert outcome.facts["regions"] >= 1


def test_resuming_a_capped_run_gives_the_run_that_was_never_capped(
    polyspline: Polyspline, network_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run.polyspline"
    common = ("enumerate", network_file, "--box", -1, 1, "--json")
    assert polyspline(*common, "-o", run, "--max-regions", 5).status == 3
    resumed = polyspline(*common, "-o", run, "--resume")
    straight = polyspline(*common, "-o", tmp_path / "straight.polyspline")
    assert (resumed.status, straight.status) == (0, 0)
    found, expected = load_partition(run), load_partition(tmp_path / "straight.polyspline")
    np.testing.assert_array_equal(found.codes, expected.codes)
    np.testing.assert_array_equal(found.edges, expected.edges)


def test_resume_without_a_file_starts_afresh_and_on_a_complete_run_gives_its_counts(
    polyspline: Polyspline, network_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run.polyspline"
    common = ("enumerate", network_file, "--box", -1, 1, "-o", run, "--resume", "--json")
    first, second = polyspline(*common), polyspline(*common)
    assert (first.status, second.status) == (0, 0)
    for key in ("regions", "adjacencies", "complete", "units"):
        assert first.facts[key] == second.facts[key]


def test_workers_do_not_change_the_result(polyspline: Polyspline, network_file: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        run = tmp_path / f"run{workers}"
        common = ("enumerate", network_file, "--box", -1, 1, "-o", run)
        assert polyspline(*common, "--workers", workers).status == 0
    one, two = load_partition(tmp_path / "run1"), load_partition(tmp_path / "run2")
    np.testing.assert_array_equal(one.codes, two.codes)
    np.testing.assert_array_equal(one.edges, two.edges)


def test_a_run_file_is_one_sqlite_file(run_file: Path) -> None:
    assert [path.name for path in run_file.parent.glob("run.polyspline*")] == ["run.polyspline"]
    connection = sqlite3.connect(f"file:{run_file}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA application_id").fetchone()[0] != 0
    finally:
        connection.close()
