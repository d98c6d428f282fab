"""Numbers that float64 cannot hold are refused wherever they come in; those that it holds pass."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array, csr_array

import polyspline as ps
from polyspline.cpa.matrices import as_float_array, as_matrix, exact_floats
from polyspline.cpa.units import ScalarUnit
from polyspline.domains import Box, Polytope
from polyspline.errors import DomainError, InexactError, NonFiniteError, PolysplineError
from polyspline.network import Network, load_network

ODD = 2**53 + 1
LONG = np.longdouble(1) + np.longdouble(2) ** -60

ROUNDED: dict[str, Any] = {
    "int64": np.array([ODD, 1]),
    "negative int64": np.array([-ODD, 1]),
    "uint64": np.array([2**64 - 1, 1], dtype=np.uint64),
    "int64 beyond": np.array([2**62 + 2**8, 1]),
    "long double": np.array([LONG, 1.0], dtype=np.longdouble),
    "small long double": np.array([np.longdouble(2) ** -1080, 1.0], dtype=np.longdouble),
    "a list": [ODD, 1],
    "integers among floats": [0.5, ODD],
    "a list of long doubles": [LONG, 0.5],
}
HELD: dict[str, Any] = {
    "int64": np.array([2**53, -(2**62) - 2**10, -(2**63), 0]),
    "uint64": np.array([2**63, 2**64 - 2**11, 0], dtype=np.uint64),
    "int8": np.array([-128, 127], dtype=np.int8),
    "float16": np.array([0.1, 6e-8], dtype=np.float16),
    "float32": np.array([0.1, 1e-45], dtype=np.float32),
    "long double": np.array([0.1, 2.0**-1074, 1.7e308], dtype=np.longdouble),
    "a list": [2**53, 2**60, 0.1],
    "a list of lists": [[2**53, 0.5], [1, 2]],
}

needs_long_doubles = np.finfo(np.longdouble).nmant > 52


@pytest.mark.parametrize("case", list(ROUNDED))
def test_a_number_that_would_be_rounded_is_refused_in_one_sentence(case: str) -> None:
    if "long" in case and not needs_long_doubles:
        return
    with pytest.raises(InexactError, match=r"^the weight: .* is no float64 number, the nearest one is"):
        as_float_array(ROUNDED[case], "the weight", 1)
    with pytest.raises(InexactError):
        as_matrix([ROUNDED[case]], "the weight")


@pytest.mark.parametrize("case", list(HELD))
def test_a_number_that_float64_holds_is_kept_exactly(case: str) -> None:
    given: Any = np.asarray(HELD[case], dtype=object)
    found = exact_floats(HELD[case], "the weight")
    assert found.dtype == np.float64
    for place in np.ndindex(given.shape):
        number = given[place]
        assert Fraction(float(found[place])) == Fraction(number if isinstance(number, int) else float(number))


def test_fractions_pass_if_float64_holds_them() -> None:
    quarter: Any = Fraction(1, 4)
    third: Any = Fraction(1, 3)
    assert exact_floats([quarter], "x").tolist() == [0.25]
    with pytest.raises(InexactError, match="1/3 at index"):
        exact_floats([quarter, third], "x")


def test_a_long_double_beyond_the_largest_float_is_not_finite() -> None:
    with np.errstate(all="ignore"):
        huge = np.array([np.longdouble(2) ** 1023 * 2])
    with pytest.raises(NonFiniteError):
        as_float_array(huge, "the weight", 1)


@pytest.mark.parametrize("form", [csr_array, coo_array])
def test_sparse_entries_that_would_be_rounded_are_refused(form: Callable[[Any], Any]) -> None:
    with pytest.raises(InexactError):
        as_matrix(form(np.array([[ODD, 0]])), "the weight")
    kept: Any = as_matrix(form(np.array([[2**60, 0]])), "the weight")
    assert kept.toarray().tolist() == [[2.0**60, 0.0]]


def test_sparse_duplicates_are_added_exactly_or_refused() -> None:
    places = ([0, 0, 0], [0, 0, 1])
    kept: Any = as_matrix(coo_array(([0.5, 0.25, 3.0], places), shape=(1, 2)), "the weight")
    assert kept.toarray().tolist() == [[0.75, 3.0]]
    gone: Any = as_matrix(coo_array(([0.5, -0.5, 3.0], places), shape=(1, 2)), "the weight")
    assert gone.nnz == 1
    narrow: Any = as_matrix(
        coo_array((np.array([1.0, 2.0**-40, 0.0], dtype=np.float32), places), shape=(1, 2)), "the weight"
    )
    assert narrow.toarray().tolist() == [[1.0 + 2.0**-40, 0.0]]
    with pytest.raises(InexactError, match="row 0, column 0 add up"):
        as_matrix(coo_array(([1.0, 2.0**-60, 3.0], places), shape=(1, 2)), "the weight")


def test_networks_of_numbers_that_would_be_rounded_are_refused(tmp_path: Path) -> None:
    int_of_numpy: Any = np.int64(ODD)
    with pytest.raises(InexactError, match="weight of layer 0"):
        Network.from_layers([[[ODD]]], [[0]], ["relu"])
    with pytest.raises(InexactError, match="bias of layer 0"):
        Network.from_layers([[[1]]], [[ODD]], ["relu"])
    with pytest.raises(InexactError, match="knots"):
        ScalarUnit("bent", (ODD,), (0, 1), (0, -(2**53)))
    with pytest.raises(InexactError, match="slopes"):
        ScalarUnit("bent", (0.0,), (0, int_of_numpy), (0, 0))
    file = tmp_path / "net.npz"
    np.savez(file, weight_0=np.array([[ODD]]), bias_0=np.zeros(1), activation=np.array(["relu"]))
    with pytest.raises(PolysplineError, match="no float64 number"):
        load_network(file)
    sparse: dict[str, Any] = {
        "weight_0_data": np.array([ODD]),
        "weight_0_indices": np.array([0]),
        "weight_0_indptr": np.array([0, 1]),
        "weight_0_shape": np.array([1, 1]),
    }
    np.savez(file, bias_0=np.zeros(1), activation=np.array(["relu"]), **sparse)
    with pytest.raises(PolysplineError, match="no float64 number"):
        load_network(file)
    net = Network.from_layers([[[2**60]]], [[-(2**60)]], ["relu"])
    assert net.code([1.0]).tolist() == [0]
    with pytest.raises(InexactError):
        net([ODD])


def test_domains_of_numbers_that_would_be_rounded_are_refused(tmp_path: Path) -> None:
    third: Any = Fraction(1, 3)
    for make in (
        lambda: Box([0], [ODD]),
        lambda: Box(0, third, dim=2),
        lambda: Polytope([[1], [-ODD]], [1, 1]),
        lambda: Polytope([[1], [-1]], [1.5, ODD]),
    ):
        with pytest.raises(DomainError, match="no float64 number"):
            make()
    assert Box([0], [2**60]).hi.tolist() == [2.0**60]
    file = tmp_path / "domain.npz"
    np.savez(file, lo=np.array([0]), hi=np.array([ODD]))
    with pytest.raises(DomainError, match="no float64 number"):
        ps.load_domain(file)
    with pytest.raises(InexactError):
        Box([0], [1]).contains([ODD])


def test_models_of_numbers_that_would_be_rounded_are_refused() -> None:
    class Shifted(torch.nn.Module):
        """Adds an integer that float64 does not hold, or one that it does."""

        def __init__(self, shift: int) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(2, 2).double()
            self.register_buffer("shift", torch.tensor([shift, 0]))

        def forward(self, x: Any) -> Any:
            return torch.relu(self.linear(x) + self.shift)

    with pytest.raises(InexactError, match="no float64 number"):
        Network.from_torch(Shifted(ODD), (2,))
    assert Network.from_torch(Shifted(2**54), (2,)).n_units == 2


def test_codes_of_subnormal_points_behind_large_weights_are_exact() -> None:
    rng = np.random.default_rng(0)
    z = np.array([3.0, 5.0]) * 2.0**-1074
    for _ in range(300):
        first = float(np.ldexp(rng.integers(2**52, 2**53), 950))
        second = -float(Fraction(first) * 3 / 5)
        net = Network.from_layers([[[first, second]]], [[0.0]], ["relu"])
        true = Fraction(first) * 3 + Fraction(second) * 5
        assert net.code(z).tolist() == [int(true > 0)]
