"""Settings of every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A machine that does other things meanwhile makes no test wrong, only late.
settings.register_profile("polyspline", deadline=None)
settings.load_profile("polyspline")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile all kernels before the workers start, where they run the whole suite.

    Where only some tests are asked for, only what they need is compiled, once: a kernel's cache is locked
    while a worker compiles it, and the others wait for it.
    """
    config = session.config
    workers = len(config.getoption("tx", None) or [])  # none in a worker, and without xdist
    if workers < 2 or hasattr(config, "workerinput") or config.option.collectonly:
        return
    chosen = config.option.keyword or config.option.markexpr or config.getoption("lf", False)
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if whole and not chosen:
        from tests.kernels import compile_kernels

        compile_kernels(workers)
