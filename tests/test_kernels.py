"""Compiling ahead of the tests: all kernels for the whole suite, none for a part of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from polyspline.cli.warmup import RUNS
from tests import conftest, kernels
from tests.solvers.test_kernel_cache import kernels_by_name


def test_the_runs_ahead_compile_every_kernel() -> None:
    for run in RUNS.values():
        run()
    found: dict[str, Any] = kernels_by_name()
    # A kernel that is called by others alone is in their machine code.
    called = {name for one in found.values() for name in one.py_func.__code__.co_names}
    entered = {name: one for name, one in found.items() if one.__name__ not in called}
    assert len(entered) > len(found) / 2
    assert [name for name, one in entered.items() if not one.overloads] == []


def _session(**given: Any) -> Any:
    """A session as pytest-xdist's controller has it for the whole suite, but for what is given."""
    options = {"keyword": "", "markexpr": "", "collectonly": False, "tx": ["popen"] * 2, "lf": False}
    options |= {name: value for name, value in given.items() if name in options}
    source = given.get("args_source", pytest.Config.ArgsSource.TESTPATHS)
    config = SimpleNamespace(
        option=SimpleNamespace(**options),
        getoption=lambda name, default: options.get(name, default),
        args_source=source,
    )
    if given.get("worker"):
        config.workerinput = {}
    return SimpleNamespace(config=config)


@pytest.mark.parametrize(
    ("given", "processes"),
    [
        ({}, [2]),
        ({"tx": ["popen"] * 4}, [4]),
        ({"tx": []}, []),
        ({"worker": True}, []),
        ({"collectonly": True}, []),
        ({"keyword": "split"}, []),
        ({"markexpr": "slow"}, []),
        ({"lf": True}, []),
        ({"args_source": pytest.Config.ArgsSource.ARGS}, []),
    ],
)
def test_kernels_are_compiled_ahead_only_by_the_controller_of_the_whole_suite(
    given: dict[str, Any], processes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(kernels, "compile_kernels", asked.append)
    conftest.pytest_sessionstart(_session(**given))
    assert asked == processes
