"""Pictures in files, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from polyspline.errors import ExportFormatError, PlotError
from polyspline.files import check_writable, whole_file
from polyspline.partition import Partition
from polyspline.plots.graph import plot_graph
from polyspline.plots.partition import plot_partition
from polyspline.plots.style import STYLE, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Suffix, and what keeps the time of drawing out of the file, so that the same picture is the same bytes.
PICTURES: dict[str, dict[str, Any]] = {
    ".png": {"Software": "polyspline"},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def check_picture(path: str | os.PathLike[str]) -> str:
    """Look up the format that the suffix of a file name asks for.

    Returns
    -------
    str
        The suffix in lower case, a key of `PICTURES`.

    Raises
    ------
    ExportFormatError
        If the suffix is not in the table.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".html":
        raise ExportFormatError(
            f"cannot draw {os.fspath(path)}: interactive pages (.html) are not offered yet; "
            f"use one of {', '.join(PICTURES)}."
        )
    if suffix not in PICTURES:
        came = f"suffix {suffix!r}" if suffix else "no suffix"
        raise ExportFormatError(
            f"cannot draw {os.fspath(path)}: {came} names no known format; use one of {', '.join(PICTURES)}."
        )
    return suffix


def save_picture(
    partition: Partition, path: str | os.PathLike[str], *, box: npt.ArrayLike | None = None
) -> Path:
    """Draw a partition into a file: the coloured regions if S = 2, the graph of G if S = 1.

    The file appears whole or not at all; one that is there already is replaced.

    Parameters
    ----------
    partition
        The partition, complete or partial.
    path
        File to write: ``.png``, ``.svg`` or ``.pdf``.
    box
        What to show, as `plot_partition` and `plot_graph` take it.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ExportFormatError
        If the suffix is not one of those.
    PlotError
        If S is neither 1 nor 2, or `box` shows nothing of the domain.
    MissingExtraError
        If matplotlib is not installed.
    OutputError
        If the file cannot be written.
    """
    check_picture(path)
    dim = partition.net.latent_dim
    if dim not in (1, 2):
        raise PlotError(
            f"no picture of a partition in {dim} dimensions: S = 2 (the coloured regions) and S = 1 "
            "(the graph of G) can be drawn; enumerate a slice of the network, see Network.restrict."
        )
    require_matplotlib()
    target = Path(path)
    check_writable(target)
    from matplotlib.figure import Figure

    axes = plot_partition(partition, box=box) if dim == 2 else plot_graph(partition, box=box)
    figure = axes.figure
    assert isinstance(figure, Figure)
    write_figure(figure, target)
    return target


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the suffix; the file appears whole or not at all.

    Raises
    ------
    ExportFormatError
        If the suffix is not one of `PICTURES`.
    OutputError
        If the file cannot be written.
    """
    from matplotlib import rc_context

    suffix = check_picture(path)
    with rc_context(STYLE), whole_file(path) as stream:
        figure.savefig(stream, format=suffix[1:], dpi=200, metadata=PICTURES[suffix])
