from __future__ import annotations

import contextlib
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from polyspline.errors import (
    ArgumentError,
    NetworkFileError,
    NonFiniteError,
    OutputError,
    PolysplineError,
    ShapeError,
    UnknownActivationError,
)
from polyspline.network import Network, load_network, zoo

GOOD: dict[str, Any] = {
    "weight_0": np.ones((3, 2)),
    "bias_0": np.zeros(3),
    "weight_1": np.ones((1, 3)),
    "bias_1": np.zeros(1),
    "activation": np.array(["relu", "identity"]),
}


@pytest.mark.parametrize(
    "activation",
    [
        "relu", "leaky_relu:0.1", "hardtanh:-0.3,2", "abs", "softshrink:0.1",
        ["prelu:0.1,0.2,0.3", "relu|abs", "relu6"], ["identity", "piecewise:-1,1/0,1,0/-1,0,1", "identity"],
    ],
)  # fmt: skip
def test_a_saved_network_loads_equal(tmp_path: Path, activation: Any) -> None:
    net = zoo.random_network([2, 3, 2, 1], activation, 0)
    net.save(tmp_path / "model.npz")
    again = load_network(tmp_path / "model.npz")
    assert again == net
    assert again.fingerprint == net.fingerprint
    assert [layer.activation for layer in again.layers] == [layer.activation for layer in net.layers]


def test_a_file_is_what_the_documentation_says(tmp_path: Path) -> None:
    zoo.random_network([2, 3, 1], "leaky_relu:0.1").save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["activation", "bias_0", "bias_1", "weight_0", "weight_1"]
        assert archive["activation"].tolist() == ["leaky_relu:0.1", "identity"]
        assert archive["weight_0"].shape == (3, 2)


def test_saving_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    zoo.random_network([2, 3, 1], seed=0).save(tmp_path / "model.npz")
    net = zoo.random_network([2, 3, 1], seed=1)
    net.save(str(tmp_path / "model.npz"))
    assert load_network(str(tmp_path / "model.npz")) == net
    assert os.listdir(tmp_path) == ["model.npz"]


def test_saving_where_it_cannot_be_is_refused(tmp_path: Path) -> None:
    net = zoo.random_network([2, 3, 1])
    with pytest.raises(OutputError, match="missing"):
        net.save(tmp_path / "missing" / "model.npz")
    with pytest.raises(ArgumentError, match=r"\.npz"):
        net.save(tmp_path / "model.pt")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(OutputError):
        net.save(tmp_path / "folder.npz")
    assert os.listdir(tmp_path) == ["folder.npz"]


def test_whole_numbers_narrow_floats_and_byte_strings_are_read(tmp_path: Path) -> None:
    changed = {
        **GOOD,
        "weight_0": np.ones((3, 2), dtype=np.int32),
        "weight_1": np.ones((1, 3), dtype=np.float16),
    }
    changed["activation"] = np.array([b"relu", b"identity"])
    np.savez(tmp_path / "model.npz", comment=np.array("ignored"), **changed)
    assert load_network(tmp_path / "model.npz")([1.0, 1.0]).tolist() == [6.0]


SPARSE: dict[str, Any] = {
    "weight_1_data": np.array([1.0, 2.0], dtype=np.float16),
    "weight_1_indices": np.array([0, 2]),
    "weight_1_indptr": np.array([0, 2]),
    "weight_1_shape": np.array([1, 3]),
}


def test_sparse_weights_of_narrow_floats_are_read(tmp_path: Path) -> None:
    changed = {**GOOD, **SPARSE}
    del changed["weight_1"]
    np.savez(tmp_path / "model.npz", **changed)
    net = load_network(tmp_path / "model.npz")
    assert net.layers[1].is_sparse
    assert net.layers[1].weight.tolist() == [[1.0, 0.0, 2.0]]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("data", np.array([1.0, 1j])),
        ("data", np.ones((2, 1))),
        ("indices", np.array([0, 3])),
        ("indices", np.array([0.5, 1.0])),
        ("indptr", np.array([0, 3])),
        ("shape", np.array([1])),
        ("shape", np.array(3)),
        ("shape", np.array(["1", "3"])),
        ("shape", np.array([-1, 3])),
    ],
)
def test_sparse_weights_that_are_no_matrix_are_refused(
    tmp_path: Path, part: str, value: npt.NDArray[Any]
) -> None:
    changed = {**GOOD, **SPARSE, f"weight_1_{part}": value}
    del changed["weight_1"]
    np.savez(tmp_path / "model.npz", **changed)
    with pytest.raises(NetworkFileError, match=r"model\.npz': weight_1") as caught:
        load_network(tmp_path / "model.npz")
    assert "\n" not in str(caught.value)


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "model.npz", **GOOD)
    assert load_network(tmp_path / "model.npz").n_units == 3


