"""A new run file: it appears at once, whole and initialised, and replaces nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polyspline.domains import Domain
from polyspline.errors import OutputError, RunFileError, RunFileExistsError
from polyspline.files import publish, reserved_beside
from polyspline.network import Network
from polyspline.partition import run_schema as schema
from polyspline.partition.stop import StopReason


def create_run_file(path: Path, net: Network, domain: Domain, options: Mapping[str, Any]) -> None:
    """Create a run file without a region.

    It is built under a temporary name in the same folder and then linked to its
    own name, which fails if the name is taken.

    Raises
    ------
    RunFileExistsError
        If something has that name already.
    OutputError
        If the file cannot be written there.
    """
    if os.path.lexists(path):
        raise exists(path)
    try:
        with reserved_beside(path) as temporary:
            fill_run_file(temporary, net, domain, options)
            publish(temporary, path)
    except FileExistsError:
        raise exists(path) from None
    except (OSError, sqlite3.Error) as failure:
        raise unwritable(path, failure) from failure


def fill_run_file(path: Path, net: Network, domain: Domain, options: Mapping[str, Any]) -> None:
    """Make a run without a region of an empty file."""
    arrays = {f"network/{name}": value for name, value in net.to_arrays().items()}
    arrays |= {f"domain/{name}": value for name, value in domain.to_arrays().items()}
    schema.initialise(path, arrays, run_meta(net, domain, options))


def run_meta(net: Network, domain: Domain, options: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values that identify a run; arrays among the options become lists."""
    plain = {
        key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in options.items()
    }
    return {
        "network_fingerprint": net.fingerprint,
        "domain_fingerprint": domain.fingerprint,
        "latent_dim": net.latent_dim,
        "n_units": net.n_units,
        "options": plain,
    }


def stopped_writing(path: Path, failure: Exception, kept: int) -> OutputError:
    """Build the error for a run file that takes no more."""
    return OutputError(
        f"{path}: cannot be written any more ({failure}); it keeps the {kept:,} regions of the last commit: "
        "make room, and go on with --resume (resume=True)."
    )


def exists(path: Path) -> RunFileExistsError:
    """Build the error for a name that is taken."""
    return RunFileExistsError(
        f"{path}: exists already and is not overwritten; continue it with --resume (resume=True), or "
        "choose another name."
    )


def unwritable(path: Path, failure: Exception) -> OutputError:
    """Build the error for a run file that cannot be written."""
    reason = getattr(failure, "strerror", None) or str(failure) or type(failure).__name__
    return OutputError(
        f"{path}: cannot be written ({reason}); choose a folder that exists, may be written to and has "
        "free space."
    )


def check_same(path: Path, meta: dict[str, Any], net: Network, domain: Domain) -> None:
    """Refuse to go on with a run of another network or domain.

    Raises
    ------
    RunFileError
        If a fingerprint differs from that of the run file.
    """
    for what, fingerprint in (("network", net.fingerprint), ("domain", domain.fingerprint)):
        if meta.get(f"{what}_fingerprint") != fingerprint:
            raise RunFileError(
                f"{path}: holds a run of another {what}; resume it with the {what} it was started with, "
                "or choose another name for a new run."
            )


def check_resumable(path: Path, meta: dict[str, Any], finish: schema.Finish | None) -> None:
    """Refuse to go on with a partial partition that no walk wrote.

    Raises
    ------
    RunFileError
        If the file was saved from a partial partition.
    """
    finished = finish is not None and StopReason.from_key(finish.stop).finished
    if not meta["options"].get("resumable", True) and not finished:
        raise RunFileError(
            f"{path}: holds a partial partition that was saved after its walk and cannot be continued; "
            "resume the run file of the walk, or enumerate again into another file."
        )
