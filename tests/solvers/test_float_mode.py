"""Flushing of subnormal numbers to zero: every doorway works without it, and gives it back."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import polyspline as ps
from solvers import float_mode
from solvers.errors import FlushToZeroError
from solvers.float_mode import gradual_underflow, underflows_gradually


@pytest.fixture
def flushing() -> Iterator[None]:
    """Flush to zero in this thread, by what people use for it."""
    torch = pytest.importorskip("torch")
    assert torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _chain() -> ps.Network:
    """A product of weights that is subnormal: relu(1e-160 * 1e-160 z)."""
    return ps.Network.from_layers([[[1e-160]], [[1e-160]]], [[0.0], [0.0]], ["identity", "relu"])


def _subnormal() -> ps.Network:
    """A weight that is subnormal."""
    return ps.Network.from_layers([[[1e-310]]], [[0.0]], ["relu"])


BOX = ps.Box(-1, 1, dim=1)


@pytest.mark.usefixtures("flushing")
def test_flushing_is_seen_and_ended_for_the_length_of_a_block() -> None:
    small = np.array([sys.float_info.min])
    assert not underflows_gradually()
    assert not (small * 0.5).any()
    with gradual_underflow():
        assert underflows_gradually()
        assert (small * 0.5).all()
        assert (small * 0.5 * 2.0 == small).all()
    assert not underflows_gradually()


@pytest.mark.usefixtures("flushing")
def test_the_mode_is_given_back_after_an_exception() -> None:
    with pytest.raises(ps.errors.ShapeError):
        ps.Network.from_layers([[[1.0]]], [[0.0, 0.0]], ["relu"])
    assert not underflows_gradually()


@pytest.mark.usefixtures("flushing")
def test_codes_and_values_are_right_under_flushing() -> None:
    net = _chain()
    assert net.code([1.0]).tolist() == [1]
    with gradual_underflow():
        assert net([1.0])[0] > 0.0
        assert net([1.0])[0] == 1e-160 * 1e-160 * np.ones(1)[0]
    assert not underflows_gradually()


@pytest.mark.usefixtures("flushing")
@pytest.mark.parametrize("net", [_chain, _subnormal])
@pytest.mark.parametrize("method", ["walk", "split"])
@pytest.mark.parametrize("workers", [1, 2])
def test_regions_are_found_under_flushing(net: Callable[[], ps.Network], method: str, workers: int) -> None:
    part = ps.enumerate_regions(net(), BOX, method=method, workers=workers)
    assert (len(part), part.n_adjacencies) == (2, 1)
    assert np.asarray(part.locate([[-0.5], [0.5]])).tolist() == [part.index_of([0]), part.index_of([1])]
    assert not underflows_gradually()


@pytest.mark.usefixtures("flushing")
def test_regions_are_counted_under_flushing_by_threads_that_flush() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert not any(pool.map(lambda _: underflows_gradually(), range(4)))
        assert ps.count(_subnormal(), BOX, executor=pool).regions == 2
    assert ps.count(_subnormal(), BOX, workers=2).regions == 2
    assert ps.local_complexity(_subnormal(), [0.0], 0.5, domain=BOX).counts.tolist() == [2]


@pytest.mark.usefixtures("flushing")
@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("method", ["search", "scan"])
def test_inversions_are_the_same_under_flushing(method: str, norm: str) -> None:
    net = ps.Network.from_layers([[[1e-310]], [[2.0**500]]], [[0.0], [0.0]], ["relu", "identity"])

    def inverted() -> list[float]:
        found = ps.invert(net, net([0.5]), BOX, norm=norm, method=method)
        assert isinstance(found, ps.Inversion)
        assert found.z is not None
        return [*found.z.tolist(), found.distance, found.lower_bound]

    under_flushing = inverted()
    assert not underflows_gradually()
    with gradual_underflow():
        assert under_flushing == inverted()


def test_a_thread_has_a_mode_of_its_own() -> None:
    torch = pytest.importorskip("torch")
    found: list[object] = []

    def flush_and_ask() -> None:
        torch.set_flush_denormal(True)
        found.append(underflows_gradually())
        found.append(_chain().code([1.0]).tolist())

    thread = threading.Thread(target=flush_and_ask)
    thread.start()
    thread.join()
    assert found == [False, [1]]
    assert underflows_gradually()


@pytest.mark.usefixtures("flushing")
def test_where_the_mode_cannot_be_changed_an_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    net = _without_flushing(_chain)
    monkeypatch.setattr(float_mode, "_PLACES", {})
    with pytest.raises(FlushToZeroError, match="turn it off before the call"):
        net.code([1.0])


def _without_flushing(make: Callable[[], ps.Network]) -> ps.Network:
    with gradual_underflow():
        return make()


def test_threads_of_blas_that_flush_are_not_used() -> None:
    """They have the mode of the thread that imports numpy first."""
    check = (
        "import sys\n"
        "from solvers import float_mode\n"
        "assert 'numpy' not in sys.modules\n"
        "_, flushing = float_mode._PLACES[float_mode.platform.system(), float_mode.platform.machine()]\n"
        "float_mode._exchange(flushing)\n"
        "import numpy as np\n"
        "assert not float_mode.underflows_gradually()\n"
        "with float_mode.gradual_underflow():\n"
        "    assert float_mode.blas_underflows_gradually()\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


# ---- every doorway

# They write files, and what they write they ask of doorways.
_WRITERS = {"export_partition", "save_picture"}
_PICTURES = ("plot_", "_page")


def _is_doorway(function: object) -> bool:
    return getattr(function, "__wrapped__", None) is not None


def _public_functions() -> list[str]:
    return [
        name
        for name in ps.__all__
        if inspect.isfunction(getattr(ps, name))
        and name not in _WRITERS
        and not any(word in name for word in _PICTURES)
    ]


@pytest.mark.parametrize("name", _public_functions())
def test_every_public_function_is_a_doorway(name: str) -> None:
    assert _is_doorway(getattr(ps, name))


# Methods that decide or compute nothing with floats of a network.
_PLAIN = {
    ps.Network: {
        "latent_dim",
        "ambient_dim",
        "n_units",
        "unit_index",
        "n_pieces",
        "knots",
        "code_dtype",
        "fingerprint",
        "to_arrays",
        "from_arrays",
        "save",
    },
    ps.Partition: {
        "complete",
        "n_adjacencies",
        "packing",
        "codes",
        "code",
        "knot_start",
        "knot",
        "index_of",
        "adjacency",
        "neighbours",
        "affine_labels",
        "n_affine_regions",
        "save",
    },
    ps.Region: set(),
    ps.Ball: set(),
    ps.Box: {"dim", "rows", "bounds", "to_arrays"},
    ps.Polytope: {"dim", "rows", "to_arrays"},
    ps.RegionBatch: {"codes"},
}


def _function_of(member: object) -> object:
    """What runs when the member of a class is used."""
    if isinstance(member, property):
        return member.fget
    if isinstance(member, functools.cached_property):
        return member.func
    if isinstance(member, classmethod):
        return member.__func__
    return member


@pytest.mark.parametrize("kind", list(_PLAIN))
def test_every_method_that_computes_is_a_doorway(kind: type) -> None:
    members = {name: _function_of(member) for name, member in vars(kind).items() if not name.startswith("_")}
    functions = {name for name, member in members.items() if inspect.isfunction(member)}
    assert functions >= _PLAIN[kind]
    assert {name for name in functions if not _is_doorway(members[name])} == _PLAIN[kind]
    assert all(_is_doorway(vars(kind)[name]) for name in ("__call__",) if name in vars(kind))
