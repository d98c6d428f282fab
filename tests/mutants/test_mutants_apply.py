"""The table of planted faults is kept alive: each text that a fault replaces is there, once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.table import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_fault_replaces_is_there_once(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    compile(mutant.planted(text), mutant.file, "exec")


def test_every_target_of_a_fault_is_there() -> None:
    for target in {target for mutant in MUTANTS for target in mutant.tests}:
        file, _, name = target.partition("::")
        assert (ROOT / file).exists(), target
        assert name == "" or f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


def test_faults_are_many_and_have_names_of_their_own() -> None:
    assert max(Counter(mutant.name for mutant in MUTANTS).values()) == 1
    assert len(MUTANTS) >= 60
