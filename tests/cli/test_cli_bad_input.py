"""Every bad input: one clear sentence on stderr, exit 2, nothing on stdout, no file left."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Outcome, Polyspline


def assert_refused(outcome: Outcome, *words: str) -> None:
    """One sentence with these words, and nothing else."""
    assert outcome.status == 2, outcome
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    lines = outcome.stderr.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    assert lines[-1].endswith(".")
    for word in words:
        assert word.lower() in lines[-1].lower(), lines[-1]


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def arrays(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "weight_0": np.eye(2),
        "bias_0": np.zeros(2),
        "weight_1": np.ones((1, 2)),
        "bias_1": np.zeros(1),
        "activation": np.array(["relu", "identity"]),
    }
    return good | changes


def _save(path: Path, **changes: Any) -> None:
    np.savez(path, **arrays(**changes))


def _truncated(path: Path) -> None:
    _save(path)
    path.write_bytes(path.read_bytes()[:-200])


def _pickled(path: Path) -> None:
    np.savez(path, allow_pickle=True, **arrays(weight_0=np.array([[object(), 1], [2, 3]], dtype=object)))


NETWORKS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "nan weight": (lambda path: _save(path, weight_0=np.full((2, 2), np.nan)), ("layer 0", "nan")),
    "infinite bias": (lambda path: _save(path, bias_0=np.array([np.inf, 0.0])), ("layer 0", "inf")),
    "shapes do not chain": (lambda path: _save(path, weight_1=np.ones((1, 3))), ("3", "2")),
    "bias of the wrong length": (lambda path: _save(path, bias_0=np.zeros(5)), ("bias", "5")),
    "unknown activation": (
        lambda path: _save(path, activation=np.array(["tanh", "identity"])),
        ("tanh", "relu"),
    ),
    "missing file": (lambda path: None, ("does not exist",)),
    "empty file": (lambda path: path.write_bytes(b""), ("empty",)),
    "truncated file": (_truncated, ()),
    "not a zip": (lambda path: path.write_bytes(b"not a zip at all" * 9), ()),
    "pickled": (_pickled, ()),
}


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("command", ["enumerate", "info"])
def test_a_bad_network_file(polyspline: Polyspline, tmp_path: Path, kind: str, command: str) -> None:
    write, words = NETWORKS[kind]
    path = tmp_path / "model.npz"
    write(path)
    before = files_in(tmp_path)
    rest = ("--box", -1, 1, "-o", tmp_path / "run.polyspline") if command == "enumerate" else ()
    assert_refused(polyspline(command, path, *rest), "model.npz", *words)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("suffix", "word"), [(".onnx", "no onnx model"), (".pt", ".npz"), (".txt", ".npz"), ("", ".npz")]
)
def test_a_network_file_of_another_kind(
    polyspline: Polyspline, tmp_path: Path, suffix: str, word: str
) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"something else")
    assert_refused(polyspline("enumerate", path, "--box", -1, 1), word)


@pytest.mark.parametrize(
    "bounds", [("1", "-1"), ("1", "1"), ("nan", "1"), ("-inf", "1"), ("0", "inf")], ids=" ".join
)
def test_a_bad_box(polyspline: Polyspline, cross_file: Path, tmp_path: Path, bounds: tuple[str, str]) -> None:
    before = files_in(tmp_path)
    run = tmp_path / "run.polyspline"
    assert_refused(polyspline("enumerate", cross_file, "--box", *bounds, "-o", run, "--json"))
    assert files_in(tmp_path) == before


SQUARE = {"G": np.vstack([np.eye(2), -np.eye(2)]), "h": np.ones(4)}
DOMAINS: dict[str, dict[str, Any]] = {
    "empty": SQUARE | {"h": np.array([1.0, 1.0, -2.0, 1.0])},
    "unbounded": {"G": np.eye(2), "h": np.ones(2)},
    "lower-dimensional": SQUARE | {"h": np.array([1.0, 0.0, 1.0, 0.0])},
    "of the wrong dimension": {"G": np.vstack([np.eye(3), -np.eye(3)]), "h": np.ones(6)},
    "box of the wrong dimension": {"lo": -np.ones(3), "hi": np.ones(3)},
    "without arrays": {"something": np.ones(2)},
    "with a NaN": SQUARE | {"h": np.array([np.nan, 1.0, 1.0, 1.0])},
    "of shapes that do not fit": SQUARE | {"h": np.ones(3)},
    "box upside down": {"lo": np.ones(2), "hi": -np.ones(2)},
}


@pytest.mark.parametrize("kind", DOMAINS)
def test_a_bad_domain_file(polyspline: Polyspline, cross_file: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "domain.npz"
    np.savez(path, **DOMAINS[kind])
    before = files_in(tmp_path)
    run = tmp_path / "run.polyspline"
    assert_refused(polyspline("enumerate", cross_file, "--domain", path, "-o", run))
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("content", [None, b"", b"not a zip at all"])
def test_a_damaged_domain_file(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "domain.npz"
    if content is not None:
        path.write_bytes(content)
    assert_refused(polyspline("enumerate", cross_file, "--domain", path), "domain.npz")


def test_no_domain_or_two_of_them(polyspline: Polyspline, cross_file: Path) -> None:
    assert_refused(polyspline("enumerate", cross_file), "--box", "--domain", "--whole-space")
    assert_refused(polyspline("enumerate", cross_file, "--box", -1, 1, "--whole-space"), "together")


@pytest.mark.parametrize(
    "option",
    [
        ("--max-regions", "-1"),
        ("--max-seconds", "-1"),
        ("--max-seconds", "nan"),
        ("--workers", "-2"),
        ("--workers", "0"),
        ("--max-regions", "many"),
        ("--workers", "1.5"),
    ],
    ids=" ".join,
)
def test_a_bad_limit(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path, option: tuple[str, str]
) -> None:
    before = files_in(tmp_path)
    run = tmp_path / "run.polyspline"
    assert_refused(polyspline("enumerate", cross_file, "--box", -1, 1, "-o", run, *option), option[1])
    assert files_in(tmp_path) == before


def test_an_output_that_cannot_be_written(polyspline: Polyspline, cross_file: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "run.polyspline", tmp_path, cross_file / "run.polyspline"):
        assert_refused(polyspline("enumerate", cross_file, "--box", -1, 1, "-o", path), str(path))
    assert [path.name for path in tmp_path.iterdir()] == [cross_file.name]


def test_an_existing_run_is_never_overwritten(
    polyspline: Polyspline, network_file: Path, run_file: Path
) -> None:
    before = run_file.read_bytes()
    outcome = polyspline("enumerate", network_file, "--box", -1, 1, "-o", run_file)
    assert_refused(outcome, str(run_file), "--resume")
    assert run_file.read_bytes() == before


def test_resume_refuses_another_network_another_domain_and_no_name(
    polyspline: Polyspline, network_file: Path, cross_file: Path, run_file: Path
) -> None:
    before = run_file.read_bytes()
    rest = ("-o", run_file, "--resume")
    assert_refused(polyspline("enumerate", cross_file, "--box", -1, 1, *rest), "network")
    assert_refused(polyspline("enumerate", network_file, "--box", -1, 2, *rest), "domain")
    assert_refused(polyspline("enumerate", network_file, "--box", -1, 1, "--resume"), "-o")
    assert run_file.read_bytes() == before


@pytest.mark.parametrize("text", ["5 5", "0 0 0", "nan 0", "here", ""])
def test_a_start_that_is_no_point_of_the_domain(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path, text: str
) -> None:
    start = tmp_path / "start.txt"
    start.write_text(text, encoding="utf-8")
    before = files_in(tmp_path)
    rest = ("--start", start, "-o", tmp_path / "run.polyspline")
    assert_refused(polyspline("enumerate", cross_file, "--box", -1, 1, *rest))
    assert files_in(tmp_path) == before


def test_a_start_file_that_is_missing_or_damaged(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "start.npy").write_bytes(b"damaged")
    np.savez(tmp_path / "two.npz", a=np.zeros(2), b=np.zeros(2))
    for name in ("start.npy", "two.npz", "missing.npy"):
        outcome = polyspline("enumerate", cross_file, "--box", -1, 1, "--start", tmp_path / name)
        assert_refused(outcome, name)


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (value)")
    connection.commit()
    connection.close()


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9999")
    connection.commit()
    connection.close()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


RUNS: dict[str, tuple[bool, Callable[[Path], object]]] = {
    "missing": (False, lambda path: None),
    "empty": (False, lambda path: path.write_bytes(b"")),
    "text": (False, lambda path: path.write_bytes(b"these are words, not a run\n" * 40)),
    "another database": (False, _foreign),
    "of a newer schema": (True, _newer),
    "truncated": (True, _cut),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_file_that_is_not_one(
    polyspline: Polyspline, network_file: Path, run_file: Path, tmp_path: Path, kind: str
) -> None:
    from_run, write = RUNS[kind]
    path = tmp_path / "bad.polyspline"
    if from_run:
        path.write_bytes(run_file.read_bytes())
    write(path)
    before = files_in(tmp_path)
    assert_refused(polyspline("info", path), "bad.polyspline")
    assert_refused(polyspline("export", path, tmp_path / "graph.json"), "bad.polyspline")
    assert_refused(polyspline("plot", path, tmp_path / "picture.png"), "bad.polyspline")
    if path.exists():
        resume = ("-o", path, "--resume")
        assert_refused(polyspline("enumerate", network_file, "--box", -1, 1, *resume), "bad.polyspline")
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(("command", "name"), [("export", "run.csv"), ("export", "run"), ("plot", "run.gif")])
def test_an_unknown_suffix(
    polyspline: Polyspline, run_file: Path, tmp_path: Path, command: str, name: str
) -> None:
    before = files_in(tmp_path)
    known = (".graphml", ".parquet") if command == "export" else (".png", ".svg", ".pdf")
    assert_refused(polyspline(command, run_file, tmp_path / name), *known)
    assert files_in(tmp_path) == before


def test_a_picture_that_is_out_of_view(polyspline: Polyspline, run_file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    assert_refused(polyspline("plot", run_file, picture, "--box", 5, 6), "outside")
    assert_refused(polyspline("plot", run_file, picture, "--box", 1, -1), "LO")
    assert_refused(polyspline("plot", run_file, picture, "--box-2", 0, 1), "--box LO HI")
    assert not picture.exists()


@pytest.mark.parametrize(
    "arguments",
    [(), ("walk",), ("enumerate",), ("enumerate", "model.npz", "--boxes"), ("info",), ("export", "run")],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)
def test_a_command_line_that_makes_no_sense(polyspline: Polyspline, arguments: tuple[str, ...]) -> None:
    assert_refused(polyspline(*arguments), "--help")
