"""The command line: one file per sub-command."""

from polyspline.cli.app import main

__all__ = ["main"]
