"""The command line proves runs and checks certificates and runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import polyspline as ps
from polyspline.cli.app import run


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    net = ps.zoo.random_network((2, 6, 5, 1), "relu", seed=0)
    net.save(tmp_path / "net.npz")
    ps.enumerate_regions(net, ps.Box(-1, 1, dim=2)).save(tmp_path / "run.polyspline")
    return tmp_path


def test_a_run_is_proven_and_its_certificate_accepted(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, proof, net = saved / "run.polyspline", saved / "run.polyspline.proof", saved / "net.npz"
    assert run(["prove", str(source)]) == 0
    assert run(["check", str(proof), "--net", str(net)]) == 0
    assert run(["check", str(source)]) == 0
    assert capsys.readouterr().out.count("proven: ") == 2
    assert run(["check", str(proof), "--sample", "3"]) == 3
    assert run(["prove", str(source)]) == 2
    assert run(["prove", str(source), "--force", "--json"]) == 0


def test_another_network_is_told_apart(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ps.zoo.random_network((2, 6, 5, 1), "relu", seed=1).save(saved / "other.npz")
    assert run(["check", str(saved / "run.polyspline"), "--net", str(saved / "other.npz")]) == 1
    assert "another network" in capsys.readouterr().out


def test_what_is_no_certificate_is_refused_in_a_sentence(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (saved / "noise").write_bytes(bytes(range(256)))
    assert run(["check", str(saved / "noise")]) == 2
    assert run(["check", str(saved / "absent")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert all(line.startswith("error: ") for line in errors)


def test_a_run_that_was_changed_is_refused(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = ps.load_partition(saved / "run.polyspline")
    wrong = np.array(part.edges)
    wrong[0] = [wrong[0, 0], len(part) - 1]
    changed = ps.Partition(
        part.net, part.domain, part.packed, part.witnesses, part.witness_exact, np.unique(wrong, axis=0),
        part.edge_sources[: len(np.unique(wrong, axis=0))], part.stop, part.expanded,
    )  # fmt: skip
    changed.save(saved / "changed.polyspline")
    assert run(["check", str(saved / "changed.polyspline")]) == 1
    assert "refused" in capsys.readouterr().out
