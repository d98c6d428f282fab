"""The command starts at once, because its help loads nothing that computes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from polyspline import __version__

HEAVY = ["numba", "scipy", "networkx", "numpy", "torch", "flint", "cdd", "matplotlib", "pyarrow", "rich"]
HELPS = [
    ["--help"],
    ["enumerate", "--help"],
    ["invert", "--help"],
    ["info", "--help"],
    ["analyse", "--help"],
    ["export", "--help"],
    ["plot", "--help"],
    ["--version"],
]


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str], polyspline_process: object) -> None:
    script = (
        "import sys\n"
        "from polyspline.cli.app import run\n"
        f"status = run({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    assert done.stdout


def test_importing_polyspline_loads_no_optional_package() -> None:
    script = "import sys, polyspline; print([m for m in sys.modules if '.' not in m])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout))
    assert not loaded & {"torch", "pulp", "matplotlib", "plotly", "onnx", "pyarrow", "numba"}


def test_every_public_name_loads_and_is_listed() -> None:
    import polyspline

    for name in polyspline.__all__:
        assert getattr(polyspline, name) is not None
        assert name in dir(polyspline)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        polyspline.__getattr__("nothing_of_the_kind")


def test_the_version_is_printed() -> None:
    script = "from polyspline.cli import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", script, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == __version__
