"""Codes of several words that differ in one, and points with the same lowest code and other ties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

import polyspline as ps
from polyspline.cpa.pointwise import ClosedPieces
from polyspline.partition import CodePacking, lookup
from polyspline.partition.code_table import EMPTY
from polyspline.partition.lookup import CodeIndex
from polyspline.regions.kernel import Neighbours
from polyspline.split.joining import pair_ties
from polyspline.split.state import TIE_KNOT, TIE_REGION
from polyspline.walk.merge import enter_codes
from polyspline.walk.store import Store

Words = NDArray[np.uint64]


def sharing_words(words: int, seed: int) -> Words:
    """All codes with words from a few values: each shares all words but one with many others."""
    values = np.random.default_rng(seed).integers(0, 2**63, (words, 4), dtype=np.uint64)
    return np.array(list(itertools.product(*values)), np.uint64)


def numbered(keys: Words) -> list[int]:
    """Number of each code by its first coming."""
    first: dict[tuple[int, ...], int] = {}
    return [first.setdefault(tuple(key), len(first)) for key in keys.tolist()]


@pytest.mark.parametrize("words", [1, 2, 3, 4])
def test_a_table_that_is_almost_full_tells_codes_apart(words: int) -> None:
    """Most places are taken, so codes are compared with others whose place they share."""
    codes = sharing_words(words, words)
    keys = codes[np.random.default_rng(0).integers(0, len(codes), 4 * len(codes))]
    table = np.full(1 << (len(codes) + 1).bit_length(), EMPTY, np.int32)
    packed = np.zeros_like(codes)
    number = np.empty(len(keys), np.int64)
    count = enter_codes(packed, table, 0, keys, number)
    assert number.tolist() == numbered(keys)
    assert count == len(set(number.tolist()))


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("collide", [False, True], ids=["hashed", "one hash"])
def test_an_index_finds_only_the_code_itself(
    words: int, collide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if collide:
        monkeypatch.setattr(lookup, "_hashes", lambda packed: np.zeros(len(packed), np.uint64))
    codes = sharing_words(words, 10 + words)
    kept = np.arange(len(codes)) % 3 != 0
    index = CodeIndex(CodePacking([2] * (64 * words)), codes[kept])
    expected = np.where(kept, np.cumsum(kept) - 1, -1)
    np.testing.assert_array_equal(index.find(codes), expected)


def several_words(units: int, seed: int) -> tuple[CodePacking, NDArray[np.int8]]:
    """Codes over several words that differ from a first one in a single unit each, and the first."""
    packing = CodePacking([2] * units)
    base = np.random.default_rng(seed).integers(0, 2, units).astype(np.int8)
    codes = np.tile(base, (units + 1, 1))
    codes[np.arange(units), np.arange(units)] ^= 1
    return packing, codes


@pytest.mark.parametrize("pieces", [2, 3, 5, 200])
def test_a_change_of_one_unit_changes_one_word(pieces: int) -> None:
    packing = CodePacking([pieces] * 90)
    base = np.random.default_rng(pieces).integers(0, pieces, 90)
    for unit in range(90):
        other = base.copy()
        other[unit] = (other[unit] + 1) % pieces
        differs = np.flatnonzero(packing.pack(base) != packing.pack(other))
        assert differs.tolist() == [packing.word[unit]]


@pytest.mark.parametrize("most", [0, 64], ids=["scanned", "hashed"])
def test_the_lowest_region_is_found_among_codes_that_differ_in_one_unit(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the knots of three units, each in another word: any of the eight codes may hold the point."""
    monkeypatch.setattr(lookup, "_MOST_CANDIDATES", most)
    packing, codes = several_words(150, 1)
    index = CodeIndex(packing, packing.pack(codes))
    base = codes[-1]
    for units in ([3, 70, 140], [149, 64, 63], [0, 1, 2], [10, 128, 149]):
        low, high = base.copy(), base.copy()
        low[units], high[units] = 0, 1
        pieces = ClosedPieces(
            low[None].astype(np.int64),
            high[None].astype(np.int64),
            np.empty((1, 0), np.bool_),
            np.full(150, -1, np.int64),
        )
        assert index.lowest_within(pieces).tolist() == [min(units)]


