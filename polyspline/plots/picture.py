"""Pictures in files, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyspline.errors import ExportFormatError
from polyspline.files import check_writable, whole_file
from polyspline.plots.style import STYLE, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Suffix, and what keeps the time of drawing out of the file, so that the same picture is the same bytes.
PICTURES: dict[str, dict[str, Any]] = {
    ".png": {"Software": "polyspline"},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}

PAGE = ".html"
"""Suffix of an interactive page."""


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
    if suffix not in PICTURES:
        came = f"suffix {suffix!r}" if suffix else "no suffix"
        raise ExportFormatError(
            f"cannot draw {os.fspath(path)}: {came} names no format of this picture; use one of "
            f"{', '.join(PICTURES)}."
        )
    return suffix


def draw_to_file(
    path: str | os.PathLike[str], draw: Callable[[], Axes | Figure | SubFigure], *, overwrite: bool = True
) -> Path:
    """Draw a picture into a file that appears whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write: ``.png``, ``.svg`` or ``.pdf``.
    draw : callable
        Draws into a figure of its own, and returns it or axes of it.
    overwrite : bool
        Whether a file that is there is replaced; else it is refused.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ExportFormatError
        If the suffix is not one of those; before anything is drawn, as below.
    MissingExtraError
        If matplotlib is not installed.
    OutputError
        If the file cannot be written.
    """
    check_picture(path)
    require_matplotlib()
    target = Path(path)
    check_writable(target, overwrite=overwrite)
    from matplotlib.figure import Figure

    figure = draw().get_figure(root=True)
    assert isinstance(figure, Figure)
    write_figure(figure, target, overwrite=overwrite)
    return target


def write_figure(figure: Figure, path: Path, *, overwrite: bool = True) -> None:
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
    with rc_context(STYLE), whole_file(path, overwrite=overwrite) as stream:
        figure.savefig(stream, format=suffix[1:], dpi=200, metadata=PICTURES[suffix])
