"""Compiled: sets of slots, and pieces in packed codes."""

from __future__ import annotations

import numpy as np

from polyspline.split.state import LOW_PIECE, MASK, OWNER, SHIFT, WORD, Net, Words
from solvers.compiled import inlined_part

ZEROS = np.uint64(0)
ONE = np.uint64(1)
ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


@inlined_part
def size_of(words: Words) -> int:
    """Count the slots of a set."""
    total = 0
    for b in range(words.shape[0]):
        bits = words[b]
        while bits != ZEROS:
            total += 1
            bits &= bits - ONE
    return total


@inlined_part
def put_piece(t: Net, unit: int, piece: int, code: Words) -> None:
    """Set the piece of a unit that has none yet."""
    code[t.unit[unit, WORD]] |= np.uint64(piece) << np.uint64(t.unit[unit, SHIFT])


@inlined_part
def is_below(t: Net, knot: int, code: Words) -> bool:
    """Whether a code that is beside a knot is on its lower side."""
    unit = t.knot[knot, OWNER]
    bits = np.int64(code[t.unit[unit, WORD]] >> np.uint64(t.unit[unit, SHIFT]))
    return bool(bits & t.unit[unit, MASK] == t.knot[knot, LOW_PIECE])


@inlined_part
def fingerprint(word: np.uint64, salt: int) -> np.uint64:
    """Mix of a word and a number, in which every bit depends on all of theirs.

    Source: G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom number generators, 2014.
    """
    mixed = word ^ ((np.uint64(salt) + ONE) * np.uint64(0x9E3779B97F4A7C15))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
