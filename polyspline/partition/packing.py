"""Activation codes as bits: a few 64-bit words per region instead of a byte per unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.errors import ArgumentError, ShapeError

WORD_BITS = 64
_MOST_PIECES = 1 << 15
_CHUNK_ENTRIES = 1 << 18  # of codes, packed at a time

Codes = NDArray[Any]
Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class CodePacking:
    """Where the piece of each unit lies in the packed words of a code.

    Unit k takes ``max(1, ceil(log2(n_pieces[k])))`` bits of word ``word[k]``,
    from bit ``shift[k]`` on; units follow each other in code order and none
    straddles two words. The layout depends on `n_pieces` alone, so that packed
    codes of one network can be compared, hashed and stored as they are.

    Parameters
    ----------
    n_pieces
        Number of pieces of each unit, (N,), each at least 1 and at most 32768.

    Attributes
    ----------
    word
        Index of the word that holds the unit, (N,) int64.
    shift
        Lowest bit of the unit within its word, (N,) uint64.
    mask
        Mask of the unit's bits once shifted down, (N,) uint64.
    n_words
        Words per code, at least 1 (a network without units has one, all zero).

    Raises
    ------
    ShapeError
        If `n_pieces` is not one-dimensional.
    ArgumentError
        If a unit has no piece or more than 32768.
    """

    n_pieces: NDArray[np.int64]
    word: NDArray[np.int64]
    shift: NDArray[np.uint64]
    mask: NDArray[np.uint64]
    n_words: int

    def __init__(self, n_pieces: ArrayLike) -> None:
        pieces = np.array(n_pieces, dtype=np.int64)
        if pieces.size == 0:
            pieces = pieces.reshape(0)
        if pieces.ndim != 1:
            raise ShapeError(
                f"CodePacking: n_pieces has shape {pieces.shape}; expected one number per unit, (N,)."
            )
        if pieces.size and (pieces.min() < 1 or pieces.max() > _MOST_PIECES):
            raise ArgumentError(
                f"CodePacking: units have {int(pieces.min())} to {int(pieces.max())} pieces; "
                f"expected 1 to {_MOST_PIECES}: split the unit into several."
            )
        # The exponent of a whole number is the number of its bits.
        bits = np.maximum(1, np.frexp(pieces - 1)[1].astype(np.int64))
        words, shifts = [], []
        current, used = 0, 0
        for width in bits.tolist():
            if used + width > WORD_BITS:
                current, used = current + 1, 0
            words.append(current)
            shifts.append(used)
            used += width
        word, shift = np.array(words, dtype=np.int64), np.array(shifts, dtype=np.int64)
        mask = (np.uint64(1) << bits.astype(np.uint64)) - np.uint64(1)
        for name, value in (
            ("n_pieces", pieces),
            ("word", word),
            ("shift", shift.astype(np.uint64)),
            ("mask", mask.astype(np.uint64)),
        ):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "n_words", current + 1)

    @property
    def n_units(self) -> int:
        """Number of units, N."""
        return len(self.n_pieces)

    @cached_property
    def code_dtype(self) -> np.dtype[Any]:
        """Type of an unpacked code: int8, or int16 where a unit has more than 128 pieces."""
        most = int(self.n_pieces.max()) if self.n_units else 1
        return np.dtype(np.int8 if most <= 128 else np.int16)

    def pack(self, codes: ArrayLike) -> Words:
        """Pack codes into words.

        Parameters
        ----------
        codes
            One code (N,) or several (B, N), of any integer type.

        Returns
        -------
        ndarray of uint64
            (n_words,) for one code, (B, n_words) for several.

        Raises
        ------
        ShapeError
            If the last axis has not one entry per unit.
        ArgumentError
            If an entry is no piece of its unit.
        """
        given = np.asarray(codes)
        if given.size == 0:
            given = given.astype(np.int8)
        batch = given[None, :] if given.ndim == 1 else given
        if batch.ndim != 2 or batch.shape[1] != self.n_units or batch.dtype.kind not in "iub":
            raise ShapeError(
                f"pack: got an array of {given.dtype} of shape {given.shape}; expected integer codes of "
                f"{self.n_units} units, ({self.n_units},) or (B, {self.n_units})."
            )
        packed = np.zeros((len(batch), self.n_words), dtype=np.uint64)
        for low in range(0, len(batch), self._chunk_rows):
            rows = batch[low : low + self._chunk_rows]
            wrong = (rows < 0) | (rows >= self.n_pieces)
            if wrong.any():
                row, unit = (int(first) for first in np.argwhere(wrong)[0])
                raise ArgumentError(
                    f"pack: code {low + row} has piece {int(rows[row, unit])} for unit {unit}; "
                    f"expected 0 to {int(self.n_pieces[unit]) - 1}."
                )
            if self.n_units:
                shifted = rows.astype(np.uint64) << self.shift
                packed[low : low + len(rows)] = np.bitwise_or.reduceat(shifted, self._first_units, axis=1)
        return packed[0] if given.ndim == 1 else packed

    @property
    def _chunk_rows(self) -> int:
        """Codes that are packed at a time."""
        return max(1, _CHUNK_ENTRIES // max(1, self.n_units))

    @cached_property
    def _first_units(self) -> NDArray[np.int64]:
        """First unit of each word."""
        return np.searchsorted(self.word, np.arange(self.n_words))

    def unpack(self, packed: ArrayLike) -> Codes:
        """Unpack words into codes.

        Parameters
        ----------
        packed
            One packed code (n_words,) or several (B, n_words), uint64.

        Returns
        -------
        ndarray of `code_dtype`
            (N,) for one code, (B, N) for several.

        Raises
        ------
        ShapeError
            If the last axis has not `n_words` entries, or the type is not uint64.
        """
        given = np.asarray(packed)
        batch = given[None, :] if given.ndim == 1 else given
        if batch.ndim != 2 or batch.shape[1] != self.n_words or batch.dtype != np.uint64:
            raise ShapeError(
                f"unpack: got an array of {given.dtype} of shape {given.shape}; expected uint64 words, "
                f"({self.n_words},) or (B, {self.n_words})."
            )
        codes = np.empty((len(batch), self.n_units), dtype=self.code_dtype)
        for low in range(0, len(batch), self._chunk_rows):
            rows = batch[low : low + self._chunk_rows]
            codes[low : low + len(rows)] = (rows[:, self.word] >> self.shift) & self.mask
        return codes[0] if given.ndim == 1 else codes

    def piece_column(self, packed: Words, unit: int) -> NDArray[np.int64]:
        """Piece of one unit in every packed code of (B, n_words), (B,) int64."""
        column = (packed[:, self.word[unit]] >> self.shift[unit]) & self.mask[unit]
        pieces: NDArray[np.int64] = column.astype(np.int64)
        return pieces
