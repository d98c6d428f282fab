"""Outputs of every command: nothing is overwritten unasked, nothing is left half-written or behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import polyspline as ps
from polyspline import files
from polyspline.errors import OutputError
from tests.cli.conftest import COMMAND, ROOT, Outcome, Polyspline

# Sub-command, and the words before and after the name of the file that it writes.
WRITERS = {
    "export": (("export", "{run}"), (), "out.npz"),
    "plot": (("plot", "{run}"), (), "out.png"),
    "page": (("plot", "{run}"), (), "out.html"),
    "analyse": (("analyse", "{run}", "--html"), (), "out.html"),
    "invert": (("invert", "{net}", "{x}", "--box", -1, 1, "--plot"), (), "out.svg"),
}


@pytest.fixture
def x_file(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.array([0.1, 0.2, 0.3]))
    return path


@pytest.fixture
def places(network_file: Path, run_file: Path, x_file: Path) -> dict[str, Path]:
    return {"net": network_file, "run": run_file, "x": x_file}


def words_of(writer: str, out: Path, places: dict[str, Path], *more: object) -> list[object]:
    before, after, _ = WRITERS[writer]
    named = [word.format(**places) if isinstance(word, str) else word for word in before]
    return [*named, out, *after, *more]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_is_overwritten_by_force_only(
    writer: str, polyspline: Polyspline, places: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / WRITERS[writer][2]
    out.write_text("precious")
    refused = polyspline(*words_of(writer, out, places))
    assert (refused.status, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert "exists already" in refused.stderr
    assert "--force" in refused.stderr
    assert out.read_text() == "precious"
    assert polyspline(*words_of(writer, out, places, "--force")).status == 0
    assert out.read_bytes() != b"precious"
    assert not list(tmp_path.glob(".*.partial*"))


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_is_a_taken_name_and_followed_by_force(
    writer: str, dangling: bool, polyspline: Polyspline, places: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target", tmp_path / WRITERS[writer][2]
    link.symlink_to(Path("far") / "target")
    if not dangling:
        target.write_text("precious")
    refused = polyspline(*words_of(writer, link, places))
    assert (refused.status, "exists already" in refused.stderr) == (2, True)
    assert polyspline(*words_of(writer, link, places, "--force")).status == 0
    assert link.is_symlink()
    assert target.read_bytes() not in (b"", b"precious")


def test_a_run_file_is_a_taken_name_to_enumerate_too(
    polyspline: Polyspline, network_file: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    refused = polyspline("enumerate", network_file, "--box", -1, 1, "-o", link)
    assert (refused.status, "exists already" in refused.stderr) == (2, True)


def test_an_input_is_not_overwritten_by_force(polyspline: Polyspline, run_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run.npz"
    run_file.rename(run)
    before = run.read_bytes()
    refused = polyspline("export", run, run, "--force")
    assert (refused.status, "the file that is read" in refused.stderr) == (2, True)
    assert run.read_bytes() == before


def test_what_is_no_regular_file_is_not_replaced(
    polyspline: Polyspline, run_file: Path, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    refused = polyspline("export", run_file, pipe, "--force")
    assert (refused.status, "no regular file" in refused.stderr) == (2, True)
    assert pipe.is_fifo()


def test_library_writers_overwrite_unless_told_not_to(tmp_path: Path) -> None:
    net, path = ps.zoo.random_network([2, 3, 1], seed=0), tmp_path / "net.npz"
    net.save(path)
    net.save(path)
    other = ps.zoo.random_network([2, 3, 1], seed=1)
    with pytest.raises(OutputError, match="overwrite=True"):
        other.save(path, overwrite=False)
    assert ps.load_network(path) == net


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def write_late() -> None:
        with files.whole_file(path, overwrite=False) as stream:
            stream.write(b"late")
            path.write_text("precious")

    with pytest.raises(OutputError, match="exists already"):
        write_late()
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["out"]


def test_the_rights_of_an_overwritten_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(0o600)
    with files.whole_file(path) as stream:
        stream.write(b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path: Path) -> None:
    for name in ("n" * 255, "\u00e9" * 127):
        with files.whole_file(tmp_path / name) as stream:
            stream.write(b"whole")
        assert (tmp_path / name).read_bytes() == b"whole"


# ---- what a killed process leaves

_KILLED = """
import sys, time
from pathlib import Path
from polyspline.files import whole_file, reserved_beside
with whole_file(Path(sys.argv[1])) as stream, reserved_beside(Path(sys.argv[1])) as other:
    stream.write(b"half"); stream.flush()
    Path(str(other) + "-journal").write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path: Path) -> None:
    foreign = tmp_path / ".other.0123456789abcdef.partial"
    foreign.write_text("not ours")
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as writing:
        assert writing.stdout is not None
        assert writing.stdout.readline() == b"writing\n"
        assert files.remove_leftovers(tmp_path) == []
        assert len(list(tmp_path.glob(".out*"))) == 3
        writing.send_signal(signal.SIGKILL)
    with files.whole_file(tmp_path / "next") as stream:
        stream.write(b"whole")
    assert sorted(os.listdir(tmp_path)) == [foreign.name, "next"]


# ---- a full disk


def _limited(limit: int, *words: object) -> Outcome:
    """Run a command whose files may not grow beyond a size, as on a disk that is full."""

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=limit_files,
        timeout=300,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    writer: str, places: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / WRITERS[writer][2]
    outcome = _limited(256, *words_of(writer, out, places, "--json"))
    assert outcome.status == 2, outcome.stderr
    assert outcome.stderr.splitlines()[-1].startswith("error: cannot write")
    assert "Traceback" not in outcome.stderr
    assert not out.exists()
    assert not list(tmp_path.glob(".*.partial*"))


def test_enumerate_on_a_full_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    net, run = tmp_path / "large.npz", tmp_path / "run"
    ps.zoo.random_network([4, 24, 24, 1], seed=0).save(net)
    outcome = _limited(1_000_000, "enumerate", net, "--box", -1, 1, "-o", run, "--max-seconds", 60)
    assert outcome.status == 2, outcome.stderr
    assert "--resume" in outcome.stderr.splitlines()[-1]
    kept = ps.load_partition(run)
    assert len(kept) > 100
    assert not kept.complete
    again = _limited(10**9, "enumerate", net, "--box", -1, 1, "-o", run, "--resume", "--max-seconds", 1)
    assert again.status == 3, again.stderr
    assert len(ps.load_partition(run)) >= len(kept)
