"""What the sub-commands share: reading their inputs and printing their results."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyspline.cli.status import ExitStatus, say
from polyspline.errors import ArgumentError, PolysplineError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from rich.table import Table

    from polyspline.domains import Domain
    from polyspline.network import Network
    from polyspline.partition import Partition

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run file, as enumerate -o writes it.")]

BoxOption = Annotated[
    tuple[str, str] | None,
    typer.Option(metavar="LO HI", help="The box [LO, HI]^S: the same bounds for every coordinate."),
]

PARTITION_KEYS = (
    "regions",
    "affine_regions",
    "adjacencies",
    "complete",
    "stop",
    "within",
    "expanded",
    "seconds",
    "units",
    "latent_dim",
    "ambient_dim",
    "exact_fallbacks",
)
"""What is said of a partition in JSON."""

# Wide enough that nothing is folded where no terminal sets the width.
_PIPE_WIDTH = 100_000


def number(text: str) -> float:
    """Read a number from the command line.

    Raises
    ------
    typer.BadParameter
        If it is none.
    """
    try:
        return float(text)
    except ValueError as failure:
        raise typer.BadParameter(f"{text!r} is not a number; write it like 3, -0.5 or 1e-3.") from failure


def whole_number(text: str) -> int:
    """Read a whole number from the command line.

    Raises
    ------
    typer.BadParameter
        If it is none.
    """
    try:
        return int(text)
    except ValueError as failure:
        raise typer.BadParameter(f"{text!r} is not a whole number; write it like 3 or 1000.") from failure


def finite(value: Any) -> Any:
    """Replace numbers that are not finite by None, which JSON knows as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value


def print_json(facts: Mapping[str, Any]) -> None:
    """Print the one JSON object of a command on stdout."""
    print(json.dumps(finite(facts), allow_nan=False), flush=True)


