"""Runs the command line: in this process where that tells enough, in its own where it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from polyspline.cli.app import run
from polyspline.network import Network, zoo

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from polyspline.cli import main; raise SystemExit(main())"]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def facts(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        facts: dict[str, Any] = json.loads(self.stdout)
        return facts


Polyspline = Callable[..., Outcome]


@pytest.fixture
def polyspline(capfd: pytest.CaptureFixture[str]) -> Polyspline:
    """Run a command in this process."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        streams = capfd.readouterr()
        return Outcome(status, streams.out, streams.err)

    return call


@pytest.fixture(scope="session")
def polyspline_process() -> Polyspline:
    """Run a command in a process of its own."""

    def call(*arguments: object, **variables: str) -> Outcome:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=os.environ | variables,
            timeout=300,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    """Save a small network of the plane."""
    path = tmp_path / "model.npz"
    zoo.random_network([2, 6, 6, 3], seed=4).save(path)
    return path


@pytest.fixture
def cross_file(tmp_path: Path) -> Path:
    """Save a network whose regions are the four quadrants."""
    path = tmp_path / "cross.npz"
    Network.from_layers([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]]).save(path)
    return path


@pytest.fixture
def run_file(polyspline: Polyspline, network_file: Path, tmp_path: Path) -> Path:
    """Keep a complete run of the small network."""
    path = tmp_path / "run.polyspline"
    assert polyspline("enumerate", network_file, "--box", -1, 1, "-o", path).status == 0
    return path
