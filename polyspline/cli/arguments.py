"""Options that take a varying number of values, which the parser does not know."""

from __future__ import annotations

from collections.abc import Sequence

from polyspline.errors import ArgumentError

# The option and the most values it takes.
_SEVERAL = {"--through": 3}


def spread_values(arguments: Sequence[str]) -> list[str]:
    """Repeat an option before each of its values: ``--through a b`` becomes ``--through a --through b``.

    Its values end with the next option, or when there are as many as it takes.

    Parameters
    ----------
    arguments
        Of the command line.

    Returns
    -------
    list of str

    Raises
    ------
    ArgumentError
        If such an option has no value at all.
    """
    spread: list[str] = []
    option, left = "", 0
    for argument in arguments:
        if argument in _SEVERAL or argument.startswith("-"):
            _require_value(option, left)
            option, left = (argument, _SEVERAL[argument]) if argument in _SEVERAL else ("", 0)
            if left:
                continue
        if left:
            spread.append(option)
            left -= 1
        spread.append(argument)
    _require_value(option, left)
    return spread


def _require_value(option: str, left: int) -> None:
    if option and left == _SEVERAL[option]:
        raise ArgumentError(f"{option} is given without a file: give it two or three.")
