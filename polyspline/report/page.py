"""The report as one self-contained page."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from polyspline.errors import ExportFormatError
from polyspline.files import check_writable, whole_file
from polyspline.manifold.regions import RegionSet
from polyspline.plots import plot_graph, plot_partition, plot_solids
from polyspline.plots.bars import plot_shares, png_bytes
from polyspline.plots.style import require_matplotlib
from polyspline.report.analyse import Report
from polyspline.report.section import Section

MOST_REGIONS_DRAWN = 20_000
"""Partitions of more regions are not drawn: they would be lines and nothing else."""

_PICTURES: dict[int, tuple[Callable[[RegionSet], Any], str]] = {
    1: (plot_graph, "The graph of G; lines at the knots."),
    2: (plot_partition, "The regions; neighbours differ in colour."),
    3: (plot_solids, "The regions, cut open; neighbours differ in colour."),
}

_SUFFIXES = (".html", ".htm")

_STYLE = """
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #222222; background: #ffffff;
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; border-bottom: 1px solid #dddddd; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .1rem 1.2rem .1rem 0; }
th { font-weight: 600; white-space: nowrap; }
p { margin: .4rem 0; }
p.how { color: #555555; font-size: .9rem; }
p.note { border-left: 3px solid #EE8866; padding-left: .6rem; }
figure { margin: .8rem 0; }
figcaption { color: #555555; font-size: .9rem; }
img { max-width: 100%; height: auto; }
"""


def check_page(path: str | os.PathLike[str], *, overwrite: bool = True, inputs: Sequence[Path] = ()) -> None:
    """Refuse a path that no page can be written to, before any work is done for it.

    Parameters
    ----------
    path : path-like
    overwrite, inputs
        As `polyspline.files.check_writable` takes them.

    Raises
    ------
    ExportFormatError
        If the suffix is not ``.html`` or ``.htm``.
    OutputError
        If the file cannot be written.
    MissingExtraError
        If matplotlib, which draws the pictures, is not installed.
    """
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        raise ExportFormatError(f"cannot write the page {target}: expected a name that ends in .html.")
    check_writable(target, overwrite=overwrite, inputs=inputs)
    require_matplotlib()


def save_page(
    report: Report, path: str | os.PathLike[str], *, name: str = "", overwrite: bool = True
) -> Path:
    """Write a report as one page that needs no other file: tables, notes, and pictures inside it.

    The file appears whole or not at all.

    Parameters
    ----------
    report : Report
    path : path-like
        File to write, ``.html`` or ``.htm``.
    name : str
        What the report is of, for the heading.
    overwrite : bool
        Whether a file that is there is replaced; else it is refused.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ExportFormatError
        If the suffix is another.
    OutputError
        If the file cannot be written.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    The same report gives the same bytes.
    """
    check_page(path, overwrite=overwrite)
    page = page_text(report, name).encode("utf-8")
    target = Path(path)
    with whole_file(target, overwrite=overwrite) as stream:
        stream.write(page)
    return target


def page_text(report: Report, name: str = "") -> str:
    """HTML of a report, with its pictures in it."""
    heading = f"Manifold report{f' of {name}' if name else ''}"
    parts = [_section(section, report.regions) for section in report.sections]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(heading)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(heading)}</h1>\n"
        '<p class="how">Made by polyspline. Equations, lemmas and theorems are those of '
        "&ldquo;Max-Affine Spline Insights into Deep Generative Networks&rdquo;.</p>\n"
        f"{''.join(parts)}</body>\n</html>\n"
    )


def _section(section: Section, regions: RegionSet) -> str:
    """HTML of one section."""
    parts = [f'<section id="{escape(section.key)}">\n<h2>{escape(section.title)}</h2>\n']
    if section.note:
        parts.append(f'<p class="note">{escape(section.note[:1].upper() + section.note[1:])}</p>\n')
    if section.rows:
        lines = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>\n" for name, value in section.rows
        )
        parts.append(f"<table>\n{lines}</table>\n")
    if section.how:
        parts.append(f'<p class="how">How: {escape(section.how)}.</p>\n')
    if section.key == "counts":
        parts.append(_map(regions))
    for bars in section.bars:
        axes = plot_shares(bars.ends, bars.shares, label=bars.label, of=bars.of, whole=bars.whole)
        figure = axes.get_figure(root=True)
        assert figure is not None
        parts.append(_picture(png_bytes(figure), f"Share of {bars.of} by {bars.label}."))
    return "".join([*parts, "</section>\n"])


def _map(regions: RegionSet) -> str:
    """HTML of the picture of the regions, or of the sentence why there is none."""
    dim = regions.net.latent_dim
    if dim not in _PICTURES:
        return f'<p class="how">No picture of the regions: S is {dim}; S = 1, 2 and 3 are drawn.</p>\n'
    if len(regions) > MOST_REGIONS_DRAWN:
        return f'<p class="how">No picture of the regions: more than {MOST_REGIONS_DRAWN:,}.</p>\n'
    draw, words = _PICTURES[dim]
    figure = draw(regions).get_figure(root=True)
    assert figure is not None
    return _picture(png_bytes(figure), words)


def _picture(png: bytes, words: str) -> str:
    """HTML of a picture, the picture itself inside."""
    data = base64.b64encode(png).decode("ascii")
    shown = escape(words)
    return (
        f'<figure><img alt="{shown}" src="data:image/png;base64,{data}">\n'
        f"<figcaption>{shown}</figcaption></figure>\n"
    )
