"""The slice of the latent space that a command line asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyspline.cli.common import read_point
from polyspline.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from polyspline.network import Network, Slice


def sliced_network(
    net: Network, file: Path | None, through: list[Path]
) -> tuple[Network, dict[str, Any] | None]:
    """Restrict a network to the slice that is asked for, if one is.

    Parameters
    ----------
    net
        The network, S inputs.
    file
        ``.npz`` with ``origin`` (S,) and ``directions`` (S, k).
    through
        Files of two or three points (S,).

    Returns
    -------
    Network
        The network itself if there is no slice.
    dict or None
        How the slice was given, ready for JSON.

    Raises
    ------
    ArgumentError
        If both are given, a file is missing or damaged, or the points do not span a slice.
    ShapeError, NonFiniteError
        If an array has another shape, or is not finite.
    """
    if file is None and not through:
        return net, None
    if file is not None and through:
        raise ArgumentError("--slice and --through are given together: give one of them.")
    facts: dict[str, Any] = {"given": "file" if file is not None else "points", "of_dim": net.latent_dim}
    if file is not None:
        origin, directions = _read_slice(file, net.latent_dim)
        return net.restrict(origin, directions), facts | {"files": [str(file)], "coordinates": None}
    laid = _laid_through(through, net.latent_dim)
    names = [str(path) for path in through]
    return net.restrict(*laid), facts | {"files": names, "coordinates": laid.coordinates.tolist()}


def _read_slice(file: Path, size: int) -> tuple[Any, Any]:
    """Read origin and directions from a file."""
    from polyspline.network.npz import read_arrays

    arrays = read_arrays(file, error=ArgumentError, what="slice")
    expected = f"expected origin ({size},) and directions ({size}, k), with k >= 1"
    if arrays.keys() != {"origin", "directions"}:
        raise ArgumentError(
            f"slice file {str(file)!r} holds {', '.join(sorted(arrays)) or 'nothing'}; {expected}."
        )
    origin, directions = arrays["origin"], arrays["directions"]
    fits = origin.shape == (size,) and directions.shape[:1] == (size,) and directions.ndim in (1, 2)
    if not fits or directions.size == 0:
        raise ShapeError(
            f"slice file {str(file)!r} holds origin {origin.shape} and directions {directions.shape}; "
            f"{expected}."
        )
    return origin, directions


def _laid_through(files: list[Path], size: int) -> Slice:
    """Read points and lay the slice through them."""
    from polyspline.network import plane_through

    if len(files) not in (2, 3):
        raise ArgumentError(
            f"--through got {len(files)} file{'s' * (len(files) != 1)}; expected two for a line, or three "
            "for a plane."
        )
    points = [read_point(path) for path in files]
    for path, point in zip(files, points, strict=True):
        if point.shape != (size,):
            raise ShapeError(
                f"the point in {path} has {len(point)} coordinates; the network's latent dimension is {size}."
            )
    return plane_through(*points)
