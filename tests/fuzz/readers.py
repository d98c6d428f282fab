"""Files of every format that readers take, with their bytes or their structure changed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tests.fuzz.cases import ReaderCase
from tests.fuzz.readers_onnx import ONNX_MODELS, changed_model, evil_models, serialized
from tests.fuzz.readers_torch import PROGRAMS, changed_program, evil_programs, packed

Generator = np.random.Generator
Arrays = dict[str, Any]

NETWORK: Arrays = {
    "weight_0": np.arange(6.0).reshape(3, 2) - 2.5,
    "bias_0": np.array([0.5, -0.25, 0.125]),
    "weight_1": np.ones((2, 3)),
    "bias_1": np.zeros(2),
    "activation": np.array(["leaky_relu:0.1|relu*2", "max:2"]),
}
SPARSE: Arrays = {
    "weight_0_data": np.array([1.0, -2.0, 0.5]),
    "weight_0_indices": np.array([0, 1, 0]),
    "weight_0_indptr": np.array([0, 2, 3]),
    "weight_0_shape": np.array([2, 2]),
    "bias_0": np.zeros(2),
    "activation": np.array(["piecewise:-1,1/0,1,0/-1,0,1"]),
}
DOMAINS: tuple[Arrays, ...] = (
    {"lo": np.array([-1.0, 0.0]), "hi": np.array([1.0, 2.0])},
    {"G": np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), "h": np.ones(4)},
)

HEADERS = (
    b"{'descr': '<f8', (", b"{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551616,), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
    b"{'descr': '<U1000000000', 'fortran_order': False, 'shape': (3,), }",
    b"{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }",
    b"{'descr': [('a', '<f8')], 'fortran_order': True, 'shape': (1,), }",
    b"{'descr': '<f8', 'fortran_order': 3, 'shape': (True, 2), }", b"(" * 3000, b"1 + " * 2000 + b"1",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1099511627776, 1099511627776), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}\x00\xff\xfe", b"",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': 3(4), }",
    b"{'descr': 'M8[s]', 'fortran_order': False, 'shape': (3,), }",
)  # fmt: skip
"""Headers of arrays that are none, or that tell of more than there is."""

SPELLINGS = (
    "relu", "max:0", "max:-1", "max:1000000000000", "relu*1000000000000", "relu*0", "max:" + "9" * 5000,
    "piecewise:nan/0,1/0,0", "piecewise:0/inf,1/0,0", "hardtanh:1,0", "leaky_relu:" + "1" * 2_000_000,
    "prelu:1,2,3,4", "\x1b[31mred\x1b[0m", "relu|" * 1000, "softshrink:-1", "x" * 2_000_000, "", "|", "*",
        "max:",
)  # fmt: skip


# ---- bytes


def mutated_bytes(content: bytes, rng: Generator) -> bytes:
    """Content with some bytes changed, left out, repeated or cut off."""
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        if not found:
            break
        place = int(rng.integers(len(found)))
        width = int(rng.integers(1, 9))
        kind = int(rng.integers(7))
        if kind == 0:
            found[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            found[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == 2:
            del found[place : place + width]
        elif kind == 3:
            found[place:place] = found[place : place + width] * int(rng.integers(1, 40))
        elif kind == 4:
            found[place : place + width] = rng.integers(0, 256, size=width).astype(np.uint8).tobytes()
        elif kind == 5:
            found[place : place + 8] = b"\xff" * 8
        elif rng.random() < 0.3:
            del found[place:]
    return bytes(found)


# ---- archives


def archive(members: dict[str, bytes]) -> bytes:
    """A zip archive, always the same for the same members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def bomb(name: str, megabytes: int, others: dict[str, bytes]) -> bytes:
    """An archive with a member that unpacks to so many megabytes of zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    content = block * megabytes + packer.flush()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for other, held in others.items():
            made.writestr(zipfile.ZipInfo(other), held)
        member = zipfile.ZipInfo(name)
        member.compress_type = zipfile.ZIP_DEFLATED
        member.file_size, member.compress_size, member.CRC = megabytes * 2**20, len(content), 0
        member.header_offset = stream.tell()
        stream.write(member.FileHeader(zip64=True) + content)
        made.filelist.append(member)
        made.NameToInfo[name] = member
        made.start_dir = stream.tell()
        made._didModify = True  # type: ignore[attr-defined]
    return stream.getvalue()


def array_bytes(array: Any) -> bytes:
    """An array in numpy's format."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def headed(header: bytes, content: bytes = bytes(24)) -> bytes:
    """A header of numpy's format before some numbers."""
    return b"\x93NUMPY\x01\x00" + min(len(header), 65535).to_bytes(2, "little") + header + content


