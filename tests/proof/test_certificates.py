"""What certificates prove, what is refused, and that the checker never falls over."""

from __future__ import annotations

import ast
import hashlib
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import InvariantError
from polyspline.proof import check as checker
from polyspline.proof import digest, writer
from polyspline.proof.encode import network_tables, section
from tests.agreement.support import cube, problem, walked
from tests.oracle.cases import random_weights
from tests.proof.corruptions import cases, corrupted
from tests.proof.support import claim_of, is_true, known
from tests.proof.wrong_answers import DATA, claim_of_codes, wrong_partitions

CHECKER, DIGEST = Path(checker.__file__), Path(digest.__file__)


@pytest.fixture(scope="module")
def plane() -> Any:
    return walked(problem(random_weights([2, 6, 5, 1], 7), "relu").net, ps.Box(-1, 1, dim=2))


def test_valid_certificates_of_every_kind_are_accepted_and_true() -> None:
    for case in cases():
        status, sentence = case.claim.check()
        assert status == checker.PROVEN, sentence
        assert is_true(case.claim, case.truth)


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_no_corruption_makes_a_false_claim_that_is_accepted(first: int) -> None:
    for seed in range(first, first + 50):
        _, true, (status, sentence) = corrupted(seed)
        assert status != checker.PROVEN or true, f"seed {seed}: {sentence}"


def test_many_corruptions_are_false_and_refused() -> None:
    outcomes = [corrupted(seed)[1:] for seed in range(130)]
    assert sum(not true and status == checker.REFUSED for true, (status, _) in outcomes) > 40


def test_random_bytes_get_a_sentence() -> None:
    draw = random.Random(0)
    for size in range(300):
        data = (checker.MAGIC if size % 2 else b"") + draw.randbytes(size)
        status, sentence = checker.check(data)
        assert status == checker.BAD
        assert "\n" not in sentence


def test_random_content_in_sound_sections_gets_a_sentence() -> None:
    draw = random.Random(1)
    good = cases()[0].claim
    heads = [section(network_tables(good.net)), section(b"\0"), section(b"\3\3")]
    for size in range(300):
        parts = [*heads]
        parts[size % 3] = section(draw.randbytes(size % 40))
        data = checker.MAGIC + b"".join(parts) + section(draw.randbytes(size))
        assert checker.check(data)[0] in {checker.BAD, checker.REFUSED}


def test_a_changed_byte_or_a_cut_off_end_is_never_accepted_as_another_claim(plane: Any) -> None:
    data = ps.prove(plane).data
    said = checker.check(data)
    draw = random.Random(2)
    for _ in range(150):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        assert checker.check(bytes(changed))[0] != checker.PROVEN or checker.check(bytes(changed)) == said
    for _ in range(50):
        assert checker.check(data[: draw.randrange(len(data))])[0] == checker.BAD
    assert checker.check(data + b"\0")[0] == checker.BAD


def test_a_section_that_inflates_beyond_its_size_is_not_inflated() -> None:
    bomb = section(bytes(1 << 24))
    short = bomb[:4] + (1 << 10).to_bytes(4, "little") + bomb[8:]
    assert checker.check(checker.MAGIC + short) == checker.check(checker.MAGIC + short)
    assert "size" in checker.check(checker.MAGIC + short)[1]


@pytest.mark.parametrize("name", sorted(wrong_partitions()))
def test_wrong_answers_of_old_are_refused(name: str) -> None:
    data = (DATA / f"{name}.proof").read_bytes()
    status, sentence = checker.check(data)
    assert status == checker.REFUSED, sentence
    net, domain, codes = wrong_partitions()[name]
    assert claim_of_codes(net, domain, codes).check()[0] == checker.REFUSED
    right = ps.enumerate_regions(net, domain, method="walk")
    assert {tuple(code) for code in right.codes.tolist()} != set(codes)
    assert ps.prove(right).check()[0] == checker.PROVEN


def test_a_partition_that_misses_a_region_has_no_proof(plane: Any) -> None:
    kept = plane.edges[(plane.edges < len(plane) - 1).all(axis=1)]
    less = replace(
        plane,
        packed=plane.packed[:-1],
        witnesses=plane.witnesses[:-1],
        witness_exact=plane.witness_exact[:-1],
        edges=kept,
        edge_sources=np.zeros(len(kept), dtype=np.int32),
        expanded=len(plane) - 1,
    )
    with pytest.raises(InvariantError, match="not listed"):
        ps.prove(less)


def test_no_regions_at_all_prove_nothing() -> None:
    claim = cases()[0].claim
    assert claim._replace(proofs=(), expanded=0).check()[0] == checker.REFUSED


def _tables(knots: Any, slopes: Any, offsets: Any) -> tuple[int, str]:
    table = (0, knots, slopes, offsets)
    raw = digest.network_bytes(1, [([([0], [1.0])], [0.0], [table])])
    return checker.check(checker.MAGIC + section(raw))


def test_units_that_jump_or_whose_knot_is_none_are_refused() -> None:
    assert _tables((0.0,), (0.0, 1.0), (0.0, 0.5))[0] == checker.REFUSED
    assert _tables((0.0,), (1.0, 1.0), (0.0, 0.0))[0] == checker.REFUSED
    assert _tables((1.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, -1.0))[0] == checker.REFUSED
    assert _tables((0.1,), (0.0, 3.0), (0.0, -0.3))[0] == checker.REFUSED
    # This table is sound, and the file ends after it.
    assert _tables((0.0,), (0.0, 1.0), (0.0, 0.0))[0] == checker.BAD


