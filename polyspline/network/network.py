"""The network: a frozen chain of layers, each an affine map followed by scalar units."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from polyspline.cpa.affine import affine_map, forward
from polyspline.cpa.knots import Knots, knots_of
from polyspline.cpa.layers import ActivationLike, Layer, make_layer
from polyspline.cpa.matrices import FloatArray, IntArray, MatrixLike, as_float_array
from polyspline.cpa.pointwise import code_of
from polyspline.cpa.units import MaxGroup, ScalarUnit, Unit
from polyspline.errors import ArgumentError, ShapeError
from polyspline.network import constructors, dropout, npz
from polyspline.network.slices import sliced_first_layer
from solvers.float_mode import gradual_underflow

CodeArray: TypeAlias = npt.NDArray[np.int8] | npt.NDArray[np.int16]


def _unit_bytes(unit: Unit) -> bytes:
    """Bytes of a unit's table for the fingerprint, however it is spelled."""
    if isinstance(unit, MaxGroup):
        return b"max" + np.array([unit.n_rows], dtype="<i8").tobytes()
    numbers = np.array([*unit.knots, *unit.slopes, *unit.offsets], dtype="<f8")
    return np.array([unit.n_pieces], dtype="<i8").tobytes() + numbers.tobytes()


def check_network(net: object) -> None:
    """Refuse what is no network, with how to make one of it.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    if isinstance(net, Network):
        return
    came = f"a {type(net).__name__}"
    if isinstance(net, str | os.PathLike):
        came = f"the path {os.fspath(net)!r}"
        how = "read the file first, with load_network"
    elif isinstance(getattr(net, "net", None), Network):
        how = "take its network, .net"
    else:
        how = "make one with Network.from_layers, Network.from_torch or load_network"
    raise ArgumentError(f"expected a Network, got {came}: {how}.")


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A piecewise-affine network G from R^S to R^D, in float64.

    Make one with `from_layers`, `from_torch`, `from_onnx`, `from_sklearn`, or
    `polyspline.load_network`. Two networks are equal if they have the same weights, biases and units.

    Parameters
    ----------
    layers : tuple of Layer
        First to last; each takes as many inputs as the one before has neurons.

    Raises
    ------
    ShapeError
        If there is no layer, or if the shapes do not chain.

    Examples
    --------
    >>> net = Network.from_layers([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> net([-3.0])
    array([3.])
    >>> net.code([-3.0])
    array([0, 1], dtype=int8)
    """

    layers: tuple[Layer, ...]

    @gradual_underflow()
    def __post_init__(self) -> None:
        """Check that the layers chain."""
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ShapeError("a network needs at least one layer, got none.")
        for number in range(1, len(self.layers)):
            given, needed = self.layers[number - 1].n_out, self.layers[number].n_in
            if given != needed:
                raise ShapeError(
                    f"layer {number - 1} has {given} outputs but layer {number} takes {needed} inputs: "
                    f"weight {number} must have shape (out, {given}), got {self.layers[number].matrix.shape}."
                )

    # ---- making one

    @classmethod
    @gradual_underflow()
    def from_layers(
        cls,
        weights: Sequence[MatrixLike],
        biases: Sequence[npt.ArrayLike | None],
        activation: ActivationLike | Sequence[ActivationLike] = "relu",
    ) -> Network:
        """Network from its weights and biases.

        Parameters
        ----------
        weights : sequence of array_like or scipy.sparse matrices, each (rows, in)
            First layer to last, as torch has them; sparse ones stay sparse.
        biases : sequence of array_like, each (rows,)
            One for each weight; None is zeros.
        activation : str, ScalarUnit, or sequence
            One: the hidden layers have it, and the output is affine. A list: one for each layer,
            the last included; an entry is a spelling such as ``"relu"``, ``"leaky_relu:0.1"``,
            ``"identity"``, ``"max:2"`` (the maximum of every two rows), one unit (`ScalarUnit`,
            `MaxGroup`), or a list of a spelling or a unit for each output.

        Returns
        -------
        Network

        Raises
        ------
        ShapeError
            If the numbers of weights, biases and activations differ, or shapes do not chain.
        NonFiniteError
            If a number is NaN or infinite.
        UnknownActivationError
            If an activation is not supported; the message lists those that are.
        """
        if len(biases) != len(weights):
            raise ShapeError(
                f"got {len(weights)} weights and {len(biases)} biases; expected one bias per weight."
            )
        entries: list[ActivationLike]
        if isinstance(activation, str | ScalarUnit | MaxGroup):
            entries = [*([activation] * (len(weights) - 1)), "identity"]
        else:
            entries = list(activation)
            if len(entries) != len(weights):
                raise ShapeError(
                    f"got {len(entries)} activations for {len(weights)} layers; expected one per layer, the "
                    "last included (a single string or unit stands for all hidden layers)."
                )
        return cls(
            tuple(
                make_layer(weight, bias, entry, name=f"layer {number}")
                for number, (weight, bias, entry) in enumerate(zip(weights, biases, entries, strict=False))
            )
        )

    from_torch = classmethod(constructors.from_torch)
    from_onnx = classmethod(constructors.from_onnx)
    from_sklearn = classmethod(constructors.from_sklearn)

    # ---- shapes

    @property
    def latent_dim(self) -> int:
        """Latent dimension S: the number of inputs."""
        return self.layers[0].n_in

    @property
    def ambient_dim(self) -> int:
        """Ambient dimension D: the number of outputs."""
        return self.layers[-1].n_out

    @property
    def n_units(self) -> int:
        """Number of units N: neurons with two pieces or more."""
        return len(self.unit_index)

    @cached_property
    def unit_index(self) -> IntArray:
        """Layer and neuron of every unit, (N, 2), in the order of the code."""
        counts = [len(layer.unit_neurons) for layer in self.layers]
        depths = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        index = np.stack([depths, np.concatenate([layer.unit_neurons for layer in self.layers])], axis=1)
        index.setflags(write=False)
        return index

    @cached_property
    def n_pieces(self) -> IntArray:
        """Number of pieces of every unit, (N,)."""
        counts = np.concatenate([layer.n_pieces[layer.unit_neurons] for layer in self.layers])
        counts.setflags(write=False)
        return counts

    @cached_property
    def knots(self) -> Knots:
        """Where the pieces of the units meet, in the numbering of facet sources."""
        return knots_of(self.layers)

    @cached_property
    def code_dtype(self) -> np.dtype[np.int8] | np.dtype[np.int16]:
        """Type of code entries: int8, or int16 where a unit has more than 128 pieces."""
        return np.dtype(np.int16) if (self.n_pieces > 128).any() else np.dtype(np.int8)

    # ---- values

    def _points(self, z: npt.ArrayLike) -> tuple[FloatArray, bool]:
        """Points as a batch, and whether a single one came."""
        single = np.ndim(z) == 1
        points = as_float_array(z, "z", 1 if single else 2)
        if points.shape[-1] != self.latent_dim:
            raise ShapeError(
                f"z: expected shape ({self.latent_dim},) or (B, {self.latent_dim}), got {points.shape}."
            )
        return points.reshape(-1, self.latent_dim), single

    @gradual_underflow()
    def __call__(self, z: npt.ArrayLike) -> FloatArray:
        """Value of the network, G(z).

        Parameters
        ----------
        z : array_like, shape (S,) or (B, S)

        Returns
        -------
        ndarray of float64, shape (D,) or (B, D)
            Rounded: an ordinary forward pass in float64.

        Raises
        ------
        ShapeError, NonFiniteError
            If z has another shape, or is not finite.
        """
        points, single = self._points(z)
        values = forward(self.layers, points)
        return values[0] if single else values

    @gradual_underflow()
    def code(self, z: npt.ArrayLike) -> CodeArray:
        """Activation code of a point: the piece of every unit, layers first to last.

        On a knot the lower piece is taken, unit by unit, so the code of such a point need not
        be that of a region.

        Parameters
        ----------
        z : array_like, shape (S,) or (B, S)

        Returns
        -------
        ndarray of int8 (or int16, see `code_dtype`), shape (N,) or (B, N)

        Raises
        ------
        ShapeError, NonFiniteError
            If z has another shape, or is not finite.

        Notes
        -----
        Guarantee: exact (float64 where its error bound decides, else exact arithmetic).
        """
        points, single = self._points(z)
        codes = code_of(self.layers, points).astype(self.code_dtype)
        return cast(CodeArray, codes[0] if single else codes)

    @gradual_underflow()
    def affine(self, code: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Slope and offset of the network on the region of a code: ``G(z) = A @ z + b``.

        Parameters
        ----------
        code : array_like of int, shape (N,)

        Returns
        -------
        A : ndarray of float64, shape (D, S)
        b : ndarray of float64, shape (D,)
            Rounded.

        Raises
        ------
        ShapeError, ArgumentError
            If the code does not fit the network.

        References
        ----------
        Max-affine spline insights, eq. (3)-(4).
        """
        return affine_map(self.layers, code)

    @gradual_underflow()
    def restrict(self, origin: npt.ArrayLike, directions: npt.ArrayLike) -> Network:
        """Restrict the network to an affine slice of its latent space, ``t -> G(origin + directions @ t)``.

        Parameters
        ----------
        origin : array_like, shape (S,)
        directions : array_like, shape (S, k), or (S,) for a line
            One column for each coordinate of the slice.

        Returns
        -------
        Network
            With latent dimension k.

        Raises
        ------
        ShapeError, NonFiniteError
            If a shape does not fit, or a number is not finite.

        Notes
        -----
        Guarantee: each number of the new first layer is the exact one, rounded once.
        """
        return Network((sliced_first_layer(self.layers[0], origin, directions), *self.layers[1:]))

    with_dropout = dropout.with_dropout
    with_dropconnect = dropout.with_dropconnect

    # ---- identity and files

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) over all weights, biases and unit tables, however they are spelled."""
        digest = hashlib.sha256(b"polyspline network 1\n")
        for layer in self.layers:
            digest.update(np.array(layer.matrix.shape, dtype="<i8").tobytes())
            if isinstance(layer.matrix, np.ndarray):
                digest.update(layer.matrix.astype("<f8").tobytes())
            else:
                digest.update(b"sparse" + layer.matrix.indptr.astype("<i8").tobytes())
                digest.update(layer.matrix.indices.astype("<i8").tobytes())
                digest.update(layer.matrix.data.astype("<f8").tobytes())
            digest.update(layer.bias.astype("<f8").tobytes())
            tables = {unit: _unit_bytes(unit) for unit, _ in layer.kinds}
            for unit in layer.units:
                digest.update(tables[unit])
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        """Whether weights, biases and units are the same."""
        return self.fingerprint == other.fingerprint if isinstance(other, Network) else NotImplemented

    def __hash__(self) -> int:
        """Hash of the fingerprint."""
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        """Widths and activations, for people."""
        sizes = [self.latent_dim, *(layer.n_out for layer in self.layers)]
        widths = " -> ".join(str(size) for size in sizes)
        spellings = [layer.activation for layer in self.layers]
        short = ", ".join(text if len(text) <= 24 else text[:21] + "..." for text in spellings)
        return f"Network({widths}; {short}; {self.n_units} units)"

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the content of a network file: ``weight_0``, ``bias_0`` … and ``activation``.

        Returns
        -------
        dict of str to ndarray
        """
        arrays: dict[str, npt.NDArray[Any]] = {}
        for number, layer in enumerate(self.layers):
            arrays |= npz.matrix_arrays(number, layer.matrix)
            arrays[f"bias_{number}"] = layer.bias
        arrays["activation"] = np.array([layer.activation for layer in self.layers], dtype=np.str_)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], *, source: str = "network") -> Network:
        """Network from the content of a network file (see `to_arrays`).

        Parameters
        ----------
        arrays : mapping of str to ndarray
            Keys other than those of a network file are ignored.
        source : str
            Where they come from, for messages.

        Returns
        -------
        Network

        Raises
        ------
        NetworkFileError
            If a key is missing, or an array is not of the kind that is expected.
        ShapeError, NonFiniteError, UnknownActivationError
            As `from_layers`.
        """
        weights, biases, activation = npz.network_parts(arrays, source)
        return cls.from_layers(weights, biases, activation)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
        """Write the network to an ``.npz`` file, which appears at once and whole.

        Parameters
        ----------
        path : path
            With suffix ``.npz``.
        overwrite : bool
            Whether a file that is there is replaced; else it is refused.

        Raises
        ------
        ArgumentError
            If the suffix is not ``.npz``.
        OutputError
            If the file cannot be written.
        """
        if os.path.splitext(os.fspath(path))[1].lower() != ".npz":
            raise ArgumentError(
                f"networks are saved as .npz, got {os.fspath(path)!r}: choose a name that ends in .npz."
            )
        npz.write_arrays(path, self.to_arrays(), overwrite=overwrite)