def array_members(arrays: Arrays) -> dict[str, bytes]:
    """Members of an npz file."""
    return {f"{name}.npy": array_bytes(array) for name, array in arrays.items()}


def changed_arrays(arrays: Arrays, rng: Generator) -> bytes:
    """An npz file of other arrays: one left out, of another shape, with other numbers, or headed badly."""
    members = array_members(arrays)
    name = str(rng.choice(sorted(arrays)))
    key = f"{name}.npy"
    array = arrays[name]
    kind = int(rng.integers(9))
    if kind == 0:
        del members[key]
    elif kind == 1:
        shapes = [(0,), (1,), (0, 3), (3, 0), (2, 2, 2), (), (5,), (2, 5), (1,) * 40]
        members[key] = array_bytes(np.ones(shapes[int(rng.integers(len(shapes)))][:32]))
    elif kind == 2:
        kinds = ["float16", "int64", "uint64", "complex128", "bool", "S3", "float128", "datetime64[s]"]
        fits = array.dtype.kind in "fi"
        members[key] = array_bytes(np.ones(array.shape).astype(rng.choice(kinds)) if fits else np.ones(2))
    elif kind == 3 and array.dtype.kind in "fi":
        values = array.astype(np.float64)
        values.ravel()[int(rng.integers(values.size))] = rng.choice(
            [np.nan, np.inf, -1.0, 1e300, 1e18, 2.0**62]
        )
        with np.errstate(invalid="ignore"):  # of integers, whatever the cast makes of it
            members[key] = array_bytes(values.astype(array.dtype) if rng.random() < 0.7 else values)
    elif kind == 4 and array.dtype.kind == "U":
        values = array.astype(object)
        values[int(rng.integers(len(values)))] = str(rng.choice(np.array(SPELLINGS, dtype=object)))
        members[key] = array_bytes(values.astype(str))
    elif kind == 5:
        members[f"{rng.choice(['weight_5', 'bias_9', 'other', '../x', 'weight_0_data', 'G', 'lo'])}.npy"] = (
            members[key]
        )
    elif kind == 6:
        return bomb(key if rng.random() < 0.5 else "unused.npy", int(rng.choice([64, 6000])), members)
    elif kind == 7:
        members[f"{'n' * 2000}\x1b[2J\n.npy"] = members.pop(key)
    else:
        members[key] = headed(HEADERS[int(rng.integers(len(HEADERS)))])
    return archive(members)


# ---- families


def _case(suffix: str, content: bytes) -> ReaderCase:
    return ReaderCase(suffix, content)


def npz_files(rng: Generator) -> ReaderCase:
    """Network files in numpy's format, with bytes or arrays changed."""
    arrays = (NETWORK, SPARSE)[int(rng.integers(2))]
    if rng.random() < 0.4:
        return _case(".npz", mutated_bytes(archive(array_members(arrays)), rng))
    return _case(".npz", changed_arrays(arrays, rng))


def domain_files(rng: Generator) -> ReaderCase:
    """Domain files, with bytes or arrays changed."""
    arrays = DOMAINS[int(rng.integers(2))]
    if rng.random() < 0.4:
        return _case(".domain.npz", mutated_bytes(archive(array_members(arrays)), rng))
    return _case(".domain.npz", changed_arrays(arrays, rng))


@cache
def _evil_onnx() -> tuple[Callable[[], bytes], ...]:
    return tuple(evil_models())


@cache
def _evil_torch() -> tuple[Callable[[], bytes], ...]:
    return tuple(evil_programs())


def onnx_files(rng: Generator) -> ReaderCase:
    """ONNX models, with bytes, nodes, attributes or shapes changed, and ones made to exhaust a reader."""
    share = rng.random()
    name = str(rng.choice(sorted(ONNX_MODELS)))
    if share < 0.35:
        return _case(".onnx", mutated_bytes(serialized(name), rng))
    if share < 0.8:
        return _case(".onnx", changed_model(name, rng))
    made = _evil_onnx()
    return _case(".onnx", made[int(rng.integers(len(made)))]())


def torch_files(rng: Generator) -> ReaderCase:
    """Exported programs of torch, with bytes or JSON changed, and ones made to exhaust a reader."""
    share = rng.random()
    name = str(rng.choice(sorted(PROGRAMS)))
    if share < 0.3:
        return _case(".pt2", mutated_bytes(archive(packed(PROGRAMS[name]())), rng))
    if share < 0.75:
        return _case(".pt2", archive(packed(changed_program(PROGRAMS[name](), rng))))
    if share < 0.8:
        members = packed(PROGRAMS[name]())
        return _case(".pt2", bomb("m/unused", int(rng.choice([64, 6000])), members))
    made = _evil_torch()
    return _case(".pt2", made[int(rng.integers(len(made)))]())