BAD_CONTENT: list[tuple[dict[str, Any], type[PolysplineError], str]] = [
    ({"weight_0": None}, NetworkFileError, "no weight_0"),
    (
        {"weight_1": None, "bias_1": None, "weight_2": np.ones((1, 1)), "bias_2": np.ones(1)},
        NetworkFileError,
        "_1",
    ),
    ({"bias_1": None}, NetworkFileError, "no bias_1"),
    ({"activation": None}, NetworkFileError, "no activation"),
    (dict.fromkeys(GOOD), NetworkFileError, "no weight_0"),
    ({"activation": np.array(["relu"])}, NetworkFileError, "array of 2 strings"),
    ({"activation": np.array("relu")}, NetworkFileError, "array of 2 strings"),
    ({"activation": np.array([1, 2])}, NetworkFileError, "array of 2 strings"),
    ({"weight_0": np.ones(3)}, NetworkFileError, r"weight_0 must .* 2 dimension"),
    ({"bias_0": np.ones((3, 1))}, NetworkFileError, r"bias_0 must .* 1 dimension"),
    ({"weight_0": np.ones((3, 2), dtype=complex)}, NetworkFileError, "complex128"),
    ({"weight_0": np.array([["a", "b"]] * 3)}, NetworkFileError, "real numbers"),
    ({"weight_0": np.full((3, 2), np.nan)}, NonFiniteError, "weight of layer 0"),
    ({"bias_1": np.array([np.inf])}, NonFiniteError, "bias of layer 1"),
    ({"weight_1": np.ones((1, 4))}, ShapeError, "layer 0 has 3 outputs"),
    ({"bias_0": np.ones(2)}, ShapeError, "layer 0"),
    (
        {"activation": np.array(["gelu", "identity"])},
        UnknownActivationError,
        "layer 0: unknown activation 'gelu'",
    ),
    ({"activation": np.array(["hardtanh:2,1", "identity"])}, ArgumentError, "layer 0"),
]


@pytest.mark.parametrize(("changes", "error", "message"), BAD_CONTENT)
def test_wrong_content_is_refused_by_one_sentence_that_names_the_file(
    tmp_path: Path, changes: dict[str, Any], error: type[PolysplineError], message: str
) -> None:
    arrays = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    np.savez(tmp_path / "broken.npz", **arrays)
    with pytest.raises(error, match=message) as caught:
        load_network(tmp_path / "broken.npz")
    assert "broken.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


class Exploding:
    """Would run code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (99,)


def test_pickles_are_refused_and_never_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", **{**GOOD, "weight_0": np.array([Exploding()], dtype=object)})
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Exploding()))
    for name in ("objects.npz", "plain.npz"):
        with pytest.raises(NetworkFileError, match=name):
            load_network(tmp_path / name)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("weights")
    (tmp_path / "folder.npz").mkdir()
    np.save(tmp_path / "array.npy", np.ones(3))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("weight_0", b"no array")
    with zipfile.ZipFile(tmp_path / "nothing.npz", "w"):
        pass
    for name in ("missing", "empty", "text", "folder", "array", "zip", "nothing"):
        with pytest.raises(NetworkFileError, match=f"{name}.npz"):
            load_network(tmp_path / f"{name}.npz")


def test_a_truncated_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    zoo.random_network([2, 3, 1]).save(tmp_path / "model.npz")
    whole = (tmp_path / "model.npz").read_bytes()
    for length in range(0, len(whole) - 1, 97):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(NetworkFileError, match=r"cut\.npz"):
            load_network(tmp_path / "cut.npz")


def test_a_damaged_file_is_refused_or_unharmed(tmp_path: Path) -> None:
    net = zoo.random_network([2, 3, 1])
    net.save(tmp_path / "model.npz")
    whole = (tmp_path / "model.npz").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        (tmp_path / "damaged.npz").write_bytes(damaged)
        with contextlib.suppress(NetworkFileError):
            assert load_network(tmp_path / "damaged.npz") == net


@pytest.mark.parametrize("name", ["model.h5", "model.txt", "model"])
def test_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(NetworkFileError, match=r"\.npz"):
        load_network(tmp_path / name)


def test_the_arrays_of_a_network_make_it_again() -> None:
    net = zoo.random_network([2, 5, 3], "relu6", 3)
    assert Network.from_arrays(net.to_arrays()) == net
