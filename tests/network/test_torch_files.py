"""Exported programs of torch: read as their modules are, and without ever running code from the file."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from polyspline.errors import NetworkFileError, PolysplineError, UnsupportedLayerError
from polyspline.network import Network, load_network
from tests.network.models import Lambda, seeded


def export(module: nn.Module, example: torch.Tensor, path: Path, *, dynamic: bool = False) -> Path:
    sizes = ({0: torch.export.Dim("batch", min=1)},) if dynamic else None
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=sizes), path)
    return path


def computed(x: torch.Tensor, first: nn.Module, norm: nn.Module, last: nn.Module) -> torch.Tensor:
    y = torch.relu_(norm(first(x))) + x
    a, b = y.chunk(2, 1)
    z = torch.cat([b, a], 1)[:, torch.tensor([1, 0])] * torch.tensor([[[1.0]], [[-2.0]]], dtype=torch.float64)
    z = torch.max_pool2d(z, 2).clamp(min=-1.0, max=float("inf")).reshape(x.shape[0], -1)
    return functional.hardtanh(last(z)).max(1, keepdim=True)[0]


@pytest.fixture(scope="module")
def module() -> nn.Module:
    return seeded(Lambda(computed, nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Linear(8, 3)))


@pytest.fixture(scope="module")
def program(module: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    example = torch.zeros(3, 1, 4, 4, dtype=torch.float64)
    return export(module, example, tmp_path_factory.mktemp("torch") / "model.pt2", dynamic=True)


def changed(program: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Write a copy of an archive with some members changed."""
    with zipfile.ZipFile(program) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            copy.writestr(name, change(name, source.read(name)))
    return target


def replaced(end: str, change: Callable[[Any], object]) -> Callable[[str, bytes], bytes]:
    def of(name: str, content: bytes) -> bytes:
        if not name.endswith(end):
            return content
        facts = json.loads(content)
        change(facts)
        return json.dumps(facts).encode()

    return of


def test_a_program_is_read_as_its_module_is(module: nn.Module, program: Path, tmp_path: Path) -> None:
    expected = Network.from_torch(module, input_shape=(1, 4, 4))
    assert load_network(program) == expected
    fixed = export(module, torch.zeros(1, 1, 4, 4, dtype=torch.float64), tmp_path / "fixed.pt")
    assert load_network(fixed) == expected
    load_network(fixed).save(tmp_path / "copy.npz")
    assert load_network(tmp_path / "copy.npz") == expected


def test_the_function_at_the_end_can_be_dropped(tmp_path: Path) -> None:
    path = export(nn.Sequential(nn.Linear(2, 3), nn.Sigmoid()), torch.zeros(1, 2), tmp_path / "model.pt2")
    with pytest.raises(
        UnsupportedLayerError, match=r"model\.pt2': layer '1' \(Sigmoid\).*drop_output_activation"
    ):
        load_network(path)
    assert load_network(path, drop_output_activation=True).n_units == 0


class Trap:
    """An object that shows when it is unpickled."""

    sprung: list[str] = []  # noqa: RUF012

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return Trap.sprung.append, ("pickle",)


def test_pickles_are_refused_and_never_loaded(program: Path, tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 1).state_dict(), tmp_path / "state.pt")
    torch.save(Trap(), tmp_path / "module.pth")
    (tmp_path / "old.pt").write_bytes(pickle.dumps(Trap()))
    for name in ("state.pt", "module.pth", "old.pt"):
        with pytest.raises(NetworkFileError, match=r"pickle.*never loaded.*torch\.export\.save") as caught:
            load_network(tmp_path / name)
        assert "\n" not in str(caught.value)
    config = replaced(
        "weights_config.json", lambda facts: [e.update(use_pickle=True) for e in facts["config"].values()]
    )

    def pickled(name: str, content: bytes) -> bytes:
        return pickle.dumps(Trap()) if "/weight_" in name or name.endswith(".pt") else config(name, content)

    with pytest.raises(NetworkFileError, match="pickled weight"):
        load_network(changed(program, tmp_path / "weights.pt2", pickled))
    assert Trap.sprung == []


def test_text_that_is_code_is_not_run(program: Path, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'sprung')!r}, 'w')"

    def trapped(name: str, content: bytes) -> bytes:
        return (
            content.replace(b"Symbol(", f"{code} and Symbol(".encode()) if name.endswith(".json") else content
        )

    path = changed(program, tmp_path / "sizes.pt2", trapped)
    assert load_network(path) == load_network(program)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "target", ["os.system", "torch.ops.aten.from_file.default", "torch.ops.mine.run.default"]
)
def test_only_operators_of_torch_are_called(program: Path, tmp_path: Path, target: str) -> None:
    def other_call(facts: dict[str, Any]) -> None:
        facts["graph_module"]["graph"]["nodes"][0]["target"] = target

    with pytest.raises(PolysplineError):
        load_network(changed(program, tmp_path / "calls.pt2", replaced("models/model.json", other_call)))


def test_a_damaged_archive_is_refused_or_unharmed(program: Path, tmp_path: Path) -> None:
    content = program.read_bytes()
    for end in (0, 1, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.pt2").write_bytes(content[:end])
        with pytest.raises(NetworkFileError, match=r"cut\.pt2'.*(truncated|damaged)"):
            load_network(tmp_path / "cut.pt2")
    expected = load_network(program)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), size=30):
        broken = bytearray(content)
        broken[place] ^= 0xFF
        (tmp_path / "bad.pt2").write_bytes(broken)
        with suppress(PolysplineError):
            assert load_network(tmp_path / "bad.pt2").latent_dim == expected.latent_dim


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("models/model.json", lambda facts: facts.pop("graph_module"), "truncated or damaged"),
        (
            "models/model.json",
            lambda facts: facts["graph_module"]["graph"].update(nodes=[{}]),
            "truncated or damaged",
        ),
        ("weights_config.json", lambda facts: facts["config"].clear(), "truncated or damaged"),
        (
            "weights_config.json",
            lambda facts: [
                entry["tensor_meta"]["sizes"].append({"as_int": 9}) for entry in facts["config"].values()
            ],
            "truncated or damaged",
        ),
    ],
)
def test_an_archive_of_other_content_is_refused(
    program: Path, tmp_path: Path, name: str, change: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(NetworkFileError, match=message):
        load_network(changed(program, tmp_path / "other.pt2", replaced(name, change)))


def test_inputs_that_are_no_single_sample_are_refused(tmp_path: Path) -> None:
    path = export(nn.Linear(2, 1), torch.zeros(3, 2), tmp_path / "batch.pt2")
    with pytest.raises(UnsupportedLayerError, match=r"shape \(3, 2\), a fixed batch of 3"):
        load_network(path)
    module = Lambda(lambda x: x.relu().sum(1, keepdim=True))
    sizes = ({1: torch.export.Dim("length", min=2, max=9)},)
    torch.export.save(
        torch.export.export(module, (torch.zeros(1, 3),), dynamic_shapes=sizes), tmp_path / "length.pt2"
    )
    with pytest.raises(UnsupportedLayerError, match=r"dynamic shape \(1, \?\)"):
        load_network(tmp_path / "length.pt2")
    with pytest.raises(NetworkFileError, match="does not exist"):
        load_network(tmp_path / "missing.pt2")
