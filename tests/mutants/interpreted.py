"""Kernels run by the interpreter: a plugin of pytest, ``-p tests.mutants.interpreted``.

What numba takes most of a minute to compile for each planted fault runs at once, slowly, which is
enough for small cases. Divisions follow IEEE 754, as in the machine code; nothing is contracted.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import os
import textwrap
import warnings
from collections.abc import Callable
from typing import Any

os.environ["NUMBA_DISABLE_JIT"] = "1"

import numba
import numpy as np
import pytest

_DIVIDE = "_divide_as_compiled"


def _divide(a: Any, b: Any) -> Any:
    """Quotient as machine code has it: infinite or NaN where the divisor is zero."""
    return np.float64(a) / b if b == 0 else a / b


class _Divisions(ast.NodeTransformer):
    """Every division becomes a call of `_divide`."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        node = super().generic_visit(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            call = ast.Call(ast.Name(_DIVIDE, ast.Load()), [node.left, node.right], [])
            return ast.copy_location(call, node)
        return node


def interpreted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Read a function of a module anew, with the divisions of machine code."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    tree = ast.fix_missing_locations(_Divisions().visit(tree))
    scope = function.__globals__
    scope[_DIVIDE] = _divide
    made: dict[str, Any] = {}
    flags = __future__.annotations.compiler_flag
    exec(compile(tree, inspect.getfile(function), "exec", flags, True), scope, made)
    result: Callable[..., Any] = made[function.__name__]
    result.__module__ = function.__module__
    return result


def _njit(function: Callable[..., Any] | None = None, **_: Any) -> Any:
    return interpreted if function is None else interpreted(function)


numba.njit = _njit


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Any:
    """Let integers wrap and floats overflow without a word, as machine code does."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        return (yield)
