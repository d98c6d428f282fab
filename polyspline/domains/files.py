"""Domains from arrays and from files, and whether one fits a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from polyspline.domains.base import Domain
from polyspline.domains.box import Box
from polyspline.domains.polytope import Polytope
from polyspline.domains.whole_space import WholeSpace
from polyspline.errors import ArgumentError, DomainError
from polyspline.network.network import Network, check_network
from polyspline.network.npz import read_arrays
from solvers.float_mode import gradual_underflow


@gradual_underflow()
def domain_from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Domain:
    """Domain from what `Domain.to_arrays` gave.

    Parameters
    ----------
    arrays : mapping of str to ndarray

    Returns
    -------
    Domain

    Raises
    ------
    DomainError
        If the arrays do not describe a domain.
    """
    kind = str(arrays["kind"]) if "kind" in arrays else "no kind at all"
    try:
        if kind == Box.kind:
            return Box(arrays["lo"], arrays["hi"])
        if kind == Polytope.kind:
            return Polytope(arrays["G"], arrays["h"])
        if kind == WholeSpace.kind:
            return WholeSpace(int(arrays["dim"]))
    except KeyError as missing:
        raise DomainError(f"domain of kind {kind!r}: its array {missing} is missing.") from missing
    raise DomainError(f"domain: expected kind box, polytope or whole_space, got {kind}.")


@gradual_underflow()
def load_domain(path: str | os.PathLike[str]) -> Domain:
    """Box or polytope from an ``.npz`` file.

    Parameters
    ----------
    path : path
        A file with ``lo`` and ``hi``, each (S,), or with ``G`` (m, S) and ``h`` (m,).

    Returns
    -------
    Box or Polytope

    Raises
    ------
    DomainError
        If the file cannot be read, or what it holds is no bounded, full-dimensional domain.
    """
    name = f"domain file {os.fspath(path)!r}"
    arrays = read_arrays(path, error=DomainError, what="domain")
    found = {key for key in ("lo", "hi", "G", "h") if key in arrays}
    if found not in ({"lo", "hi"}, {"G", "h"}):
        raise DomainError(
            f"{name} holds {', '.join(sorted(arrays)) or 'nothing'}; expected either lo and hi, each (S,), "
            "or G (m, S) and h (m,)."
        )
    for key in sorted(found):
        if arrays[key].dtype.kind not in "iuf":
            raise DomainError(f"{name}: {key} must be an array of real numbers, got {arrays[key].dtype}.")
        if key in ("lo", "hi") and arrays[key].ndim != 1:
            raise DomainError(f"{name}: {key} must have shape (S,), got {arrays[key].shape}.")
    try:
        return Box(arrays["lo"], arrays["hi"]) if "lo" in found else Polytope(arrays["G"], arrays["h"])
    except DomainError as wrong:
        raise DomainError(f"{name}: {wrong}") from wrong


def check_domain(domain: object) -> None:
    """Refuse what is no domain, with how to make one of it.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    if isinstance(domain, Domain):
        return
    came = f"a {type(domain).__name__}"
    how = "give a Box, a Polytope or WholeSpace"
    if isinstance(domain, str | os.PathLike):
        came = f"the path {os.fspath(domain)!r}"
        how = "read the file first, with load_domain"
    elif isinstance(domain, list | tuple) and len(domain) == 2:
        came = f"the {type(domain).__name__} {domain!r}"
        how = "for the box of these bounds give Box(lo, hi), or Box(lo, hi, dim=S) if they are numbers"
    elif isinstance(domain, Network):
        how = "give the network first, then a Box, a Polytope or WholeSpace"
    raise ArgumentError(f"expected a domain, got {came}: {how}.")


def check_dimension(domain: Domain, net: Network) -> None:
    """Check that a domain lies in the latent space of a network, and that they are such.

    Parameters
    ----------
    domain : Domain
    net : Network

    Raises
    ------
    ArgumentError
        If one is no domain, or the other no network.
    DomainError
        If the dimensions differ.
    """
    check_domain(domain)
    check_network(net)
    if domain.dim != net.latent_dim:
        raise DomainError(
            f"the domain ({domain.kind}) has dimension {domain.dim}, but the network has latent dimension "
            f"{net.latent_dim}; give a domain of dimension {net.latent_dim}."
        )