def print_table(rows: Sequence[tuple[str, str]], *, layers: Sequence[Mapping[str, Any]] = ()) -> None:
    """Print named facts for a person on stdout, and the layers of a network below them.

    Parameters
    ----------
    rows
        Name and value of every fact.
    layers
        Rows as `describe_network` makes them.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    with console.capture() as captured:
        console.print(table)
        if layers:
            console.print()
            console.print(_layer_table(layers))
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def print_listing(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of words for a person on stdout, under their names; the last column is flush left."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    listing = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for name in names:
        listing.add_column(name, justify="left" if name == names[-1] else "right", overflow="fold")
    for row in rows:
        listing.add_row(*row)
    with console.capture() as captured:
        console.print(listing)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def _layer_table(layers: Sequence[Mapping[str, Any]]) -> Table:
    """Lay out the layers of a network for a person, one line each."""
    from rich.table import Table

    listing = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    names = ("inputs", "rows", "outputs", "units", "nonzeros")
    for name in ("layer", *names, "stored"):
        listing.add_column(name, justify="right", overflow="fold")
    listing.add_column("kinds", overflow="fold")
    for index, layer in enumerate(layers):
        kinds = ", ".join(f"{count:,} {spelling}" for spelling, count in layer["kinds"].items())
        stored = "sparse" if layer["sparse"] else "dense"
        listing.add_row(str(index), *(f"{layer[name]:,}" for name in names), stored, kinds)
    return listing


def require_one_domain(box: object, file: object, whole_space: bool) -> None:
    """Refuse a command line that names no domain, or more than one.

    Raises
    ------
    ArgumentError
        Unless exactly one of the three is given.
    """
    given = [
        name
        for name, is_given in (
            ("--box", box is not None),
            ("--domain", file is not None),
            ("--whole-space", whole_space),
        )
        if is_given
    ]
    if len(given) != 1:
        came = "no domain is given" if not given else f"{' and '.join(given)} are given together"
        raise ArgumentError(f"{came}: give exactly one of --box LO HI, --domain FILE or --whole-space.")


def read_domain(box: tuple[str, str] | None, file: Path | None, net: Network) -> Domain:
    """Make the domain that the command line names, and check that it fits the network.

    Parameters
    ----------
    box
        Bounds that hold for every coordinate, or None.
    file
        Domain file, or None. With neither, the domain is the whole space.
    net
        The network whose input space it is in.

    Raises
    ------
    DomainError
        If the domain is empty, unbounded, flat or of another dimension than the network.
    """
    from polyspline.domains import Box, WholeSpace, check_dimension, load_domain

    if box is not None:
        return Box(number(box[0]), number(box[1]), dim=net.latent_dim)
    if file is None:
        return WholeSpace(net.latent_dim)
    domain = load_domain(file)
    check_dimension(domain, net)
    return domain


def read_point(path: Path) -> npt.NDArray[np.float64]:
    """Read a point from a file: ``.npy``, ``.npz`` with one array, or numbers as text.

    Returns
    -------
    ndarray
        (k,) float64, as long as the file says.

    Raises
    ------
    ArgumentError
        If the file is missing, damaged, or holds anything but one row of numbers.
    """
    import zipfile

    import numpy as np

    from polyspline.cpa.matrices import exact_floats

    expected = "expected a .npy file, a .npz file with one array, or text with numbers"
    if not path.is_file():
        raise ArgumentError(f"cannot read the point in {path}: there is no such file; {expected}.")
    try:
        if path.suffix.lower() in {".npy", ".npz"}:
            loaded = np.load(path, allow_pickle=False)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                with loaded:
                    arrays = [loaded[name] for name in loaded.files]
            else:
                arrays = [loaded]
        else:
            words = path.read_text(encoding="utf-8").replace(",", " ").split()
            arrays = [np.array([float(word) for word in words])]
        if len(arrays) != 1:
            raise ArgumentError(
                f"cannot read the point in {path}: it holds {len(arrays)} arrays; {expected}."
            )
        return exact_floats(arrays[0], f"the point in {path}").reshape(-1)
    except PolysplineError:
        raise
    except (ValueError, TypeError, EOFError, OSError, zipfile.BadZipFile) as damage:
        raise ArgumentError(f"cannot read the point in {path}: {damage}; {expected}.") from damage


def describe_network(net: Network) -> dict[str, Any]:
    """Lay out what a network is made of, ready for JSON."""
    from polyspline.cpa.activations import spell_unit
    from polyspline.cpa.matrices import nonzeros

    layers = [
        {
            "inputs": layer.n_in,
            "outputs": layer.n_out,
            "rows": layer.n_rows,
            "units": len(layer.unit_neurons),
            "weights": nonzeros(layer.matrix).size,
            "nonzeros": int((nonzeros(layer.matrix) != 0).sum()),
            "sparse": layer.is_sparse,
            "kinds": {spell_unit(unit): len(where) for unit, where in layer.kinds},
            "activation": layer.activation,
        }
        for layer in net.layers
    ]
    return {
        "latent_dim": net.latent_dim,
        "ambient_dim": net.ambient_dim,
        "units": net.n_units,
        "parameters": sum(nonzeros(layer.matrix).size + layer.bias.size for layer in net.layers),
        "layers": layers,
        "fingerprint": net.fingerprint,
    }


def describe_domain(domain: Domain) -> dict[str, Any]:
    """Lay out what a domain is, ready for JSON; bounds that are infinite become null there."""
    lo, hi = domain.bounds()
    return {"kind": domain.kind, "dim": domain.dim, "lo": lo.tolist(), "hi": hi.tolist()}


def describe_partition(partition: Partition, *, affine_regions: bool = False) -> dict[str, Any]:
    """Lay out the counts of a partition, ready for JSON.

    Parameters
    ----------
    partition
        The partition, complete or partial.
    affine_regions
        Whether to count the affine regions too, which takes a while; None stands for it otherwise.
    """
    return {
        "regions": len(partition),
        "affine_regions": int(partition.n_affine_regions) if affine_regions else None,
        "adjacencies": int(partition.n_adjacencies),
        "complete": bool(partition.complete),
        "stop": partition.stop.key,
        "within": _describe_ball(partition),
        "expanded": int(partition.expanded),
        "seconds": float(partition.seconds),
        "units": int(partition.net.n_units),
        "latent_dim": int(partition.net.latent_dim),
        "ambient_dim": int(partition.net.ambient_dim),
        "exact_fallbacks": int(partition.exact_fallbacks),
    }


def interrupted_at_once(keys: Sequence[str], *, json: bool) -> ExitStatus:
    """End a command that Ctrl-C stopped before there was anything to count: nothing is known, so all is null.

    Parameters
    ----------
    keys
        Of the JSON object that the command prints otherwise.
    json
        Whether to print it.
    """
    if json:
        print_json(dict.fromkeys(keys) | {"complete": False, "stop": "interrupted"})
    say("partial: interrupted before any region was found.")
    return ExitStatus.INTERRUPTED


def _describe_ball(partition: Partition) -> dict[str, Any] | None:
    """Lay out the ball that a partition is limited to, if it is."""
    ball = partition.within
    if ball is None:
        return None
    return {"centre": ball.centre.tolist(), "radius": ball.radius, "norm": ball.norm}


def partition_rows(partition: Partition, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Put the counts of a partition into words for a person."""
    verdict = "complete" if facts["complete"] else "partial"
    rows = [
        ("regions", f"{facts['regions']:,}"),
        ("adjacencies", f"{facts['adjacencies']:,}"),
        ("affine regions", "" if facts["affine_regions"] is None else f"{facts['affine_regions']:,}"),
        ("partition", f"{verdict}: {partition.stop.value}"),
        ("expanded", "" if facts["complete"] else f"{facts['expanded']:,} of {facts['regions']:,} regions"),
        ("network", f"R^{facts['latent_dim']} to R^{facts['ambient_dim']}, {facts['units']:,} units"),
        ("domain", domain_words(partition.domain)),
        ("within", "" if facts["within"] is None else _ball_words(facts["within"])),
        ("exact fallbacks", f"{facts['exact_fallbacks']:,}"),
        ("seconds", f"{facts['seconds']:.3f}"),
    ]
    return [row for row in rows if row[1]]


def _ball_words(ball: Mapping[str, Any]) -> str:
    centre = ", ".join(f"{z:g}" for z in ball["centre"][:4]) + (", ..." if len(ball["centre"]) > 4 else "")
    return f"radius {ball['radius']:g} ({ball['norm']}) of ({centre})"


def domain_words(domain: Domain) -> str:
    """Put a domain into words for a person."""
    if domain.kind == "whole_space":
        return f"whole space R^{domain.dim}"
    lo, hi = domain.bounds()
    sides = [f"[{low:g}, {high:g}]" for low, high in zip(lo, hi, strict=True)]
    extent = f"{sides[0]}^{domain.dim}" if len(set(sides)) == 1 else " x ".join(sides[:4])
    if len(set(sides)) > 1 and len(sides) > 4:
        extent += " x ..."
    return f"box {extent}" if domain.kind == "box" else f"polytope within {extent}"
