"""The programs that solve mixed-integer programs: their names, and which of them are here.

Every solver that PuLP knows can be named, by PuLP's name or by a short one, in any case.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any

import pulp

from solvers.errors import SolverError, SolverInputError

DEFAULT = "cbc"

_SHORT: dict[str, tuple[tuple[str, ...], str]] = {
    "cbc": (("COIN_CMD", "PULP_CBC_CMD"), "pip install 'pulp[cbc]'"),
    "highs": (("HiGHS", "HiGHS_CMD"), "pip install highspy"),
    "scip": (("SCIP_PY", "SCIP_CMD", "FSCIP_CMD"), "pip install pyscipopt"),
    "gurobi": (("GUROBI", "GUROBI_CMD"), "pip install gurobipy, and a licence"),
    "cplex": (("CPLEX_PY", "CPLEX_CMD"), "pip install cplex, and a licence"),
    "xpress": (("XPRESS_PY", "XPRESS"), "pip install xpress, and a licence"),
    "mosek": (("MOSEK",), "pip install Mosek, and a licence"),
    "copt": (("COPT", "COPT_DLL", "COPT_CMD"), "pip install coptpy, and a licence"),
    "glpk": (("GLPK_CMD", "PYGLPK"), "install glpk, so that glpsol is on the PATH"),
    "cuopt": (("CUOPT",), "install NVIDIA cuOpt"),
}
"""Short names: PuLP's names in order of preference, and how to install one of them."""


class SolverMissingError(SolverError, ImportError):
    """A solver is named that is known but not installed."""


@dataclass(frozen=True)
class Backend:
    """A solver that is installed.

    Attributes
    ----------
    key
        Short name where it has one, e.g. ``"cbc"``; else PuLP's in lower case.
    pulp_name
        PuLP's name, e.g. ``"COIN_CMD"``.
    """

    key: str
    pulp_name: str


def cbc_path() -> str | None:
    """Path of the CBC that ``pulp[cbc]`` installs; None if it is not installed."""
    if importlib.util.find_spec("cbcbox") is None:
        return None
    import cbcbox

    return str(cbcbox.cbc_bin_path())


def solver_class(pulp_name: str) -> type[Any]:
    """PuLP's class of a solver, by PuLP's name."""
    return type(_silent_instance(pulp_name))


def _silent_instance(pulp_name: str) -> Any:
    options: dict[str, object] = {"path": cbc_path()} if pulp_name == "COIN_CMD" else {}
    with warnings.catch_warnings():
        # Solvers that are on their way out, or installed without a licence, say so in a warning.
        warnings.simplefilter("ignore")
        return pulp.getSolver(pulp_name, msg=False, **options)


def _is_available(pulp_name: str) -> bool:
    """Whether PuLP can run a solver here; solvers without a licence count as not available."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(_silent_instance(pulp_name).available())


def _key_of(pulp_name: str) -> str:
    """Short name of one of PuLP's."""
    for key, (names, _) in _SHORT.items():
        if pulp_name in names:
            return key
    return pulp_name.lower()


def available_backends() -> tuple[Backend, ...]:
    """Every solver that can run here, the default first if it is one of them."""
    names = [name for name in dict.fromkeys(pulp.listSolvers()) if _is_available(name)]
    found = [Backend(_key_of(name), name) for name in names]
    return tuple(sorted(found, key=lambda backend: (backend.key != DEFAULT, backend.key)))


def _here() -> str:
    keys = list(dict.fromkeys(backend.key for backend in available_backends()))
    return f"available here: {', '.join(keys)}" if keys else "no solver is available here"


def find_backend(name: str | None = None) -> Backend:
    """Find a solver by name.

    Parameters
    ----------
    name : str, optional
        Short name (``"cbc"``, ``"highs"``, ``"scip"``, ``"gurobi"`` ...) or PuLP's
        (``"COIN_CMD"`` ...), in any case; None for the default, CBC.

    Raises
    ------
    SolverInputError
        If there is no such solver; the message names those that are available.
    SolverMissingError
        If it is not installed; the message says what to install.
    """
    asked = DEFAULT if name is None else name.strip().lower()
    if asked in _SHORT:
        candidates, remedy = _SHORT[asked]
    else:
        spelled = {known.lower(): known for known in pulp.listSolvers()}
        if asked not in spelled:
            raise SolverInputError(
                f"solver {name!r} is not known; choose one by its name in PuLP or one of {', '.join(_SHORT)} "
                f"({_here()})."
            )
        candidates = (spelled[asked],)
        remedy = _SHORT.get(_key_of(spelled[asked]), ((), "install it, and see PuLP's guide on solvers"))[1]
    for candidate in candidates:
        if _is_available(candidate):
            return Backend(_key_of(candidate), candidate)
    raise SolverMissingError(f"solver {asked!r} is not installed: {remedy}; {_here()}.")
