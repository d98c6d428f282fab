"""``polyspline invert``: what it finds, prints and draws, how it exits, and what it refuses."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyspline.cli.readers import read_targets
from polyspline.domains import Box
from polyspline.errors import OutputError
from polyspline.inversion import invert
from polyspline.network import load_network, zoo
from tests.cli.conftest import COMMAND, ROOT, Polyspline
from tests.cli.test_cli_bad_input import assert_refused, files_in

KEYS = {"z", "distance", "lower_bound", "gap", "status", "norm", "method", "solver", "seconds"}
X = [0.3, -0.4, 0.9]


@pytest.fixture
def x_file(tmp_path: Path) -> Path:
    """Save an x that the small network does not reach."""
    path = tmp_path / "x.npy"
    np.save(path, X)
    return path


@pytest.fixture
def hard_files(tmp_path: Path) -> tuple[Path, Path]:
    """Save a network, and an x, that take far longer than a test may."""
    net = zoo.random_network([8, 64, 64, 64], "leaky_relu:0.1", seed=0)
    rng = np.random.default_rng(0)
    x = net(rng.uniform(-3.0, 3.0, 8)) + rng.normal(size=64)
    net.save(tmp_path / "hard.npz")
    np.save(tmp_path / "hard.npy", x)
    return tmp_path / "hard.npz", tmp_path / "hard.npy"


# ---- results


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_json_is_what_the_library_finds(
    polyspline: Polyspline, network_file: Path, x_file: Path, norm: str
) -> None:
    outcome = polyspline("invert", network_file, x_file, "--box", -1, 1, "--norm", norm, "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert len(outcome.stdout.splitlines()) == 1
    facts, net = outcome.facts, load_network(network_file)
    assert facts.keys() >= KEYS
    expected: Any = invert(net, X, Box(-1, 1, dim=2), norm=norm)
    assert facts["distance"] == pytest.approx(expected.distance, rel=1e-6)
    order = {"l2": 2, "l1": 1, "linf": np.inf}[norm]
    assert facts["distance"] == pytest.approx(float(np.linalg.norm(np.subtract(X, net(facts["z"])), order)))
    assert (facts["norm"], facts["method"], facts["status"]) == (norm, "search", "optimal")
    assert facts["bound_source"] == "rigorous"
    assert 0.0 <= facts["lower_bound"] <= facts["distance"]
    assert facts["gap"] <= 1e-6
    assert facts["x_hat"] == net(facts["z"]).tolist()
    assert facts["code"] == net.code(facts["z"]).tolist()


@pytest.mark.parametrize("method", ["search", "scan"])
def test_methods_that_prove_agree(
    polyspline: Polyspline, network_file: Path, x_file: Path, run_file: Path, method: str
) -> None:
    common = ("invert", network_file, x_file, "--box", -1, 1, "--json")
    found = polyspline(*common, "--method", method)
    over_run = polyspline(*common, "--method", "scan", "--partition", run_file)
    assert (found.status, over_run.status) == (0, 0)
    assert found.facts["distance"] == pytest.approx(over_run.facts["distance"], rel=1e-5)
    assert found.facts["status"] == over_run.facts["status"] == "optimal"


def test_milp_names_its_back_end(polyspline: Polyspline, network_file: Path, x_file: Path) -> None:
    common = ("invert", network_file, x_file, "--box", -1, 1, "--norm", "l1", "--json")
    milp = polyspline(*common, "--method", "milp", "--solver", "cbc")
    assert (milp.status, milp.facts["status"]) == (0, "optimal")
    assert "cbc" in milp.facts["solver"]
    assert milp.facts["bound_source"] == "solver"
    assert milp.facts["distance"] == pytest.approx(polyspline(*common).facts["distance"], rel=1e-4)


def test_a_local_method_is_done_without_a_bound(
    polyspline: Polyspline, network_file: Path, x_file: Path
) -> None:
    outcome = polyspline("invert", network_file, x_file, "--box", -1, 1, "--method", "gradient", "--json")
    assert outcome.status == 0
    assert (outcome.facts["status"], outcome.facts["bound_source"]) == ("local", "none")
    assert outcome.facts["lower_bound"] == 0.0


def test_a_measurement_is_inverted(polyspline: Polyspline, network_file: Path, tmp_path: Path) -> None:
    matrix, offset = np.array([[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]]), np.array([0.5, -0.5])
    net = load_network(network_file)
    np.savetxt(tmp_path / "y.csv", matrix @ net([0.3, -0.6]) + offset, delimiter=",")
    np.savetxt(tmp_path / "shifted.csv", matrix @ net([0.3, -0.6]), delimiter=",")
    np.savez(tmp_path / "measure.npz", matrix=matrix, offset=offset)
    np.save(tmp_path / "measure.npy", matrix)
    np.savetxt(tmp_path / "measure.csv", matrix, delimiter=",")
    for y, measure in (
        ("y.csv", "measure.npz"),
        ("shifted.csv", "measure.npy"),
        ("shifted.csv", "measure.csv"),
    ):
        common = ("invert", network_file, tmp_path / y, "--box", -1, 1, "--json")
        outcome = polyspline(*common, "--measure", tmp_path / measure)
        assert outcome.status == 0
        assert outcome.facts["distance"] < 1e-6
        assert len(outcome.facts["x_hat"]) == 3


def test_several_x_give_a_list_in_their_order(
    polyspline: Polyspline, network_file: Path, tmp_path: Path
) -> None:
    net = load_network(network_file)
    np.save(tmp_path / "rows.npy", np.vstack([net([0.1, 0.2]), X]))
    common = ("invert", network_file, tmp_path / "rows.npy", "--box", -1, 1)
    outcome = polyspline(*common, "--json")
    assert outcome.status == 0
    first, second = outcome.facts["results"]
    assert first.keys() >= KEYS
    assert first["distance"] < 1e-6
    np.save(tmp_path / "x.npy", X)
    alone = polyspline("invert", network_file, tmp_path / "x.npy", "--box", -1, 1, "--json").facts
    assert second["distance"] == pytest.approx(alone["distance"], rel=1e-6)
    lines = polyspline(*common).stdout.splitlines()
    assert len(lines) == 3
    assert "lower bound" in lines[0]


def test_x_may_come_in_any_usual_shape_and_file(tmp_path: Path) -> None:
    image = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "image.npy", image.astype(np.float32))
    (tmp_path / "row.csv").write_text("# a remark\n0, 1, 2, 3, 4, 5\n", encoding="utf-8")
    (tmp_path / "column.csv").write_text("0\n1\n2\n3\n4\n5\n", encoding="utf-8")
    (tmp_path / "x.json").write_text(json.dumps(image.ravel().tolist()), encoding="utf-8")
    for name in ("image.npy", "row.csv", "column.csv", "x.json"):
        values, several = read_targets(tmp_path / name, 6)
        assert (values.tolist(), several) == ([list(range(6))], False)
    for length, rows in ((3, 2), (1, None)):
        if rows is None:
            with pytest.raises(ValueError, match=r"\(2, 3\)"):
                read_targets(tmp_path / "image.npy", length)
        else:
            values, several = read_targets(tmp_path / "image.npy", length)
            assert (values.tolist(), several) == (image.tolist(), True)


def test_without_json_the_result_is_for_a_person(
    polyspline: Polyspline, network_file: Path, x_file: Path
) -> None:
    outcome = polyspline("invert", network_file, x_file, "--box", -1, 1)
    assert (outcome.status, outcome.stderr) == (0, "")
    names = [line.split("  ")[0] for line in outcome.stdout.splitlines()]
    assert names[:3] == ["distance", "lower bound", "gap"]
    assert "optimal: no latent point is nearer" in outcome.stdout
    assert "\x1b" not in outcome.stdout


def test_the_shipped_digit_is_drawn_by_the_shipped_decoder(polyspline: Polyspline, tmp_path: Path) -> None:
    files = (ROOT / "examples" / "digits_decoder.npz", ROOT / "examples" / "digit.npy")
    # The proof may take longer than a test; the reconstruction does not.
    common = ("invert", *files, "--box", -3, 3, "--max-seconds", 1, "--json")
    facts = polyspline(*common, "--plot", tmp_path / "digit.png").facts
    x = np.load(files[1])
    assert x.shape == (8, 8)
    # A decoder that had learned nothing would be as far as the mean digit.
    assert facts["distance"] < 0.5 * float(np.linalg.norm(x - x.mean()))
    assert (tmp_path / "digit.png").read_bytes().startswith(b"\x89PNG")


# ---- endings


def test_a_limit_exits_3_with_the_bounds_so_far(
    polyspline: Polyspline, hard_files: tuple[Path, Path], tmp_path: Path
) -> None:
    picture = tmp_path / "picture.svg"
    common = ("invert", *hard_files, "--box", -3, 3, "--max-seconds", 1, "--json")
    outcome = polyspline(*common, "--plot", picture)
    assert outcome.status == 3
    assert outcome.stderr.startswith("partial: ")
    facts = outcome.facts
    assert (facts["status"], facts["interrupted"]) == ("feasible", False)
    assert 0.0 <= facts["lower_bound"] < facts["distance"]
    assert facts["gap"] > 1e-6
    assert picture.stat().st_size > 0


def test_a_walk_that_a_limit_stops_leaves_a_scan_of_what_it_found(
    polyspline: Polyspline, hard_files: tuple[Path, Path]
) -> None:
    common = ("invert", *hard_files, "--box", -3, 3, "--method", "scan", "--max-seconds", 0.3, "--json")
    outcome = polyspline(*common)
    assert outcome.status == 3
    assert outcome.facts["status"] in ("feasible", "no_solution")


def test_a_limit_before_any_point_leaves_nulls_and_no_picture(
    polyspline: Polyspline, network_file: Path, x_file: Path, tmp_path: Path
) -> None:
    common = ("invert", network_file, x_file, "--box", -1, 1, "--max-seconds", 0)
    outcome = polyspline(*common, "--json", "--plot", tmp_path / "picture.png")
    facts = outcome.facts
    assert (outcome.status, facts["status"]) == (3, "no_solution")
    assert [facts[key] for key in ("z", "distance", "gap", "x_hat", "code")] == [None] * 5
    assert facts["lower_bound"] == 0.0
    assert "was not drawn" in outcome.stderr
    assert not (tmp_path / "picture.png").exists()
    assert "none yet" in polyspline(*common).stdout


def test_ctrl_c_prints_what_is_known_and_exits_130(hard_files: tuple[Path, Path]) -> None:
    command = [*COMMAND, "invert", *map(str, hard_files), "--box", "-3", "3", "--json"]
    near, far = pty.openpty()
    try:
        search = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=far,
            text=True,
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        )
    finally:
        os.close(far)
    shown, asked = b"", False
    try:
        deadline = time.monotonic() + 120.0
        while True:
            try:
                piece = os.read(near, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
            # The first numbers on the terminal tell that the search is on its way.
            if not asked and (b"gap 1" in shown or b"gap 0" in shown or time.monotonic() > deadline):
                asked = True
                search.send_signal(signal.SIGINT)
        out, _ = search.communicate(timeout=240)
    finally:
        search.kill()
        os.close(near)
    assert search.returncode == 130, shown
    facts = json.loads(out)
    assert (facts["status"], facts["interrupted"]) == ("feasible", True)
    assert len(facts["z"]) == 8
    for word in (b"upper", b"lower", b"nodes", b"interrupted"):
        assert word in shown
    assert b"Traceback" not in shown


def test_ctrl_c_before_the_search_still_prints_an_object(
    polyspline: Polyspline, network_file: Path, x_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    common = ("invert", network_file, x_file, "--box", -1, 1, "--json")
    keys = polyspline(*common).facts.keys()
    monkeypatch.setattr("polyspline.cli.readers.read_targets", interrupted)
    outcome = polyspline(*common)
    assert outcome.status == 130
    assert outcome.facts.keys() == keys
    assert (outcome.facts["status"], outcome.facts["z"]) == ("no_solution", None)


def test_a_picture_that_fails_at_last_does_not_take_the_result_with_it(
    polyspline: Polyspline, network_file: Path, x_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("cannot write picture.png: no space left on device.")

    monkeypatch.setattr("polyspline.plots.save_inversion_picture", full)
    common = ("invert", network_file, x_file, "--box", -1, 1, "--json")
    outcome = polyspline(*common, "--plot", tmp_path / "picture.png")
    assert (outcome.status, outcome.facts["status"]) == (2, "optimal")
    assert outcome.stderr == "error: cannot write picture.png: no space left on device.\n"


# ---- bad input


def _ragged(path: Path) -> None:
    path.write_text("1, 2\n3\n", encoding="utf-8")


BAD_X: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "missing": ("x.npy", None, ("no such file",)),
    "garbled npy": ("x.npy", b"not an array at all", ("x.npy",)),
    "empty npy": ("x.npy", b"", ("x.npy",)),
    "garbled csv": ("x.csv", b"1, 2, three", ("three",)),
    "binary csv": ("x.csv", b"\xff\xfe\x00\x01", ("x.csv",)),
    "empty csv": ("x.csv", b"", ("x.csv", "3")),
    "ragged csv": ("x.csv", b"1, 2\n3\n", ("different lengths",)),
    "garbled json": ("x.json", b"[1, 2,", ("x.json",)),
    "json of something else": ("x.json", b'{"x": [1, 2, 3]}', ("numbers",)),
    "json of words": ("x.json", b'["a", "b", "c"]', ("numbers",)),
    "too short": ("x.json", b"[1, 2]", ("length 2", "3")),
    "too long": ("x.json", b"[1, 2, 3, 4]", ("length 4", "3")),
    "rows of the wrong length": ("x.json", b"[[1, 2], [3, 4]]", ("(2, 2)", "3")),
    "nan": ("x.json", b"[1, NaN, 3]", ("nan", "finite")),
    "infinite": ("x.csv", b"1, 2, inf", ("inf", "finite")),
    "another format": ("x.png", b"\x89PNG", (".npy", ".csv", ".json")),
}


@pytest.mark.parametrize("kind", BAD_X)
def test_a_bad_x(polyspline: Polyspline, network_file: Path, tmp_path: Path, kind: str) -> None:
    name, content, words = BAD_X[kind]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    before = files_in(tmp_path)
    picture = ("--plot", tmp_path / "picture.png", "--json")
    assert_refused(polyspline("invert", network_file, path, "--box", -1, 1, *picture), *words)
    assert files_in(tmp_path) == before


def test_a_pickled_x_is_never_loaded(polyspline: Polyspline, network_file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{1}, 2, 3], dtype=object), allow_pickle=True)
    assert_refused(polyspline("invert", network_file, tmp_path / "x.npy", "--box", -1, 1), "x.npy")


BAD_OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "norm": (("--norm", "l3"), ("l3", "l1, linf")),
    "method": (("--method", "guess"), ("guess", "search, milp, scan, gradient")),
    "solver": (("--method", "milp", "--solver", "abacus"), ("abacus", "cbc")),
    "solver without milp": (("--solver", "cbc"), ("milp",)),
    "negative gap": (("--gap", "-1e-3"), ("-0.001",)),
    "gap that is no number": (("--gap", "small"), ("small",)),
    "nan gap": (("--gap", "nan"), ("nan",)),
    "negative seconds": (("--max-seconds", "-1"), ("-1",)),
    "nan seconds": (("--max-seconds", "nan"), ("nan",)),
    "partition without scan": (("--partition", "run.polyspline"), ("scan",)),
    "no domain twice": (("--domain", "domain.npz"), ("together",)),
    "no whole space": (("--whole-space",), ("--help",)),
}


@pytest.mark.parametrize("kind", BAD_OPTIONS)
def test_a_bad_option(
    polyspline: Polyspline, network_file: Path, x_file: Path, tmp_path: Path, kind: str
) -> None:
    options, words = BAD_OPTIONS[kind]
    before = files_in(tmp_path)
    assert_refused(polyspline("invert", network_file, x_file, "--box", -1, 1, *options, "--json"), *words)
    assert files_in(tmp_path) == before


def test_a_solver_that_is_not_installed_is_named_with_what_is(
    polyspline: Polyspline, network_file: Path, x_file: Path
) -> None:
    common = ("invert", network_file, x_file, "--box", -1, 1, "--method", "milp", "--norm", "l1")
    # A commercial program that no test machine carries.
    assert_refused(polyspline(*common, "--solver", "xpress"), "xpress", "install")


def test_a_domain_that_is_missing_or_unbounded(
    polyspline: Polyspline, network_file: Path, x_file: Path, tmp_path: Path
) -> None:
    assert_refused(polyspline("invert", network_file, x_file), "--box", "--domain")
    np.savez(tmp_path / "half.npz", G=np.eye(2), h=np.ones(2))
    outcome = polyspline("invert", network_file, x_file, "--domain", tmp_path / "half.npz")
    assert_refused(outcome, "half.npz", "bounded")
    np.savez(tmp_path / "solid.npz", lo=-np.ones(3), hi=np.ones(3))
    outcome = polyspline("invert", network_file, x_file, "--domain", tmp_path / "solid.npz")
    assert_refused(outcome, "dimension 3")


BAD_MEASURES: dict[str, dict[str, Any]] = {
    "of other columns": {"matrix": np.ones((2, 4))},
    "that is a vector": {"matrix": np.ones(3)},
    "without rows": {"matrix": np.ones((0, 3))},
    "with an offset too long": {"matrix": np.ones((3, 3)), "offset": np.ones(2)},
    "with a nan": {"matrix": np.full((3, 3), np.nan)},
    "without a matrix": {"offset": np.ones(3)},
    "with more than that": {"matrix": np.ones((3, 3)), "offsets": np.ones(3)},
    "of words": {"matrix": np.array([["a", "b", "c"]] * 3)},
}


@pytest.mark.parametrize("kind", BAD_MEASURES)
def test_a_bad_measure(
    polyspline: Polyspline, network_file: Path, x_file: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "measure.npz"
    np.savez(path, **BAD_MEASURES[kind])
    common = ("invert", network_file, x_file, "--box", -1, 1)
    assert_refused(polyspline(*common, "--measure", path), "measure")
    np.save(tmp_path / "measure.npy", np.ones((2, 3)))
    assert_refused(polyspline(*common, "--measure", tmp_path / "measure.npy"), "x.npy", "length 3")
    assert_refused(polyspline(*common, "--measure", tmp_path / "missing.npz"), "missing.npz")


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_work(
    polyspline: Polyspline, hard_files: tuple[Path, Path], tmp_path: Path
) -> None:
    # The search would take hours: a refusal after it would not come.
    common = ("invert", *hard_files, "--box", -3, 3)
    before = files_in(tmp_path)
    assert_refused(polyspline(*common, "--plot", tmp_path / "picture.gif"), ".png", ".svg", ".pdf")
    assert_refused(polyspline(*common, "--plot", tmp_path / "nowhere" / "a.png"), "nowhere")
    assert_refused(polyspline(*common, "--plot", tmp_path), "suffix")
    x = np.load(hard_files[1])
    np.save(tmp_path / "rows.npy", np.vstack([x, x]))
    rows = ("invert", hard_files[0], tmp_path / "rows.npy", "--box", -3, 3)
    assert_refused(polyspline(*rows, "--plot", tmp_path / "picture.png"), "one x")
    (tmp_path / "rows.npy").unlink()
    assert files_in(tmp_path) == before


def test_a_run_of_another_network_or_domain_is_refused(
    polyspline: Polyspline, network_file: Path, cross_file: Path, x_file: Path, run_file: Path, tmp_path: Path
) -> None:
    scan = ("--method", "scan", "--partition", run_file)
    assert_refused(polyspline("invert", network_file, x_file, "--box", -1, 2, *scan), "domain")
    (tmp_path / "one.json").write_text("[0.5]", encoding="utf-8")
    outcome = polyspline("invert", cross_file, tmp_path / "one.json", "--box", -1, 1, *scan)
    assert_refused(outcome, "another network")
    missing = ("--method", "scan", "--partition", tmp_path / "missing.polyspline")
    assert_refused(polyspline("invert", network_file, x_file, "--box", -1, 1, *missing), "missing.polyspline")
