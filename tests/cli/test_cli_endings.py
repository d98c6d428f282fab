"""How commands end: Ctrl-C, defects, and progress on a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from polyspline.cli.app import run
from polyspline.errors import InvariantError
from polyspline.network import zoo
from polyspline.partition import load_partition
from tests.cli.conftest import COMMAND, ROOT, Polyspline


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """Save a network that takes far longer than a test may."""
    path = tmp_path / "large.npz"
    zoo.random_network([4, 48, 48, 1], seed=0).save(path)
    return path


def test_ctrl_c_keeps_what_was_found_and_exits_130(large_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.polyspline"
    command = [*COMMAND, "enumerate", str(large_file), "--box", "-1", "1", "-o", str(path), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as walk:
        try:
            deadline = time.monotonic() + 120.0
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(2.0)
            walk.send_signal(signal.SIGINT)
            out, err = walk.communicate(timeout=240)
        finally:
            walk.kill()
    assert walk.returncode == 130, err
    facts = json.loads(out)
    assert (facts["complete"], facts["stop"]) == (False, "interrupted")
    assert "Traceback" not in err
    kept = load_partition(path)
    assert len(kept) == facts["regions"]
    assert kept.stop.key == "interrupted"


def test_an_interrupted_run_goes_on_to_the_same_result(
    polyspline: Polyspline, network_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, straight = tmp_path / "run.polyspline", tmp_path / "straight.polyspline"
    common = ("enumerate", network_file, "--box", -1, 1)
    assert polyspline(*common, "-o", path, "--max-regions", 3).status == 3
    assert polyspline(*common, "-o", path, "--resume").status == 0
    assert polyspline(*common, "-o", straight).status == 0
    assert load_partition(path).codes.tolist() == load_partition(straight).codes.tolist()


def test_progress_is_shown_on_a_terminal_and_json_stays_alone(large_file: Path) -> None:
    near, far = pty.openpty()
    command = [*COMMAND, "enumerate", str(large_file), "--box", "-1", "1", "--max-seconds", "2", "--json"]
    try:
        walk = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=far,
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        )
    finally:
        os.close(far)
    shown = b""
    try:
        while True:
            try:
                piece = os.read(near, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        out, _ = walk.communicate(timeout=240)
    finally:
        walk.kill()
        os.close(near)
    assert walk.returncode == 3
    assert json.loads(out)["stop"] == "max_seconds"
    assert b"regions" in shown
    assert b"frontier" in shown


def test_a_defect_is_one_sentence_that_says_how_to_report_it(tmp_path: Path) -> None:
    script = (
        "import polyspline.cli.app as app\n"
        "def broken(*_): raise RuntimeError('two\\nlines')\n"
        "app.get_command = broken\n"
        "raise SystemExit(app.main())\n"
    )
    quiet = {name: value for name, value in os.environ.items() if name != "POLYSPLINE_TRACEBACK"}
    for variables, traced in ((quiet, False), (quiet | {"POLYSPLINE_TRACEBACK": "1"}, True)):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=variables
        )
        assert done.returncode == 1
        assert done.stdout == ""
        assert ("Traceback" in done.stderr) is traced
        assert done.stderr.splitlines()[-1].startswith("internal error: RuntimeError: two lines;")
        assert "POLYSPLINE_TRACEBACK=1" in done.stderr


def test_a_broken_law_is_a_defect_and_not_bad_input(
    network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polyspline.network

    def broken(*_: object) -> None:
        raise InvariantError("a law is broken.")

    monkeypatch.setattr(polyspline.network, "load_network", broken)
    with pytest.raises(InvariantError):
        run(["enumerate", str(network_file), "--box", "-1", "1"])


def test_ctrl_c_while_compiled_packages_load_is_no_defect() -> None:
    script = (
        "import signal\n"
        "import polyspline.cli.app as app\n"
        "def loading(_):\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        raise ImportError('initialization failed') from None\n"
        "app.run = loading\n"
        "raise SystemExit(app.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines() == ["interrupted."]
    missing = script.replace("signal.raise_signal(signal.SIGINT)", "raise KeyboardInterrupt")
    done = subprocess.run([sys.executable, "-c", missing], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("internal error: ImportError")


@pytest.mark.parametrize(
    "command", [("enumerate", "{net}"), ("count", "{net}"), ("invert", "{net}", "{net}")], ids=lambda c: c[0]
)
def test_ctrl_c_before_anything_is_known_prints_the_keys_with_nothing(
    command: tuple[str, ...],
    polyspline: Polyspline,
    network_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known: dict[str, Any] = {}
    if command[0] != "invert":
        known = polyspline(command[0], network_file, "--box", -1, 1, "--json").facts

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("polyspline.network.load_network", interrupted)
    words = [word.format(net=network_file) for word in command]
    outcome = polyspline(*words, "--box", -1, 1, "--json")
    assert outcome.status == 130
    assert outcome.stderr.startswith("partial: interrupted")
    if known:
        assert outcome.facts.keys() == known.keys()
        assert (outcome.facts["stop"], outcome.facts["complete"]) == ("interrupted", False)
        assert outcome.facts["regions"] is None
    else:
        assert outcome.facts["status"] == "no_solution"
