"""``polyspline analyse``: the library's figures, a page that is whole, a sentence for what does not apply."""

from __future__ import annotations

import base64
import itertools
import json
import math
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyspline.cli.analyse import report_rows
from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError
from polyspline.manifold.angles import edge_angles
from polyspline.manifold.dimension import intrinsic_dimension
from polyspline.manifold.disentanglement import disentanglement
from polyspline.manifold.entropy import entropy
from polyspline.manifold.graph_figures import degrees, diameter
from polyspline.manifold.log_det import log_determinants
from polyspline.manifold.regions import region_set, sample_regions
from polyspline.manifold.uniformity import uniformity
from polyspline.manifold.volumes import image_volumes, volumes
from polyspline.network import Network, load_network, zoo
from polyspline.partition import load_partition
from polyspline.report import STEPS, Report, analyse, save_page
from polyspline.report.analyse import INTERRUPTED
from polyspline.report.page import page_text
from polyspline.report.section import value_bars, whole_bars
from tests.cli.conftest import Outcome, Polyspline

NEED_ALL = ("injectivity", "entropy", "uniformity")


def strict(outcome: Outcome) -> dict[str, Any]:
    """Read the one object on stdout, which has no NaN and no Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    assert outcome.stdout.count("\n") == 1
    facts: dict[str, Any] = json.loads(outcome.stdout, parse_constant=refuse)
    return facts


class Page(HTMLParser):
    """What a page holds: pictures, text, headings, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: list[bytes] = []
        self.headings: list[str] = []
        self.text = ""
        self.outside: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        named = dict(attrs)
        source = named.get("src") or ""
        if tag == "img":
            assert named["alt"]
            head, _, data = source.partition(",")
            assert head == "data:image/png;base64"
            self.pictures.append(base64.b64decode(data, validate=True))
        elif tag in ("script", "link", "iframe"):
            self.outside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def kept_run(polyspline: Polyspline, net: Network, folder: Path, *arguments: object) -> Path:
    file, run = folder / "net.npz", folder / "net.polyspline"
    net.save(file)
    assert polyspline("enumerate", file, *arguments, "-o", run).status in (0, 3)
    return run


