"""Reading the network that a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyspline.errors import TooLargeError, UnsupportedLayerError

if TYPE_CHECKING:
    from polyspline.network import Network

_OPTION = "--drop-output-activation"
_LIMITS = "--read-limits"

NetworkArgument = Annotated[
    Path, typer.Argument(metavar="NET", help="Network file: .npz, .onnx, or .pt2 or .pt of torch.export.")
]
DropOption = Annotated[
    bool,
    typer.Option(
        _OPTION, help="Leave out a smooth function at the very end of a model, as sigmoid or softmax is."
    ),
]
LimitsOption = Annotated[
    float,
    typer.Option(
        _LIMITS,
        metavar="FACTOR",
        help="Let the network file ask for FACTOR times as much memory and work as by default.",
    ),
]


def read_network(path: Path, drop_output_activation: bool, read_limits: float = 1.0) -> Network:
    """Read a network file.

    Parameters
    ----------
    path
        See `polyspline.load_network`.
    drop_output_activation
        Whether a smooth function at the very end is left out.
    read_limits
        Factor of the limits on what a file may ask for.

    Raises
    ------
    PolysplineError
        As `polyspline.load_network`; if leaving out a function at the end, or larger limits, would do,
        the message offers the option of the command line.
    """
    from polyspline.network import load_network
    from polyspline.network.limits import RAISE, Limits
    from polyspline.network.reasons import HOW_TO_DROP

    try:
        return load_network(path, drop_output_activation, Limits() * read_limits)
    except TooLargeError as wrong:
        raise TooLargeError(
            str(wrong).replace(RAISE, f"give {_LIMITS} {10 * read_limits:g} for ten times as much")
        ) from wrong
    except UnsupportedLayerError as wrong:
        raise UnsupportedLayerError(str(wrong).replace(HOW_TO_DROP, f"give {_OPTION}")) from wrong
