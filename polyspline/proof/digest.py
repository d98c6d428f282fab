"""The digest of a network file, as a certificate has it: ``python digest.py FILE.npz``.

It needs Python alone, and shares no code with what reads networks elsewhere, so that what a certificate says
of a network can be compared with the file that the network came in.
"""

from __future__ import annotations

import ast
import hashlib
import struct
import sys
import zipfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

_DAMAGE = (
    ValueError, LookupError, TypeError, ArithmeticError, OSError, RuntimeError, SyntaxError, MemoryError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip
Numbers = tuple[float, ...]
Table = tuple[int, Numbers, Numbers, Numbers]
"""Members of a max group (0: a scalar unit), knots, slopes, offsets."""
LayerTable = tuple[Sequence[tuple[Sequence[int], Sequence[float]]], Sequence[float], Sequence[Table]]
"""Columns and weights of each row, biases, units."""


def number(value: int) -> bytes:
    """Bytes of a number, as `Reader.number` reads them."""
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


def network_bytes(width: int, layers: Sequence[LayerTable]) -> bytes:
    """Return the bytes of a network of `width` inputs; there is one spelling for each network."""
    found = [number(width), number(len(layers))]
    for rows, biases, units in layers:
        found.append(number(len(rows)))
        for columns, weights in rows:
            entries = [pair for pair in zip(columns, weights, strict=True) if pair[1] != 0]
            found += [number(len(entries)), *(number(column) for column, _ in entries)]
            found.append(struct.pack(f"<{len(entries)}d", *(value for _, value in entries)))
        found.append(struct.pack(f"<{len(rows)}d", *(bias + 0.0 for bias in biases)))
        names = {table: name for name, table in enumerate(dict.fromkeys(units))}
        found.append(number(len(names)))
        for members, *parts in names:
            floats = [value + 0.0 for part in parts for value in part] if not members else []
            found += [number(members), *([] if members else [number(len(parts[0]))])]
            found.append(struct.pack(f"<{len(floats)}d", *floats))
        found += [number(names[table]) for table in units]
    return b"".join(found)


def _array(data: bytes) -> tuple[list[Any], tuple[int, ...]]:
    """Entries, in the order of C, and shape of an array in numpy's format."""
    width, kind = (2, "<H") if data[6] == 1 else (4, "<I")
    (size,) = struct.unpack_from(kind, data, 8)
    start = 8 + width + size
    head = ast.literal_eval(data[8 + width : start].decode("latin-1").strip())
    order, letter, bytes_each = head["descr"][0], head["descr"][1], int(head["descr"][2:])
    shape = tuple(head["shape"])
    body = data[start:]
    entries: list[Any]
    if letter in "US":
        step = bytes_each * (4 if letter == "U" else 1)
        coding = ("utf-32-be" if order == ">" else "utf-32-le") if letter == "U" else "latin-1"
        entries = [body[k : k + step].decode(coding).rstrip("\0") for k in range(0, len(body), step)]
    else:
        code = {"f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "i1": "b",
                "u8": "Q", "u4": "I", "u2": "H", "u1": "B"}[head["descr"][1:]]  # fmt: skip
        entries = list(
            struct.unpack((">" if order == ">" else "<") + f"{len(body) // bytes_each}{code}", body)
        )
    if head["fortran_order"] and len(shape) == 2:
        entries = [entries[c * shape[0] + r] for r in range(shape[0]) for c in range(shape[1])]
    return entries, shape


def _floats(entries: Sequence[Any]) -> list[float]:
    found = [float(entry) for entry in entries]
    if any(value != entry for value, entry in zip(found, entries, strict=True)):
        raise ValueError("a number in it is no float64")
    return found


_TABLES: dict[str, Callable[[Numbers], tuple[Numbers, Numbers, Numbers]]] = {
    "identity": lambda p: ((), (1.0,), (0.0,)),
    "relu": lambda p: ((0.0,), (0.0, 1.0), (0.0, 0.0)),
    "leaky_relu": lambda p: ((0.0,), (*(p or (0.01,)), 1.0), (0.0, 0.0)),
    "prelu": lambda p: ((0.0,), (*p, 1.0), (0.0, 0.0)),
    "hardtanh": lambda p: (p or (-1.0, 1.0), (0.0, 1.0, 0.0), ((p or (-1.0,))[0], 0.0, (p or (1.0,))[-1])),
    "relu6": lambda p: ((0.0, 6.0), (0.0, 1.0, 0.0), (0.0, 0.0, 6.0)),
    "abs": lambda p: ((0.0,), (-1.0, 1.0), (0.0, 0.0)),
    "softshrink": lambda p: _softshrink(*(p or (0.5,))),
}


def _softshrink(width: float) -> tuple[Numbers, Numbers, Numbers]:
    return ((-width, width), (1.0, 0.0, 1.0), (width, 0.0, -width)) if width else _TABLES["identity"](())


def _numbers(text: str) -> Numbers:
    return tuple(float(part) + 0.0 for part in text.split(",") if part.strip())


def _units(spelling: str, rows: int) -> list[Table]:
    """Tables of the units that an activation spells."""
    found: list[Table] = []
    for part in spelling.split("|"):
        text, star, times = part.partition("*")
        name, _, rest = text.strip().partition(":")
        name = name.strip().lower()
        if name == "max":
            units: list[Table] = [(int(rest), (), (), ())]
        elif name == "piecewise":
            knots, slopes, offsets = map(_numbers, rest.split("/"))
            units = [(0, *_merged(knots, slopes, offsets))]
        elif name == "prelu" and "," in rest:
            units = [(0, *_merged(*_TABLES[name]((slope,)))) for slope in _numbers(rest)]
        else:
            units = [(0, *_merged(*_TABLES[name](_numbers(rest))))]
        if "|" not in spelling and not star:
            units = units * (rows // sum(max(unit[0], 1) for unit in units))
        found += units * int(times or 1)
    return found


def _merged(knots: Numbers, slopes: Numbers, offsets: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Leave out knots at which the slope does not change."""
    kinks = [k for k, (low, high) in enumerate(pairwise(slopes)) if low != high]
    kept = [0, *(k + 1 for k in kinks)]
    return (
        tuple(knots[k] + 0.0 for k in kinks),
        tuple(slopes[k] + 0.0 for k in kept),
        tuple(offsets[k] + 0.0 for k in kept),
    )


def read_network(path: str) -> tuple[int, list[LayerTable]]:
    """Read the number of inputs, and the layers, from a file with weights, biases and activations."""
    with zipfile.ZipFile(path) as archive:
        arrays = {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    spellings, width = arrays["activation"][0], 0
    layers: list[LayerTable] = []
    for k, spelling in enumerate(spellings):
        rows: list[tuple[Sequence[int], Sequence[float]]] = []
        if f"weight_{k}" in arrays:
            entries, (count, n_in) = arrays[f"weight_{k}"]
            values = _floats(entries)
            rows = [(range(n_in), values[r * n_in : (r + 1) * n_in]) for r in range(count)]
        else:
            values, indices, starts = (
                arrays[f"weight_{k}_{part}"][0] for part in ("data", "indices", "indptr")
            )
            count, n_in = arrays[f"weight_{k}_shape"][0]
            rows = [(indices[a:b], _floats(values[a:b])) for a, b in pairwise(starts)]
        layers.append((rows, _floats(arrays[f"bias_{k}"][0]), _units(spelling, count)))
        width = width or n_in
    return width, layers


def main() -> int:
    """Print the digest of the file that the command line names."""
    try:
        (path,) = sys.argv[1:]
        print(hashlib.sha256(network_bytes(*read_network(path))).hexdigest())
    except _DAMAGE as reason:
        print(f"the digest needs one .npz file with weights, biases and activations: {reason}.")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