def test_its_figures_are_those_of_the_library(polyspline: Polyspline, run_file: Path) -> None:
    outcome = polyspline("analyse", run_file, "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    facts, part = strict(outcome), load_partition(run_file)
    assert list(facts) == ["file", "html", "interrupted", *STEPS]
    assert (facts["counts"]["regions"], facts["counts"]["adjacencies"]) == (len(part), part.n_adjacencies)
    found = intrinsic_dimension(part)
    assert facts["dimension"]["shares"] == found.histogram().shares.tolist()
    assert facts["dimension"]["bound"] == int(found.bounds.max())
    measured = volumes(part)
    assert facts["dimension"]["volume_shares"] == found.histogram(measured.values).shares.tolist()
    assert facts["volumes"]["total"] == measured.total
    assert facts["volumes"]["residual"] == pytest.approx(0.0, abs=1e-9)
    assert facts["volumes"]["image_total"] == image_volumes(part, latent=measured).total()
    logs = log_determinants(part).summary()
    assert facts["log_determinants"]["mean"] == logs.mean.value
    assert facts["log_determinants"]["quantiles"] == logs.quantiles.tolist()
    orthogonal = disentanglement(part).summary()
    assert facts["disentanglement"]["spectral"]["mean"] == orthogonal.spectral.value
    assert facts["disentanglement"]["pair_sum"]["maximum"] == orthogonal.worst_pair_sum
    turning = edge_angles(part)
    assert facts["angles"]["largest_degrees"] == np.degrees(turning.turning[turning.known]).max()
    assert facts["angles"]["turning"]["shares"] == turning.histogram(18)[0].tolist()
    assert facts["graph"]["degree_counts"] == degrees(part).counts.tolist()
    assert facts["graph"]["diameter_lower"] == facts["graph"]["diameter_upper"] == diameter(part).lower
    # The small network folds: its entropy is bounded only.
    assert facts["injectivity"]["verdict"] == "not_injective"
    assert facts["entropy"]["status"] == entropy(part).status.key
    assert facts["uniformity"]["verdict"] == uniformity(part).verdict.key
    assert all(facts[key]["applies"] and facts[key]["how"] for key in STEPS)


def test_the_entropy_is_exact_where_the_network_is_injective() -> None:
    net = Network.from_layers([np.diag([2.0, 3.0]), np.eye(2)], [np.zeros(2), np.ones(2)], "leaky_relu:0.5")
    part = enumerate_regions(net, Box(-1.0, 1.0, dim=2))
    report = analyse(part)
    assert report["entropy"].figures["status"] == "exact"
    # log 4 of the square, log 6 of the slopes, and half of each coordinate is halved.
    expected = math.log(4.0) + math.log(6.0) - math.log(2.0)
    assert report["entropy"].figures["value"] == pytest.approx(expected)
    assert report["uniformity"].figures["verdict"] == "not_uniform"
    undecided = analyse(part, decide_seconds=0.0)
    assert not undecided["injectivity"].applies
    assert undecided["entropy"].figures["status"] == "upper_bound"


def test_for_a_person_it_is_one_page_with_every_section(polyspline: Polyspline, run_file: Path) -> None:
    outcome = polyspline("analyse", run_file)
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    for title, _ in STEPS.values():
        assert title in lines
    assert sum(line.strip().startswith("how ") for line in lines) == len(STEPS)
    assert len(lines) < 90


def test_the_page_is_whole_and_holds_its_pictures(
    polyspline: Polyspline, run_file: Path, tmp_path: Path
) -> None:
    from matplotlib.image import imread

    path = tmp_path / "report.html"
    outcome = polyspline("analyse", run_file, "--html", path, "--json")
    assert outcome.status == 0
    assert strict(outcome)["html"] == str(path)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert (page.open, page.outside) == ([], [])
    assert page.headings == [title for title, _ in STEPS.values()]
    # The regions, dimensions, log-determinants, angles, degrees and volumes.
    assert len(page.pictures) == 6
    for index, picture in enumerate(page.pictures):
        drawn = tmp_path / f"{index}.png"
        drawn.write_bytes(picture)
        pixels = np.asarray(imread(drawn))
        assert min(pixels.shape[:2]) > 100
        assert len(np.unique(pixels[..., 0])) > 2
    part = load_partition(run_file)
    assert f"{part.n_adjacencies:,}" in page.text


def test_the_same_report_is_the_same_page_and_names_are_escaped() -> None:
    part = enumerate_regions(zoo.random_network([1, 2, 1], seed=1), Box(-1.0, 1.0, dim=1))
    texts = [page_text(analyse(part), "<script>&.polyspline") for _ in range(2)]
    assert texts[0] == texts[1]
    page = Page(texts[0])
    assert page.outside == []
    assert "<script>&.polyspline" in page.text


def test_a_partial_run_says_which_parts_need_all_regions(
    polyspline: Polyspline, network_file: Path, tmp_path: Path
) -> None:
    run, path = tmp_path / "partial.polyspline", tmp_path / "partial.html"
    assert polyspline("enumerate", network_file, "--box", -1, 1, "--max-regions", 9, "-o", run).status == 3
    outcome = polyspline("analyse", run, "--json", "--html", path)
    facts = strict(outcome)
    assert outcome.status == 0
    assert outcome.stderr.startswith("note: the run is partial")
    for key in NEED_ALL:
        assert not facts[key]["applies"]
        assert "all regions" in facts[key]["note"]
        assert "resume" in facts[key]["note"]
    assert facts["volumes"]["residual"] is None
    assert 0.0 < facts["volumes"]["covered"] < 1.0
    assert "%" in facts["volumes"]["note"]
    assert "known so far" in facts["graph"]["note"]
    for key in ("log_determinants", "disentanglement", "angles", "graph", "volumes", "dimension"):
        assert "averages are biased: they are over the 9 regions" in facts[key]["note"]
    assert len(Page(path.read_text(encoding="utf-8")).pictures) >= 5


def test_over_all_regions_no_average_is_called_biased(run_file: Path) -> None:
    report = analyse(load_partition(run_file))
    assert not any("biased" in (section.note or "") for section in report.sections)


def test_over_the_whole_space_volumes_and_uniform_latents_do_not_apply(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path
) -> None:
    run, path = tmp_path / "cross.polyspline", tmp_path / "cross.html"
    assert polyspline("enumerate", cross_file, "--whole-space", "-o", run).status == 0
    outcome = polyspline("analyse", run, "--json", "--html", path)
    facts = strict(outcome)
    assert outcome.status == 0
    assert facts["entropy"]["prior"] == "standard normal"
    assert facts["entropy"]["status"] == "singular"
    for key in ("volumes", "uniformity"):
        assert not facts[key]["applies"]
        assert "unbounded" in facts[key]["note"]
    assert facts["injectivity"]["verdict"] == "not_injective"
    assert facts["dimension"]["volume_shares"] is None
    assert facts["dimension"]["shares"] == [0.25, 0.75, 0.0]
    # One output: no slope has rank 2, so there is no mean, which JSON knows as null.
    assert facts["log_determinants"]["mean"] is None
    assert "no region has rank S" in facts["log_determinants"]["note"]
    assert facts["angles"]["unequal_ranks"] == 2
    assert Page(path.read_text(encoding="utf-8")).pictures


def test_mass_of_lower_rank_makes_the_entropy_singular(polyspline: Polyspline, tmp_path: Path) -> None:
    dead = Network.from_layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
    facts = strict(polyspline("analyse", kept_run(polyspline, dead, tmp_path, "--box", -1, 1), "--json"))
    assert facts["entropy"]["status"] == "singular"
    assert facts["entropy"]["value"] is None
    assert facts["entropy"]["singular_mass"] == pytest.approx(0.75)
    assert facts["uniformity"]["ratio"] is None
    # The quarter of rank 2 is mapped as it is: a unit square, and one factor.
    assert facts["entropy"]["full_rank_value"] == pytest.approx(0.0, abs=1e-12)
    assert facts["uniformity"]["full_rank_ratio"] == 1.0
    assert facts["dimension"]["shares"] == [0.25, 0.5, 0.25]
    assert "rank below S" in facts["log_determinants"]["note"]


def test_the_part_of_rank_s_stands_beside_minus_infinity(polyspline: Polyspline, tmp_path: Path) -> None:
    dead = Network.from_layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
    run = kept_run(polyspline, dead, tmp_path, "--whole-space")
    outcome = polyspline("analyse", run)
    assert outcome.status == 0
    (line,) = [line for line in outcome.stdout.splitlines() if "of the part of rank S" in line]
    # Both coordinates are half normal: an entropy of log(pi e / 2) / 2 each.
    value = float(line.split()[6])
    assert value == pytest.approx(math.log(math.pi * math.e / 2.0), abs=0.02)


@pytest.mark.parametrize("where", [("--box", -1, 1), ("--whole-space",)])
def test_the_prior_of_the_entropy_can_be_chosen(
    polyspline: Polyspline, tmp_path: Path, where: tuple[object, ...]
) -> None:
    net = Network.from_layers([np.diag([2.0, 3.0]), np.eye(2)], [np.zeros(2), np.ones(2)], "leaky_relu:0.5")
    run = kept_run(polyspline, net, tmp_path, *where)
    part = load_partition(run)
    facts = strict(polyspline("analyse", run, "--prior", "gaussian", "--json"))["entropy"]
    assert facts["prior"] == "standard normal"
    assert facts["value"] == pytest.approx(entropy(part, "gaussian").value, abs=1e-9)
    assert facts["status"] == "exact"
    refused(polyspline("analyse", run, "--prior", "cauchy"), "cauchy", "'uniform', 'gaussian'")
    usual = strict(polyspline("analyse", run, "--json"))["entropy"]
    assert usual["prior"] == ("uniform over the domain" if part.domain.bounded else "standard normal")
    if not part.domain.bounded:
        refused(polyspline("analyse", run, "--prior", "uniform"), "no uniform distribution")


def test_what_is_decided_does_not_depend_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Network.from_layers([np.diag([2.0, 3.0]), np.eye(2)], [np.zeros(2), np.ones(2)], "leaky_relu:0.5")
    part = enumerate_regions(net, Box(-1.0, 1.0, dim=2))
    hours = itertools.count(step=3600)
    monkeypatch.setattr(
        sys.modules["polyspline.inversion.injectivity"], "working_time", lambda: float(next(hours))
    )
    assert analyse(part)["injectivity"].figures["verdict"] == "injective"
    little = analyse(part, decide_work=1)["injectivity"].figures
    assert little["verdict"] == "undecided"
    assert "the limit of 1 decisions" in little["decided"]


def test_the_work_on_sampled_regions_is_bounded_and_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = load_network("examples/app_e_fc.npz")
    regions = sample_regions(net, Box(-1.0, 1.0, dim=net.latent_dim), 30, neighbours=False)
    monkeypatch.setattr(sys.modules["polyspline.report.measured"], "_OPERATIONS", 10**9)
    told: list[str] = []
    report = analyse(regions, progress=told.append)
    assert [words for words in told if "draws" in words] == [
        f"Entropy: {done} of 256 draws" for done in (0, 64, 128, 192)
    ]
    assert "256 draws" in report["entropy"].how


def test_one_latent_and_one_region_are_no_failure(polyspline: Polyspline, tmp_path: Path) -> None:
    line = Network.from_layers([[[1.0], [1.0]], [[1.0, 1.0]]], [[5.0, 6.0], [0.0]])
    run, path = kept_run(polyspline, line, tmp_path, "--box", -1, 1), tmp_path / "line.html"
    facts = strict(polyspline("analyse", run, "--json", "--html", path))
    assert facts["counts"]["regions"] == 1
    assert "one column" in facts["disentanglement"]["note"]
    assert "facet" in facts["angles"]["note"]
    assert facts["graph"]["diameter_upper"] == 0
    assert facts["entropy"]["value"] == pytest.approx(math.log(4.0))
    assert facts["uniformity"]["verdict"] == "uniform"
    assert Page(path.read_text(encoding="utf-8")).pictures


def test_in_many_dimensions_the_volumes_say_why_not_and_no_picture_of_regions(tmp_path: Path) -> None:
    net = zoo.random_network([9, 2, 10], seed=1)
    report = analyse(enumerate_regions(net, Box(-1.0, 1.0, dim=9)), decide_seconds=0.0)
    assert "S <= 8" in (report["volumes"].note or "")
    assert report["entropy"].applies
    page = Page(save_page(report, tmp_path / "nine.html").read_text(encoding="utf-8"))
    assert "No picture of the regions: S is 9" in page.text


def test_regions_met_by_sampling_make_a_report_with_standard_errors() -> None:
    net = zoo.random_network([2, 6, 6, 3], seed=4)
    report = analyse(sample_regions(net, Box(-1.0, 1.0, dim=2), 300))
    assert report["counts"].figures["sampled"]
    assert report["log_determinants"].figures["standard_error"] > 0.0
    assert report["graph"].figures["mean_degree_standard_error"] > 0.0
    assert not report["injectivity"].applies
    assert report["entropy"].figures["standard_error"] > 0.0


def test_ctrl_c_keeps_the_sections_that_are_done(
    polyspline: Polyspline, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    title, _ = STEPS["angles"]
    monkeypatch.setitem(STEPS, "angles", (title, stopped))
    outcome = polyspline("analyse", run_file, "--json")
    facts = strict(outcome)
    assert outcome.status == 130
    assert outcome.stderr.startswith("partial: interrupted")
    assert facts["interrupted"]
    assert facts["disentanglement"]["applies"]
    assert [facts[key]["note"] for key in ("angles", "graph", "uniformity")] == [INTERRUPTED] * 3


def test_ctrl_c_while_injectivity_is_decided_ends_the_report(
    polyspline: Polyspline, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["polyspline.inversion.injectivity"]._Search, "run", stopped)
    outcome = polyspline("analyse", run_file, "--json")
    facts = strict(outcome)
    assert outcome.status == 130
    assert facts["volumes"]["applies"]
    assert [facts[key]["note"] for key in ("injectivity", "entropy", "uniformity")] == [INTERRUPTED] * 3


def refused(outcome: Outcome, *words: str) -> None:
    assert (outcome.status, outcome.stdout) == (2, "")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_bad_input_is_one_sentence(
    polyspline: Polyspline, network_file: Path, run_file: Path, tmp_path: Path
) -> None:
    before = run_file.read_bytes()
    refused(polyspline("analyse", tmp_path / "none.polyspline"), "none.polyspline")
    refused(polyspline("analyse", network_file), network_file.name)
    refused(polyspline("analyse", run_file, "--html", tmp_path / "no" / "a.html"), "there is no folder")
    refused(polyspline("analyse", run_file, "--html", run_file), "ends in .html")
    folder = tmp_path / "folder.html"
    folder.mkdir()
    refused(polyspline("analyse", run_file, "--html", folder), "it is a directory")
    refused(polyspline("analyse"), "RUN")
    assert run_file.read_bytes() == before
    with pytest.raises(ArgumentError, match="expected a Partition"):
        analyse(load_network(network_file))  # type: ignore[arg-type]


def test_without_matplotlib_the_figures_are_told_and_the_page_is_refused_first(
    polyspline: Polyspline, run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    real = importlib.import_module

    def missing(name: str, package: str | None = None) -> object:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    refused(polyspline("analyse", run_file, "--html", tmp_path / "a.html"), "polyspline[plot]")
    assert not (tmp_path / "a.html").exists()
    assert polyspline("analyse", run_file, "--json").status == 0


def test_the_rows_of_a_section_that_does_not_apply_are_its_sentence() -> None:
    part = enumerate_regions(zoo.random_network([1, 3, 2], seed=1), Box(-1.0, 1.0, dim=1))
    report: Report = analyse(part)
    (row,) = [row for row in report_rows(report, Path("run")) if row[0] == "Disentanglement"]
    assert row[1].startswith("does not apply")
    with pytest.raises(KeyError):
        report["nothing"]
    assert report.regions.partition is region_set(part).partition


def test_bars_hold_every_value() -> None:
    whole = whole_bars("neighbours", "regions", [0, 0, 3, 0, 1])
    assert whole.facts() == {"values": [2, 3, 4], "shares": [0.75, 0.0, 0.25]}
    assert whole_bars("x", "y", []).shares.sum() == 0.0
    same = value_bars("x", "y", np.full(5, 3.0) + np.arange(5) * 1e-14)
    assert same.shares.tolist() == [1.0]
    assert same.ends[0] < 3.0 < same.ends[1]
    spread = value_bars("x", "y", np.linspace(-1.0, 1.0, 50), bins=4)
    assert spread.facts()["shares"] == pytest.approx([0.24, 0.26, 0.24, 0.26], abs=0.03)
