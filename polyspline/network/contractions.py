"""Linear maps that are spelled by indices: sums of products, and sums along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import FloatArray, exact_floats
from polyspline.errors import ShapeError, UnsupportedLayerError
from polyspline.network.tensors import Operand, Tensor, combination, matmul, moved

_Scalar = TypeVar("_Scalar", bound=np.generic)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def einsum(equation: str, operands: Sequence[Operand]) -> Tensor:
    """Sum of products over indices, with the notation of ``numpy.einsum``.

    Parameters
    ----------
    equation : str
        Such as ``"bij,jk->bik"``; ``...`` stands for the axes that are not named.
    operands : sequence of Tensor or array_like
        Exactly one is a Tensor.

    Returns
    -------
    Tensor

    Raises
    ------
    UnsupportedLayerError
        If more than one depends on the input.
    ShapeError
        If the equation is no such one, or the shapes do not fit it.
    """
    if sum(isinstance(operand, Tensor) for operand in operands) > 1:
        raise UnsupportedLayerError(
            "multiplies two things that depend on the input, which is not piecewise affine"
        )
    shapes = [operand.shape if isinstance(operand, Tensor) else np.shape(operand) for operand in operands]
    terms, result = _spelled_out(equation, shapes)
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            if sizes.setdefault(letter, size) != size and 1 not in (size, sizes[letter]):
                raise ShapeError(
                    f"sums products by {equation!r} over an index of sizes {sizes[letter]} and {size}; the "
                    "two must be equal."
                )
            sizes[letter] = max(size, sizes[letter])
    # Outputs first, then what is added up; each of the two is one axis in the end.
    order = result + "".join(sorted(set(sizes) - set(result)))
    shape = tuple(sizes[letter] for letter in order)
    factors: FloatArray = np.ones((1,) * len(order))
    for term, operand in zip(terms, operands, strict=True):
        if isinstance(operand, Tensor):
            x, ids = operand, _laid_out(operand.ids, term, order)
        else:
            factors = factors * _laid_out(exact_floats(operand, "a constant of the model"), term, order)
    wide = (prod(shape[: len(result)]), -1)
    made = combination(
        np.broadcast_to(ids, shape).reshape(wide), np.broadcast_to(factors, shape).reshape(wide),
        np.zeros(wide[0]), x.graph,
    )  # fmt: skip
    return Tensor(x.graph, made.reshape(shape[: len(result)]))


def _spelled_out(equation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[str], str]:
    """Letters of each operand and of the result, without the three dots."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    named = set(equation) - set(" .,->")
    if len(terms) != len(shapes) or not named <= set(_LETTERS):
        raise ShapeError(f"sums products by {equation!r} of {len(shapes)} tensors; expected a term for each.")
    free = [letter for letter in _LETTERS if letter not in named]
    rest = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    if any(count < 0 or (count and "..." not in term) for count, term in zip(rest, terms, strict=True)):
        raise ShapeError(
            f"sums products by {equation!r} of tensors of shapes {', '.join(map(str, shapes))}; expected a "
            "letter for each axis."
        )
    unnamed = "".join(free[: max(rest)])
    full = [
        term.replace("...", unnamed[len(unnamed) - count :]) for term, count in zip(terms, rest, strict=True)
    ]
    if not arrow:
        once = sorted(letter for letter in named if left.count(letter) == 1)
        return full, unnamed + "".join(once)
    return full, right.replace("...", unnamed)


def _laid_out(array: npt.NDArray[_Scalar], term: str, order: str) -> npt.NDArray[_Scalar]:
    """Array with its axes in an order, axes of one for the letters that it has not; diagonals are taken."""
    letters = [letter for letter in order if letter in term]
    sizes = dict(zip(term, array.shape, strict=True))
    index = np.indices([sizes[letter] for letter in letters], sparse=True)
    where = dict(zip(letters, index, strict=True))
    diagonal = array[tuple(where[letter] for letter in term)]
    return diagonal.reshape([sizes.get(letter, 1) for letter in order])


def cumulated(x: Tensor, axis: int, *, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Add up all entries up to each one along an axis.

    Parameters
    ----------
    x : Tensor
    axis : int
    exclusive : bool
        Whether the entry itself is left out.
    reverse : bool
        Whether the sums are of the entries from each one on.
    """
    size = x.shape[axis]
    added = np.triu(np.ones((size, size)), 1 if exclusive else 0)
    along = moved(lambda ids: np.moveaxis(ids, axis, -1), x)
    return moved(lambda ids: np.moveaxis(ids, -1, axis), matmul(along, added.T if reverse else added))
