"""``polyspline enumerate`` on slices of a network, and within a radius."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import polyspline as ps
from polyspline.cli.arguments import spread_values
from polyspline.network import zoo
from tests.cli.conftest import Polyspline

DIM = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network of five inputs, three points, a slice and a start on it."""
    zoo.random_network([DIM, 8, 8, 2], seed=1).save(tmp_path / "net.npz")
    rng = np.random.default_rng(0)
    for name in "abc":
        np.save(tmp_path / f"{name}.npy", rng.normal(size=DIM))
    np.savez(tmp_path / "slice.npz", origin=np.zeros(DIM), directions=np.eye(DIM)[:, 1:3])
    np.save(tmp_path / "start.npy", [0.1, 0.2])
    return tmp_path


def loaded(folder: Path, *names: str) -> list[np.ndarray]:
    return [np.load(folder / f"{name}.npy") for name in names]


def test_a_slice_from_a_file_is_the_restricted_network(polyspline: Polyspline, folder: Path) -> None:
    run = folder / "run.polyspline"
    slice_file = folder / "slice.npz"
    outcome = polyspline(
        "enumerate", folder / "net.npz", "--slice", slice_file, "--box", -2, 2, "-o", run, "--json"
    )
    assert outcome.status == 0
    net = ps.load_network(folder / "net.npz").restrict(np.zeros(DIM), np.eye(DIM)[:, 1:3])
    part = ps.enumerate_regions(net, ps.Box(-2, 2, dim=2))
    facts = outcome.facts
    assert (facts["regions"], facts["adjacencies"]) == (len(part), part.n_adjacencies)
    assert (facts["latent_dim"], facts["ambient_dim"]) == (2, 2)
    assert facts["slice"] == {"given": "file", "files": [str(slice_file)], "of_dim": DIM, "coordinates": None}
    kept = ps.load_partition(run)
    assert kept.net == net
    assert kept.codes.tolist() == part.codes.tolist()


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_a_slice_through_points(polyspline: Polyspline, folder: Path, names: str) -> None:
    files = [folder / f"{name}.npy" for name in names]
    outcome = polyspline("enumerate", folder / "net.npz", "--through", *files, "--box", -3, 3, "--json")
    assert outcome.status == 0
    laid = ps.plane_through(*loaded(folder, *names))
    net = ps.load_network(folder / "net.npz").restrict(*laid)
    assert outcome.facts["latent_dim"] == len(names) - 1
    assert outcome.facts["regions"] == len(ps.enumerate_regions(net, ps.Box(-3, 3, dim=len(names) - 1)))
    assert outcome.facts["slice"]["files"] == [str(file) for file in files]
    assert outcome.facts["slice"]["coordinates"] == laid.coordinates.tolist()


def test_the_options_may_come_in_any_order_and_one_value_at_a_time(
    polyspline: Polyspline, folder: Path
) -> None:
    a, b = folder / "a.npy", folder / "b.npy"
    before = polyspline("enumerate", "--box", -1, 1, "--through", a, b, "--json", folder / "net.npz")
    apart = polyspline(
        "enumerate", folder / "net.npz", "--through", a, "--box", -1, 1, "--through", b, "--json"
    )
    assert before.status == apart.status == 0
    assert before.facts["slice"] == apart.facts["slice"]


def test_spreading_repeats_the_option_before_each_value() -> None:
    assert spread_values(["x", "--through", "a", "b", "--json"]) == [
        "x", "--through", "a", "--through", "b", "--json",
    ]  # fmt: skip
    assert spread_values(["--through", *"abcd"]) == [
        "--through", "a", "--through", "b", "--through", "c", "d",
    ]  # fmt: skip
    assert spread_values(["info", "run"]) == ["info", "run"]


def test_a_local_walk_keeps_to_its_ball_and_says_so(polyspline: Polyspline, folder: Path) -> None:
    run = folder / "run.polyspline"
    slice_and_domain = ("--slice", folder / "slice.npz", "--box", -2, 2, "--start", folder / "start.npy")
    common = ("enumerate", folder / "net.npz", *slice_and_domain, "-o", run, "--json")
    ball = ("--radius", 0.75, "--norm", "linf")
    cut = polyspline(*common, *ball, "--max-regions", 3)
    assert (cut.status, cut.facts["stop"]) == (3, "max_regions")
    outcome = polyspline(*common, *ball, "--resume")
    assert outcome.status == 0
    assert (outcome.facts["complete"], outcome.facts["stop"]) == (False, "radius")
    assert outcome.facts["within"] == {"centre": [0.1, 0.2], "radius": 0.75, "norm": "linf"}
    assert outcome.stderr == ""
    net = ps.load_network(folder / "net.npz").restrict(np.zeros(DIM), np.eye(DIM)[:, 1:3])
    part = ps.enumerate_regions(net, ps.Box(-2, 2, dim=2), start=[0.1, 0.2], radius=0.75, norm="linf")
    assert outcome.facts["regions"] == len(part)
    assert polyspline(*common, *ball, "--resume").facts["regions"] == len(part)
    other = polyspline(*common, "--radius", 0.5, "--resume")
    assert (other.status, other.stdout) == (2, "")
    assert "radius 0.75" in other.stderr
    shown = polyspline("info", run)
    assert "radius 0.75 (linf) of (0.1, 0.2)" in shown.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--through", "@a.npy"], "two for a line"),
        (["--through", "@a.npy", "@a.npy"], "plane_through"),
        (["--through", "@a.npy", "@b.npy", "@a.npy"], "plane_through"),
        (["--through"], "--through"),
        (["--through", "@a.npy", "@missing.npy"], "no such file"),
        (["--through", "@a.npy", "@start.npy"], "2 coordinates"),
        (["--slice", "@slice.npz", "--through", "@a.npy", "@b.npy"], "one of them"),
        (["--slice", "@net.npz"], "origin"),
        (["--slice", "@flat.npz"], "directions"),
        (["--slice", "@missing.npz"], "does not exist"),
        (["--norm", "l2"], "--radius"),
        (["--radius", "-1"], "radius"),
        (["--radius", "1", "--norm", "l1"], "norm"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_slices_and_balls_that_make_no_sense_are_refused_in_one_sentence(
    polyspline: Polyspline, folder: Path, options: list[str], said: str
) -> None:
    np.savez(folder / "flat.npz", origin=np.zeros(DIM), directions=np.zeros((2, 2)))
    spelled = [word.replace("@", f"{folder}/") for word in options]
    run = folder / "run.polyspline"
    outcome = polyspline("enumerate", folder / "net.npz", *spelled, "--box", -1, 1, "-o", run, "--json")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert said in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert not run.exists()