def test_a_box_side_that_is_proven_by_a_row_that_is_no_facet_is_refused() -> None:
    claim = cases()[0].claim
    for i, proof in enumerate(claim.proofs):
        facets = len(proof.neighbours) + sum(i in other.neighbours for other in claim.proofs)
        sides = [(*proof.sides[0][1:], facets + 4), *proof.sides[1:]] if proof.sides else []
        assert claim.with_proof(i, sides=sides).check()[0] == checker.REFUSED


def test_a_partial_partition_is_proven_as_far_as_it_goes() -> None:
    given = problem(random_weights([2, 8, 6, 1], 3), "relu")
    part = walked(given.net, ps.Box(-1, 1, dim=2), max_regions=12)
    status, sentence = ps.prove(part).check()
    assert status == checker.PROVEN
    assert f"first {part.expanded:,}" in sentence
    case = known(given, cube(2), max_regions=12)
    assert is_true(case.claim, case.truth)
    assert case.claim._replace(expanded=part.expanded + 1).check()[0] == checker.BAD


def test_regions_that_meet_a_ball_are_proven_to_exist() -> None:
    net = problem(random_weights([2, 8, 6, 1], 3), "relu").net
    part = walked(net, ps.Box(-1, 1, dim=2), start=np.zeros(2), radius=0.2)
    certificate = ps.prove(part)
    assert certificate.expanded == 0
    assert certificate.check()[0] == checker.PROVEN


def test_a_certificate_is_of_the_partition_whatever_engine_found_it() -> None:
    net = problem(random_weights([2, 8, 6, 1], 3), "relu").net
    for method in ("walk", "split"):
        assert ps.prove(ps.enumerate_regions(net, ps.Box(-1, 1, dim=2), method=method)).check()[0] == 0


def test_certificates_and_verdicts_do_not_depend_on_the_number_of_processes() -> None:
    net = ps.zoo.random_network((2, 32, 32, 1), "relu", seed=0)
    part = ps.enumerate_regions(net, ps.Box(-1, 1, dim=2))
    alone = ps.prove(part)
    assert len(part) > 1024
    assert ps.prove(part, workers=2).data == alone.data
    assert alone.check(workers=2) == alone.check()


@pytest.mark.parametrize("cut", [0.0, 0.3, 0.6, 0.99])
def test_a_proof_that_was_stopped_goes_on_to_the_same_bytes(
    cut: float, plane: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BLOCK", 5)
    whole = ps.prove(plane).data
    path, partial = tmp_path / "a.proof", tmp_path / "a.proof.partial"
    partial.write_bytes(whole[: int(cut * len(whole))])
    assert writer.prove_to_file(plane, path) == len(plane)
    assert path.read_bytes() == whole
    assert not partial.exists()
    # One of another partition is not gone on with.
    other = walked(plane.net, ps.Box(-0.5, 0.5, dim=2))
    partial.write_bytes(whole[: len(whole) // 2])
    writer.prove_to_file(other, path)
    assert path.read_bytes() == ps.prove(other).data


def test_a_sample_is_no_proof_and_finds_faults_in_what_it_has() -> None:
    claim = cases()[0].claim
    status, sentence = checker.check(claim.data(), sample=5)
    assert status == checker.SAMPLED
    assert sentence.startswith("no proof: 5 of ")
    wrong = claim.with_proof(3, witness=claim.proofs[4].witness).data()
    assert checker.check(wrong, sample=len(claim.proofs))[0] == checker.REFUSED


def test_the_checker_imports_nothing_but_the_standard_library() -> None:
    for file in (CHECKER, DIGEST):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


def test_the_checker_runs_alone(plane: Any, tmp_path: Path) -> None:
    file, net = tmp_path / "a.proof", tmp_path / "a.npz"
    ps.prove(plane).save(file)
    plane.net.save(net)
    alone = tmp_path / "check.py"
    alone.write_bytes(CHECKER.read_bytes())
    run = [sys.executable, "-I", "-S"]
    of_file = subprocess.run([*run, DIGEST, net], capture_output=True, text=True, check=True).stdout.strip()
    done = subprocess.run([*run, alone, file, "--net", of_file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"proven: {len(plane)} regions")
    other = subprocess.run([*run, alone, file, "--net", "0"], capture_output=True, text=True, check=False)
    assert other.returncode == checker.REFUSED


@pytest.mark.parametrize(
    "activation",
    ["relu", "leaky_relu:0.1", "hardtanh:-2,2", "relu6", "abs", "softshrink", "max:2",
     "prelu:0.1,0.2,0.3,0.4", "piecewise:0,1/0,1,1/0,0,0", "relu*2|max:2", "identity|relu|abs*2"],
)  # fmt: skip
def test_the_digest_of_a_network_file_is_that_of_the_certificate(activation: str, tmp_path: Path) -> None:
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(4, 2)), np.array([[0.0, 1.0], [2.0, 0.0]])
    width = len(ps.Network.from_layers([first], [None], [activation])(np.zeros(2)))
    sparse = csr_array(np.resize(second, (3, width)))
    net = ps.Network.from_layers([first, sparse], [None, -np.zeros(3)], [activation, "identity"])
    net.save(tmp_path / "net.npz")
    raw = digest.network_bytes(*digest.read_network(str(tmp_path / "net.npz")))
    assert hashlib.sha256(raw).digest() == hashlib.sha256(network_tables(net)).digest()


def test_points_and_witnesses_that_no_floats_are_prove_as_well() -> None:
    third = 1.0 / 3.0
    net = ps.Network.from_layers([[[1.0], [3.0]], [[1.0, 1.0]]], [[-third, -1.0], [0.0]])
    part = walked(net, ps.Box(-1, 1, dim=1))
    assert not part.witness_exact.all()
    assert ps.prove(part).check()[0] == checker.PROVEN
    proofs = claim_of(part).proofs
    assert any(isinstance(proof.witness[0], int) for proof in proofs)
