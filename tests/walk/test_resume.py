"""A run file survives kill -9 and Ctrl-C, and goes on to the identical result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import polyspline as ps
from polyspline.partition.run_file import RunWriter
from tests.agreement.support import assert_identical, walked
from tests.agreement.zoo import families
from tests.oracle.cases import random_weights

COMMAND = [sys.executable, "-c", "import sys; from polyspline.cli import main; sys.exit(main())"]
#: Long enough (about a million regions) that a run is always cut off in the middle.
LONG = [4, 48, 48, 1]


def network(widths: list[int], seed: int = 0) -> ps.Network:
    return ps.Network.from_layers(*random_weights(widths, seed))


@contextmanager
def running(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, which is gone afterwards whatever happens."""
    # A group of its own, so that a signal to it reaches neither the tests nor misses its workers.
    with subprocess.Popen(
        COMMAND + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for_regions(run: Path, process: subprocess.Popen[str], at_least: int = 1) -> None:
    """Wait until the run file holds expanded regions."""
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        if run.exists() and len(ps.load_partition(run)) >= at_least:
            return
        time.sleep(0.05)
    raise AssertionError("the run never wrote a region")


def straight(net: ps.Network, limit: int) -> ps.Partition:
    return walked(net, ps.Box(-1, 1, dim=net.latent_dim), max_regions=limit)


@pytest.fixture(scope="module")
def long_net() -> ps.Network:
    return network(LONG)


@pytest.fixture(scope="module")
def long_file(long_net: ps.Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "long.npz"
    long_net.save(path)
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_resumes_to_the_identical_arrays(
    long_net: ps.Network, long_file: Path, tmp_path: Path, workers: int
) -> None:
    run = tmp_path / "killed.polyspline"
    arguments = ["enumerate", str(long_file), "--box", "-1", "1", "-o", str(run), "--workers", str(workers)]
    with running(arguments) as process:
        wait_for_regions(run, process)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    kept = ps.load_partition(run)
    assert kept.stop is ps.StopReason.INTERRUPTED
    assert not kept.complete
    assert 0 < len(kept) == kept.expanded
    # What is kept is the beginning of the walk, with the edges among its regions.
    limit = len(kept) + 20_000
    whole = straight(long_net, limit)
    assert kept.codes.tobytes() == whole.codes[: len(kept)].tobytes()
    assert kept.witnesses.tobytes() == whole.witnesses[: len(kept)].tobytes()
    among = whole.edges[(whole.edges < len(kept)).all(axis=1)]
    assert {tuple(edge) for edge in kept.edges.tolist()} == {tuple(edge) for edge in among.tolist()}
    # The walk goes on from there as if nothing had happened.
    domain = ps.Box(-1, 1, dim=4)
    resumed = walked(long_net, domain, max_regions=limit, run_file=run, resume=True)
    assert_identical(resumed, whole, resumed=True)
    assert_identical(ps.load_partition(run), whole, resumed=True)


def test_ctrl_c_exits_with_130_and_keeps_the_partial_result(
    long_net: ps.Network, long_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "interrupted.polyspline"
    with running(["enumerate", str(long_file), "--box", "-1", "1", "-o", str(run), "--json"]) as process:
        wait_for_regions(run, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "Traceback" not in err
    facts = json.loads(out)
    assert facts["stop"] == "interrupted"
    assert facts["complete"] is False
    kept = ps.load_partition(run)
    assert kept.stop is ps.StopReason.INTERRUPTED
    assert len(kept) == facts["regions"] > 0
    assert kept.n_adjacencies == facts["adjacencies"]
    limit = len(kept) + 5_000
    resumed = walked(long_net, ps.Box(-1, 1, dim=4), max_regions=limit, run_file=run, resume=True)
    assert_identical(resumed, straight(long_net, limit), resumed=True)


@pytest.mark.parametrize("limits", [(1, 2, 3), (10, 500, None), (777, None), (None, None)], ids=str)
def test_larger_and_larger_limits_end_where_the_straight_run_does(
    tmp_path: Path, limits: tuple[int | None, ...]
) -> None:
    net, domain, run = network([3, 12, 12, 1]), ps.Box(-1, 1, dim=3), tmp_path / "run.polyspline"
    for limit in limits:
        part = walked(net, domain, max_regions=limit, run_file=run, resume=True)
        whole = walked(net, domain, max_regions=limit)
        assert_identical(part, whole, resumed=True)
        assert_identical(ps.load_partition(run), whole, resumed=True)


@pytest.mark.parametrize("family", ["nearly_proportional-2", "lattice-3", "zero-biases-3", "needles"])
@pytest.mark.parametrize("whole_space", [False, True], ids=["box", "whole_space"])
def test_degenerate_runs_resume_to_the_identical_arrays(
    tmp_path: Path, family: str, whole_space: bool
) -> None:
    net = ps.Network.from_layers(*families()[family])
    domain = ps.WholeSpace(net.latent_dim) if whole_space else ps.Box(-1, 1, dim=net.latent_dim)
    run = tmp_path / "run.polyspline"
    whole = walked(net, domain)
    for limit in (1, 2, len(whole) // 2, None):
        part = walked(net, domain, max_regions=limit, run_file=run, resume=True)
    assert part.complete
    assert_identical(part, whole, resumed=True)


def test_resuming_with_other_workers_gives_the_identical_arrays(tmp_path: Path) -> None:
    net, domain, run = network([3, 14, 14, 1]), ps.Box(-1, 1, dim=3), tmp_path / "run.polyspline"
    walked(net, domain, max_regions=300, run_file=run, workers=2)
    part = walked(net, domain, run_file=run, resume=True, workers=1)
    assert_identical(part, walked(net, domain), resumed=True)


def test_resuming_keeps_the_start_of_the_run(tmp_path: Path) -> None:
    net, domain, run = network([2, 12, 12, 1]), ps.Box(-1, 1, dim=2), tmp_path / "run.polyspline"
    start = np.array([0.9, -0.8])
    walked(net, domain, start=start, max_regions=20, run_file=run)
    part = walked(net, domain, run_file=run, resume=True)
    assert_identical(part, walked(net, domain, start=start), resumed=True)


def test_resuming_a_complete_run_gives_it_back(tmp_path: Path) -> None:
    net, domain, run = network([2, 8, 8, 1]), ps.Box(-1, 1, dim=2), tmp_path / "run.polyspline"
    whole = walked(net, domain, run_file=run)
    before = run.read_bytes()
    assert_identical(walked(net, domain, run_file=run, resume=True), whole, resumed=True)
    assert_identical(ps.load_partition(run), whole, resumed=True)
    assert run.read_bytes() == before


def test_resuming_a_run_after_a_time_limit_ends_where_the_straight_run_does(tmp_path: Path) -> None:
    net, domain, run = network([3, 24, 24, 1]), ps.Box(-1, 1, dim=3), tmp_path / "run.polyspline"
    first = walked(net, domain, max_seconds=0.05, run_file=run)
    assert first.stop is ps.StopReason.MAX_SECONDS
    limit = len(first) + 2_000
    part = walked(net, domain, max_regions=limit, run_file=run, resume=True)
    assert_identical(part, walked(net, domain, max_regions=limit), resumed=True)


def test_runs_of_another_network_or_domain_are_refused(tmp_path: Path) -> None:
    net, domain, run = network([2, 8, 8, 1]), ps.Box(-1, 1, dim=2), tmp_path / "run.polyspline"
    walked(net, domain, max_regions=5, run_file=run)
    before = run.read_bytes()
    with pytest.raises(ps.errors.RunFileError, match="network"):
        walked(network([2, 8, 8, 1], seed=1), domain, run_file=run, resume=True)
    with pytest.raises(ps.errors.RunFileError, match="domain"):
        walked(net, ps.Box(-1, 2, dim=2), run_file=run, resume=True)
    assert run.read_bytes() == before


def test_an_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    net, domain, run = network([2, 8, 8, 1]), ps.Box(-1, 1, dim=2), tmp_path / "run.polyspline"
    walked(net, domain, max_regions=5, run_file=run)
    before = run.read_bytes()
    with pytest.raises(ps.errors.RunFileExistsError, match="resume"):
        walked(net, domain, run_file=run)
    assert run.read_bytes() == before


def test_a_run_file_is_one_file(tmp_path: Path) -> None:
    net = network([2, 8, 8, 1])
    walked(net, ps.Box(-1, 1, dim=2), run_file=tmp_path / "run.polyspline")
    assert [path.name for path in tmp_path.iterdir()] == ["run.polyspline"]


def test_a_refused_run_leaves_no_file(tmp_path: Path) -> None:
    net, run = network([2, 8, 8, 1]), tmp_path / "run.polyspline"
    with pytest.raises(ps.errors.StartError):
        walked(net, ps.Box(-1, 1, dim=2), start=np.array([5.0, 0.0]), run_file=run)
    with pytest.raises(ps.errors.DomainError):
        walked(net, ps.Box(-1, 1, dim=3), run_file=run)
    assert list(tmp_path.iterdir()) == []


def test_a_run_killed_before_its_first_region_keeps_its_start(tmp_path: Path) -> None:
    net, domain, start = network([2, 6, 1]), ps.Box(-1, 1, dim=2), [0.5, -0.25]
    RunWriter.create(tmp_path / "run", net, domain, {"start": start}).close()
    resumed = walked(net, domain, run_file=tmp_path / "run", resume=True)
    assert_identical(resumed, walked(net, domain, start=start), resumed=True)
