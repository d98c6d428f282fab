"""All families by name, and the cases that names stand for."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.fuzz import inversions, near_ties, readers, scales
from tests.fuzz.cases import Case, InversionCase, ReaderCase
from tests.fuzz.judge_inversion import judge_inversion
from tests.fuzz.judge_partition import judge_partition
from tests.fuzz.judge_reader import judge_reader
from tests.fuzz.verdict import Verdict

FAMILIES: dict[str, Callable[[np.random.Generator], Case]] = {
    "decimal-maxout": near_ties.decimal_maxout,
    "decimal-knots": near_ties.decimal_knots,
    "knots-by-an-ulp": near_ties.knots_by_an_ulp,
    "near-parallel": near_ties.near_parallel,
    "pencils": near_ties.pencils,
    "thin-domains": near_ties.thin_domains,
    "half-integers": near_ties.half_integers,
    "maxout": near_ties.maxout,
    "integers": near_ties.integers,
    "zero-biases": near_ties.zero_biases,
    "quantised": near_ties.quantised,
    "generic": near_ties.generic,
    "affine-only": near_ties.affine_only,
    "deep-chains": near_ties.deep_chains,
    "subnormals": scales.subnormals,
    "subnormal-domains": scales.subnormal_domains,
    "tiny-products": scales.tiny_products,
    "huge-products": scales.huge_products,
    "overflow": scales.overflow,
    "restored-chains": scales.restored_chains,
    "fine-coefficients": scales.fine_coefficients,
    "fine-balls": scales.fine_balls,
    "touching-balls": scales.touching_balls,
    "balls": scales.balls,
    "flush-to-zero": scales.flush_to_zero,
    "invert-noisy": inversions.noisy_nets,
    "invert-small": inversions.small_nets,
    "invert-wide": inversions.wide_outputs,
    "invert-integers": inversions.integer_nets,
    "invert-max-groups": inversions.max_groups,
    "invert-exact": inversions.exact_images,
    "invert-scales": inversions.wide_scales,
    "readers-npz": readers.npz_files,
    "readers-onnx": readers.onnx_files,
    "readers-pt2": readers.torch_files,
    "readers-domain": readers.domain_files,
}


@dataclass(frozen=True)
class Name:
    """What a case is made from."""

    family: str
    seed: int
    index: int

    def __str__(self) -> str:
        return f"{self.family} {self.seed} {self.index}"


def make_case(name: Name) -> Case:
    """The case of a name, always the same."""
    rng = np.random.default_rng([name.seed, zlib.crc32(name.family.encode()), name.index])
    return FAMILIES[name.family](rng)


def judge(case: Case) -> Verdict:
    """Run a case and say what is wrong."""
    if isinstance(case, ReaderCase):
        return judge_reader(case)
    return judge_inversion(case) if isinstance(case, InversionCase) else judge_partition(case)
