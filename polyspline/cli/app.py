"""The ``polyspline`` command: its sub-commands, and what becomes of their errors."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer
from typer.main import get_command

from polyspline import __version__
from polyspline.cli.analyse import analyse_command
from polyspline.cli.arguments import spread_values
from polyspline.cli.check import check_command
from polyspline.cli.count import count_command
from polyspline.cli.enumerate import enumerate_command
from polyspline.cli.export import export_command
from polyspline.cli.info import info_command
from polyspline.cli.invert import invert_command
from polyspline.cli.memory import check_memory
from polyspline.cli.plot import plot_command
from polyspline.cli.prove import prove_command
from polyspline.cli.status import ExitStatus, file_sentence, refuse, report_defect, say
from polyspline.cli.streams import prepare
from polyspline.cli.warmup import warmup_command
from polyspline.errors import InvariantError, PolysplineError

app = typer.Typer(
    name="polyspline",
    help="Exact geometry of piecewise-affine deep networks.",
    epilog=(
        "Exit status: 0 done, 1 internal error, 2 bad input, 3 a limit stopped it, 130 interrupted; "
        "a partial result is kept."
    ),
    add_completion=False,
    no_args_is_help=False,
    # Plain help starts in half the time of the decorated one.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command("enumerate", short_help="Find every region and every adjacency.")(enumerate_command)
app.command("count", short_help="Count the regions and adjacencies, and keep none.")(count_command)
app.command("invert", short_help="Find the z behind an x, with a bound that proves it.")(invert_command)
app.command("prove", short_help="Write a certificate that proves a run.")(prove_command)
app.command("check", short_help="Check a certificate, or a run.")(check_command)
app.command("analyse", short_help="Tell what a run says of the generated surface.")(analyse_command)
app.command("info", short_help="Tell what is in a network or a run file.")(info_command)
app.command("export", short_help="Write a run for other programs.")(export_command)
app.command("plot", short_help="Draw a run.")(plot_command)
app.command("warmup", short_help="Compile all kernels ahead of their first use.")(warmup_command)


def _print_version(asked: bool) -> None:
    """Print the version and stop, if that is what was asked for."""
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Exact geometry of piecewise-affine deep networks."""
    check_memory()


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit status; misuse becomes one sentence on stderr.

    An error that is nobody's misuse is a defect and is raised.
    """
    command = get_command(app)
    try:
        status = command.main(args=spread_values(arguments), prog_name="polyspline", standalone_mode=False)
    except typer.TyperException as misuse:
        return refuse(f"{misuse.format_message().rstrip('. ')}; see polyspline --help.")
    except InvariantError:
        raise
    except RuntimeError as failure:
        # Python has no exception of its own for it.
        if "can't start new thread" not in str(failure):
            raise
        return refuse(
            "no more threads are allowed to this process, or its memory is used up: give fewer --workers."
        )
    except PolysplineError as misuse:
        return refuse(str(misuse))
    except OSError as failure:
        return refuse(file_sentence(failure))
    return ExitStatus.DONE if status is None else int(status)


def main() -> int:
    """Run the command line of this process (the entry point ``polyspline``)."""
    prepare()
    sys.excepthook = report_defect
    asked = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        status = run(sys.argv[1:])
    except (ImportError, KeyboardInterrupt):
        # The former is what Ctrl-C becomes in a compiled package that is being loaded.
        if not asked.is_set():
            raise
        say("interrupted.")
        status = ExitStatus.INTERRUPTED
    watched = sys.modules.get("polyspline.inversion.watched")
    if watched is not None and watched.still_running():
        # All is said; Python would wait for the foreign code that a limit has left alone.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status
