"""Laws of packed activation codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyspline.errors import ArgumentError, ShapeError
from polyspline.partition import CodePacking

pieces = st.lists(st.integers(1, 400), max_size=90)


@given(pieces, st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_unpacking_undoes_packing(n_pieces: list[int], count: int, seed: int) -> None:
    packing = CodePacking(n_pieces)
    random = np.random.default_rng(seed).random((count, len(n_pieces)))
    codes = (random * np.array(n_pieces)).astype(packing.code_dtype)
    packed = packing.pack(codes)
    assert packed.shape == (count, packing.n_words)
    assert packed.dtype == np.uint64
    np.testing.assert_array_equal(packing.unpack(packed), codes)
    assert packing.unpack(packed).dtype == packing.code_dtype


@given(pieces)
def test_units_follow_each_other_and_straddle_no_word(n_pieces: list[int]) -> None:
    packing = CodePacking(n_pieces)
    widths = [int(mask).bit_length() for mask in packing.mask]
    assert widths == [max(1, (count - 1).bit_length()) for count in n_pieces]
    assert all(int(shift) + width <= 64 for shift, width in zip(packing.shift, widths, strict=True))
    starts = packing.word * 64 + packing.shift.astype(np.int64)
    assert np.all(np.diff(starts) >= np.array(widths[:-1], dtype=np.int64)) if len(starts) > 1 else True


def test_relu_units_take_one_bit_each() -> None:
    packing = CodePacking([2] * 130)
    assert packing.n_words == 3
    np.testing.assert_array_equal(packing.shift, np.arange(130) % 64)


def test_a_network_without_units_has_one_word() -> None:
    packing = CodePacking([])
    assert packing.n_words == 1
    assert packing.pack(np.zeros((2, 0), dtype=np.int8)).tolist() == [[0], [0]]
    assert packing.unpack(np.zeros((2, 1), dtype=np.uint64)).shape == (2, 0)


def test_the_pieces_of_one_unit_can_be_read_alone() -> None:
    packing = CodePacking([3] * 40)
    codes = np.random.default_rng(0).integers(0, 3, (20, 40))
    packed = packing.pack(codes)
    for unit in (0, 31, 32, 39):
        np.testing.assert_array_equal(packing.piece_column(packed, unit), codes[:, unit])


def test_a_code_has_the_type_that_its_pieces_need() -> None:
    assert CodePacking([2, 128]).code_dtype == np.int8
    assert CodePacking([2, 129]).code_dtype == np.int16


def test_wrong_codes_are_refused() -> None:
    packing = CodePacking([2, 3])
    with pytest.raises(ArgumentError, match="piece 3 for unit 1"):
        packing.pack([[0, 2], [1, 3]])
    with pytest.raises(ShapeError, match="2 units"):
        packing.pack([0, 1, 1])
    with pytest.raises(ShapeError, match="uint64"):
        packing.unpack(np.zeros((1, 1)))
    with pytest.raises(ArgumentError, match="32768"):
        CodePacking([2, 1 << 16])
    with pytest.raises(ShapeError, match="one number per unit"):
        CodePacking([[2, 2]])
