"""Sums of products, differences and the like of torch, and what is moved by it together with numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from polyspline.errors import PolysplineError
from polyspline.network import Network
from polyspline.network.contractions import einsum
from polyspline.network.graph import Graph
from polyspline.network.tensors import Tensor
from tests.network.models import Lambda, assert_agrees, seeded

RNG = np.random.default_rng(0)


def drawn(*shape: int) -> torch.Tensor:
    return torch.tensor(RNG.normal(size=shape))


class Held(nn.Module):
    """A function of the input and of a constant that the module holds."""

    constant: torch.Tensor

    def __init__(self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], *shape: int) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("constant", drawn(*shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, self.constant)


LINEAR: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "einsum": (Held(lambda x, c: torch.einsum("bij,jk,k->bki", x, c, c[0]), 3, 2), (2, 3)),
    "einsum of a diagonal": (Held(lambda x, c: torch.einsum("ii,b...ii->b...", c, x), 2, 2), (2, 2, 2)),
    "einsum without an arrow": (Held(lambda x, c: torch.einsum("az,bz", x, c), 2, 3), (3,)),
    "einsum by one": (Held(lambda x, c: torch.einsum("bi,bj->bij", c, x), 1, 3), (2,)),
    "cumsum": (Held(lambda x, c: (x + c).cumsum(-2).cumsum(1), 2, 3), (2, 3)),
    "diff": (Held(lambda x, c: x.diff(n=2, dim=1, prepend=c), 1, 1, 3), (3, 3)),
    "lerp": (Held(lambda x, c: torch.lerp(x, c, 0.25) + torch.lerp(c, x, c), 1, 3), (3,)),
    "addcmul": (Held(lambda x, c: torch.addcmul(c, x, c, value=2) - torch.addcdiv(x, c, 2 + c * c), 3), (3,)),
    "tensordot": (Held(lambda x, c: torch.tensordot(x, c, dims=1) + torch.inner(x, c.T), 3, 3), (2, 3)),
    "cross and trapezoid": (
        Held(lambda x, c: torch.trapezoid(torch.linalg.cross(x, c), dim=1)[:, None], 1, 3),
        (3,),
    ),
    "kron and triangles": (
        Held(lambda x, c: torch.kron(x, c).tril() + torch.kron(c, x).triu(), 1, 2),
        (2, 4),
    ),
    "fold and unfold": (nn.Sequential(nn.Unfold(2), nn.Fold((3, 4), 2)), (2, 3, 4)),
    "blocks": (Lambda(lambda x: torch.diag_embed(x).adjoint().rot90(1, (1, 2))), (3,)),
    "numbers among what is moved": (
        Lambda(
            lambda x: torch.cat(
                [
                    torch.where(torch.tensor([True, False, True]), x, 2.0),
                    torch.where(torch.tensor([True, False, True]), -1.5, x),
                    x.index_fill(1, torch.tensor([1]), 3.5),
                    x.masked_fill(torch.tensor([True, False, False]), 0.0),
                    functional.pad(x, (1, 0), value=-0.5),
                    x.index_copy(1, torch.tensor([2]), x[:, :1]),
                    torch.take_along_dim(x, torch.tensor([[2, 0]]), 1),
                    torch.nan_to_num(x),
                ],
                1,
            )
        ),
        (3,),
    ),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_maps(name: str) -> None:
    module, shape = LINEAR[name]
    net = assert_agrees(module.double(), shape)
    assert net.n_units == 0


def test_a_bilinear_layer_with_one_constant_is_affine() -> None:
    def computed(x: torch.Tensor, bilinear: nn.Bilinear) -> torch.Tensor:
        other = torch.tensor([[0.5, -2.0, 1.0]], dtype=torch.float64).expand(len(x), -1)
        found: torch.Tensor = bilinear(x, other) + bilinear(x.relu(), other)
        return found

    assert_agrees(seeded(Lambda(computed, nn.Bilinear(2, 3, 2))), (2,))


def test_norms_that_are_piecewise_affine() -> None:
    module = Lambda(lambda x: x.norm(p=1, dim=2) - torch.linalg.vector_norm(x, float("inf"), dim=2))
    assert_agrees(module, (2, 3))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij->ji", [(2, 3)]), ("ij,jk", [(2, 3), (3, 2)]), ("...i,i->...", [(4, 2, 3), (3,)]),
        ("i...,...->i...", [(2, 3), (3,)]), ("ii->i", [(3, 3)]), ("ij,ij->", [(2, 3), (2, 3)]),
        ("aij,bij->...", [(1, 2, 2), (2, 2, 2)]),
    ],
)  # fmt: skip
def test_einsum_is_that_of_numpy(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [RNG.normal(size=shape) for shape in shapes]
    graph = Graph()
    x = Tensor(graph, graph.inputs(arrays[0].size).reshape(shapes[0]))
    found = einsum(equation, [x, *arrays[1:]])
    node = graph.nodes[-1]
    assert found.shape == np.einsum(equation, *arrays).shape
    values = node.matrix @ arrays[0].ravel()[node.sources] + node.bias  # type: ignore[union-attr]
    np.testing.assert_allclose(values.reshape(found.shape), np.einsum(equation, *arrays), atol=1e-12)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: torch.einsum("bi,bj->bij", x, x), "multiplies two things"),
        (lambda x: torch.lerp(x, 2 * x, x), "interpolates by something that depends on the input"),
        (lambda x: x.norm(dim=1, keepdim=True), "divides by a norm"),
        (lambda x: x.scatter_reduce(1, torch.tensor([[0, 0]]), x[:, :2], "sum"), "scatter_reduce"),
        (lambda x: x.index_put((torch.tensor([0]),), x[0], accumulate=True), "adds to entries"),
    ],
)
def test_what_is_not_piecewise_affine_is_refused(
    function: Callable[[torch.Tensor], torch.Tensor], reason: str
) -> None:
    with pytest.raises(PolysplineError, match=reason):
        Network.from_torch(Lambda(function), input_shape=(3,))