TIES = [(0, 1, 2), (0, 2), (0, 1, 2), (0, 2), (0, 1)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_ties_of_three_members_in_one_batch_are_told_from_ties_of_two(order: tuple[int, ...]) -> None:
    """The lowest and the highest piece are 0 and 2 whether or not 1 is one too."""
    packing = CodePacking([3])
    index = CodeIndex(packing, packing.pack(np.array(order)[:, None]))
    for batch in (TIES, TIES[::-1], TIES[1:]):
        largest = np.array([[member in tie for member in range(3)] for tie in batch])
        pieces = ClosedPieces(
            np.array([[min(tie)] for tie in batch]),
            np.array([[max(tie)] for tie in batch]),
            largest,
            np.zeros(1, np.int64),
        )
        expected = [min(order.index(member) for member in tie) for tie in batch]
        assert index.lowest_within(pieces).tolist() == expected


def test_points_of_one_lowest_code_on_knots_of_other_units_are_told_apart() -> None:
    packing = CodePacking([2] * 70)
    codes = np.zeros((4, 70), np.int8)
    codes[0, 69], codes[1, 3], codes[2, [3, 69]] = 1, 1, 1
    index = CodeIndex(packing, packing.pack(codes))
    low = np.zeros((4, 70), np.int64)
    high = low.copy()
    high[0, 3], high[1, 69], high[3, [3, 69]] = 1, 1, 1
    for order in itertools.permutations(range(4)):
        turned = high[list(order)]
        pieces = ClosedPieces(low, turned, np.empty((4, 0), np.bool_), np.full(70, -1, np.int64))
        assert index.lowest_within(pieces).tolist() == [[1, 0, 3, 0][i] for i in order]


@pytest.mark.parametrize("members", [3, 9, 17])
@pytest.mark.parametrize("start", [[-0.5, 0.5], [0.5, -0.5], [-0.5, -0.5]])
def test_points_with_ties_are_located_in_one_batch_as_they_are_alone(
    members: int, start: list[float]
) -> None:
    """max(x, ..., y, ..., 0) with many members that are never the largest between."""
    table = np.tile([0.0, 0.0, -9.0], (members, 1))
    middle = members // 2
    table[0], table[middle], table[-1] = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]
    net = ps.Network.from_layers([table[:, :2]], [table[:, 2]], [f"max:{members}"])
    part = ps.enumerate_regions(net, ps.Box(-1.0, 1.0, dim=2), start=start)
    assert len(part) == 3
    points = np.array([[0.0, -0.5], [0.0, 0.0], [-0.5, 0.0], [0.5, 0.5], [0.0, -0.25], [0.25, 0.25]])
    piece = {int(code[0]): i for i, code in enumerate(part.codes)}
    ties = [(0, -1), (0, middle, -1), (middle, -1), (0, middle), (0, -1), (0, middle)]
    expected = [min(piece[member % members] for member in tie) for tie in ties]
    for order in (np.arange(6), np.arange(6)[::-1], np.array([1, 0, 2, 4, 3, 5])):
        np.testing.assert_array_equal(part.locate(points[order]), np.array(expected)[order])


@pytest.mark.parametrize("words", [1, 2, 3])
def test_facets_with_several_knots_pair_only_if_all_words_of_their_names_agree(words: int) -> None:
    """Names are a code and a set of rows: each facet shares all words but one with many others."""
    names = sharing_words(2 * words, 20 + words)
    rng = np.random.default_rng(words)
    single = rng.random(len(names)) < 0.2
    twice = np.concatenate([names, names[~single]])
    order = rng.permutation(len(twice))
    keys = twice[order].reshape(len(twice), 2, words)
    tie = np.zeros((len(twice), 2), np.int64)
    tie[:, TIE_REGION] = np.arange(len(twice))
    tie[:, TIE_KNOT] = rng.integers(0, 99, len(twice))
    alone = np.zeros(len(twice), np.bool_)
    edges, sources = pair_ties(tie, keys, alone)
    place: dict[bytes, list[int]] = {}
    for i, key in enumerate(keys):
        place.setdefault(key.tobytes(), []).append(i)
    assert sorted(map(tuple, edges.tolist())) == sorted(tuple(two) for two in place.values() if len(two) == 2)
    np.testing.assert_array_equal(sources, tie[edges[:, 0], TIE_KNOT])
    assert np.flatnonzero(alone).tolist() == sorted(two[0] for two in place.values() if len(two) == 1)


def test_a_store_that_grows_keeps_codes_of_several_words_apart() -> None:
    codes = sharing_words(3, 5)
    store = Store(3, 2)
    store.add_start(codes[0], np.zeros(2))
    order = np.random.default_rng(1).permutation(len(codes))
    # One region after the other has a few neighbours; all codes come up, several times each.
    met = [np.array([order[(5 * i + k) % len(order)] for k in range(9)]) for i in range(len(codes))]
    known = {0: 0}
    expected: list[tuple[int, int]] = []
    for region, some in enumerate(met):
        if region >= store.regions:
            break
        neighbours = Neighbours(
            np.array([0, len(some)], np.int64),
            np.arange(len(some), dtype=np.int32),
            codes[some],
            np.zeros((len(some), 2)),
        )
        assert store.merge(region, neighbours, 1, 10_000) == -1
        for code in some.tolist():
            other = known.setdefault(code, len(known))
            if other > region:
                expected.append((region, other))
    assert store.regions == len(known) == len(codes)
    assert store.edge_rows(0, store.edges)[0].tolist() == [list(pair) for pair in expected]
    packed = store.pending(0, store.regions)[0]
    np.testing.assert_array_equal(packed, codes[list(known)])


@pytest.mark.parametrize("activation", ["relu", "max:3"])
def test_both_engines_find_the_same_codes_of_several_words(activation: str) -> None:
    """Beyond the first word lie a few units that matter; those before are constant."""
    rng = np.random.default_rng(4)
    rows = 6 if activation == "relu" else 18
    step = 1 if activation == "relu" else 3
    bound = 120 * step
    weights = np.zeros((bound + rows, 2))
    biases = np.tile([1.0] + [0.0] * (step - 1), 120 + rows // step)
    weights[bound:] = rng.normal(size=(rows, 2))
    biases[bound:] = 0.3 * rng.normal(size=rows)
    net = ps.Network.from_layers([weights], [biases], [activation])
    domain = ps.Box(-1.0, 1.0, dim=2)
    walk = ps.enumerate_regions(net, domain, method="walk")
    split = ps.enumerate_regions(net, domain, method="split")
    assert walk.packed.shape[1] > 1
    assert len({tuple(code) for code in walk.codes.tolist()}) == len(walk) > 10

    def pairs(part: ps.Partition) -> set[frozenset[tuple[int, ...]]]:
        return {frozenset((tuple(part.codes[i]), tuple(part.codes[j]))) for i, j in part.graph().edges}

    assert {tuple(code) for code in walk.codes.tolist()} == {tuple(code) for code in split.codes.tolist()}
    assert pairs(walk) == pairs(split)
