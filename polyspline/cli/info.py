"""``polyspline info``: what is in a network file or a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from polyspline.cli.common import (
    JsonOption,
    describe_domain,
    describe_network,
    describe_partition,
    partition_rows,
    print_json,
    print_table,
)
from polyspline.cli.networks import DropOption, LimitsOption, read_network
from polyspline.errors import ArgumentError

_NETWORK_SUFFIXES = frozenset({".npz", ".onnx", ".pt", ".pt2", ".pth"})
_ZIP_MAGIC = b"PK"


def info_command(
    file: Annotated[Path, typer.Argument(metavar="NET|RUN", help="Network file or run file.")],
    drop_output_activation: DropOption = False,
    read_limits: LimitsOption = 1.0,
    json: JsonOption = False,
) -> int:
    """Tell what is in a network file or a run file: shapes, units, counts."""
    if _is_network(file):
        facts, rows = _network_info(file, drop_output_activation, read_limits)
    elif drop_output_activation:
        raise ArgumentError(f"--drop-output-activation is for networks, and {file} is none: leave it out.")
    else:
        facts, rows = _run_info(file)
    if json:
        print_json(facts)
    else:
        print_table(rows, layers=facts["network"]["layers"])
    return 0


def _is_network(file: Path) -> bool:
    """Tell whether a file is to be read as a network, by its suffix or its first bytes."""
    if file.suffix.lower() in _NETWORK_SUFFIXES:
        return True
    if not file.is_file():
        return False
    with open(file, "rb") as stream:
        return stream.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC


def _network_info(
    file: Path, drop_output_activation: bool, read_limits: float
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Describe a network file."""
    network = describe_network(read_network(file, drop_output_activation, read_limits))
    facts = {
        "kind": "network",
        "file": str(file),
        "latent_dim": network["latent_dim"],
        "ambient_dim": network["ambient_dim"],
        "units": network["units"],
        "network": network,
    }
    rows = [
        ("network file", str(file)),
        ("latent dimension S", str(network["latent_dim"])),
        ("ambient dimension D", str(network["ambient_dim"])),
        ("units N", f"{network['units']:,}"),
        ("parameters", f"{network['parameters']:,}"),
        ("fingerprint", network["fingerprint"]),
    ]
    return facts, rows


def _run_info(file: Path) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Describe a run file."""
    from polyspline.partition import load_partition

    partition = load_partition(file)
    counts = describe_partition(partition)
    network = describe_network(partition.net)
    facts = {
        "kind": "run",
        "file": str(file),
        **counts,
        "domain": describe_domain(partition.domain),
        "network": network,
    }
    rows = [
        ("run file", str(file)),
        *partition_rows(partition, counts),
        ("fingerprint", network["fingerprint"]),
    ]
    return facts, rows
