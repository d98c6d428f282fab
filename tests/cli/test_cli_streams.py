"""Standard streams: closed, full, cut off, or of few letters, a command ends as it would anyway."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyspline.cli.streams import spelt
from tests.cli.conftest import ROOT, Polyspline

_MAIN = f"{sys.executable} -c 'from polyspline.cli import main; raise SystemExit(main())'"


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash; ``polyspline`` in it is the command."""
    return subprocess.run(
        ["bash", "-c", line.replace("polyspline", _MAIN, 1)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | variables,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("polyspline info {net} >&-", 0),
        ("polyspline info {net} >&- 2>&-", 0),
        ("polyspline info {net} >&- 2>&- <&-", 0),
        ("polyspline info {net}.missing 2>&-", 2),
        ("polyspline info {net}.missing >&-", 2),
        ("polyspline info {net}.missing 2>/dev/full", 2),
        ("polyspline info {net} | true; exit ${{PIPESTATUS[0]}}", 0),
        ("polyspline info {net} --json | head -c 1 >&2; exit ${{PIPESTATUS[0]}}", 0),
        ("polyspline --help | true; exit ${{PIPESTATUS[0]}}", 0),
        ("polyspline --version | true; exit ${{PIPESTATUS[0]}}", 0),
        ("polyspline enumerate {net} --box -1 1 --max-regions 3 | true; exit ${{PIPESTATUS[0]}}", 3),
        ("polyspline enumerate {net} --box -1 1 --max-regions 3 2> >(true) >&-", 3),
        ("polyspline info {net}.missing 2> >(sleep 0); exit $?", 2),
    ],
)
def test_a_closed_or_broken_stream_is_quiet_and_leaves_the_status(
    line: str, status: int, network_file: Path
) -> None:
    done = shell(line.format(net=network_file))
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert "Broken pipe" not in done.stderr
    assert done.stdout == ""


def test_a_full_stdout_is_one_sentence(network_file: Path) -> None:
    done = shell(f"polyspline info {network_file} >/dev/full")
    assert (done.returncode, done.stderr) == (2, "error: cannot write to stdout: No space left on device.\n")


def test_no_file_takes_the_number_of_a_closed_stream(network_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    line = f"polyspline enumerate {network_file} --box -1 1 -o {run} >&- 2>&- <&-"
    assert shell(line).returncode == 0
    assert shell(f"polyspline info {run}").returncode == 0


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
def test_a_terminal_is_written_what_its_encoding_can_show(
    encoding: str, polyspline: Polyspline, run_file: Path, tmp_path: Path
) -> None:
    variables = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    picture = tmp_path / f"gr\u00f6\u00dfe-{encoding}.png"
    done = subprocess.run(
        ["bash", "-c", f"{_MAIN} analyse {run_file} && {_MAIN} plot {run_file} {picture}"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ | variables,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode(encoding)
    assert ("(A\u1d40A)" if encoding == "utf-8" else "(A^TA)") in shown
    assert ("180\u00b0" in shown) is (encoding != "ascii")
    assert ("180 deg" in shown) is (encoding == "ascii")
    assert picture.exists()


def test_letters_are_spelt_in_ascii_whatever_they_are() -> None:
    assert spelt("\u03c9 \u2264 2\u00b2 \u00e9 \u4e2d \udcff") == r"omega <= 2^2 e \u4e2d \udcff"
    assert all(spelt(chr(code)).isascii() for code in range(0x3000))
