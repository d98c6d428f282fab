"""``polyspline check``: whether a certificate, or a run, is right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyspline.cli.common import JsonOption, print_json
from polyspline.cli.prove import WorkersOption
from polyspline.cli.status import ExitStatus, refuse
from polyspline.errors import ArgumentError, InvariantError

_ENDINGS = {
    0: ("proven", ExitStatus.DONE),
    1: ("refused", ExitStatus.INTERNAL_ERROR),
    2: ("unreadable", ExitStatus.BAD_INPUT),
    3: ("sampled", ExitStatus.LIMIT),
}
"""Word and exit status for each outcome of the checker."""


def check_command(
    file: Annotated[Path, typer.Argument(metavar="FILE|RUN", help="Certificate or run file.")],
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, metavar="N", help="Check N regions only, which is no proof."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="K", help="Which regions the sample has.")] = 0,
    net: Annotated[
        Path | None, typer.Option("--net", metavar="FILE", help="Network file that it must be of.")
    ] = None,
    workers: WorkersOption = 1,
    json: JsonOption = False,
) -> int:
    """Check a certificate, or a run: then its certificate is made anew and checked.

    Exit status: 0 proven, 1 refused, 2 not readable, 3 only a sample was checked.
    """
    from polyspline.proof import check as checker

    try:
        data = _certificate(file, workers)
    except InvariantError as fault:
        status, sentence = checker.REFUSED, f"refused: {fault}"
    else:
        digest = "" if net is None else _digest(net)
        status, sentence = checker.check(data, sample, seed, workers, digest)
    word, ending = _ENDINGS[status]
    if status == checker.BAD:
        return refuse(f"{file}: {sentence}")
    if json:
        print_json({"file": str(file), "outcome": word, "sentence": sentence})
    else:
        print(sentence)
    return ending


def _certificate(file: Path, workers: int) -> bytes:
    """Bytes of a certificate: those of the file, or those that prove the run in it."""
    from polyspline.partition import load_partition
    from polyspline.proof.writer import prove

    with open(file, "rb") as stream:
        is_run = stream.read(15) == b"SQLite format 3"
        stream.seek(0)
        if not is_run:
            return stream.read()
    partition = load_partition(file)
    if not len(partition):
        raise ArgumentError(f"{file} holds no region, so there is nothing to check.")
    return prove(partition, workers=workers).data


def _digest(file: Path) -> str:
    """Digest of a network file, of any format that is read."""
    import hashlib

    from polyspline.network import load_network
    from polyspline.proof.encode import network_tables

    return hashlib.sha256(network_tables(load_network(file))).hexdigest()
