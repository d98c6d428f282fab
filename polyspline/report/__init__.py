"""The one-page report of a run: its figures, how each was obtained, and a page that holds them."""

from polyspline.report.analyse import STEPS, Report, analyse
from polyspline.report.page import save_page
from polyspline.report.section import Bars, Section

__all__ = ["STEPS", "Bars", "Report", "Section", "analyse", "save_page"]
