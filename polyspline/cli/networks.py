"""Reading the network that a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyspline.errors import UnsupportedLayerError

if TYPE_CHECKING:
    from polyspline.network import Network

_OPTION = "--drop-output-activation"

NetworkArgument = Annotated[
    Path, typer.Argument(metavar="NET", help="Network file: .npz, .onnx, or .pt2 or .pt of torch.export.")
]
DropOption = Annotated[
    bool,
    typer.Option(
        _OPTION, help="Leave out a smooth function at the very end of a model, as sigmoid or softmax is."
    ),
]


def read_network(path: Path, drop_output_activation: bool) -> Network:
    """Read a network file.

    Parameters
    ----------
    path
        See `polyspline.load_network`.
    drop_output_activation
        Whether a smooth function at the very end is left out.

    Raises
    ------
    PolysplineError
        As `polyspline.load_network`; if leaving out a function at the end would do, the message
        offers the option of the command line.
    """
    from polyspline.network import load_network
    from polyspline.network.reasons import HOW_TO_DROP

    try:
        return load_network(path, drop_output_activation)
    except UnsupportedLayerError as wrong:
        raise UnsupportedLayerError(str(wrong).replace(HOW_TO_DROP, f"give {_OPTION}")) from wrong
