"""A count in which some facet has one side only is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import polyspline as ps
from polyspline.errors import InvariantError
from polyspline.split.parts import Part, Tally
from polyspline.split.problem import make_problem
from polyspline.split.runner import Runner
from tests.agreement.support import problem
from tests.agreement.test_max_groups import maxout_weights, spelled
from tests.agreement.zoo import dying, lattice, zero_biases
from tests.oracle.cases import integer_weights, random_weights

CUBE = ps.Box(-1.0, 1.0, dim=2)
CASES: dict[str, tuple[Any, str | list[str]]] = {
    "generic": (random_weights([2, 6, 5, 1], 0), "relu"),
    "lattice": (lattice(2), "relu"),
    "zero-biases": (zero_biases([2, 6, 4, 1], 0), "relu"),
    "dying": (dying([2, 8, 6, 4, 1], 0), "relu"),
    "integers": (integer_weights([2, 6, 4, 1], 0), "relu"),
    "max groups": (maxout_weights([2, 3, 2, 1], [3, 2, 1], 0, integers=True), spelled([3, 2, 1])),
}


@pytest.mark.parametrize("name", CASES)
def test_fingerprints_of_all_facets_cancel_and_those_of_fewer_do_not(name: str) -> None:
    weights, activation = CASES[name]
    net = problem(weights, activation).net
    runner = Runner(make_problem(net, CUBE))
    parts = [part.tally for part in runner.regions(make_problem(net, CUBE).root, keep=False, at_once=1)]
    regions = [tally for tally in parts if tally.regions]
    assert sum(parts, Tally()).pairs == 0
    for left_out in regions:
        rest = sum((tally for tally in parts if tally is not left_out), Tally())
        assert rest.pairs != 0 or left_out.inner == 0


def test_a_lost_region_makes_a_count_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    net = ps.zoo.random_network([2, 6, 5, 1], seed=0)

    def losing(*arguments: Any, **options: Any) -> Iterator[Part]:
        problem = arguments[2]
        runner = Runner(problem)
        for number, part in enumerate(runner.regions(problem.root, keep=False, at_once=1)):
            if number != 3:
                yield part

    assert ps.count(net, CUBE).complete
    monkeypatch.setattr("polyspline.split.counting.parts_in_order", losing)
    with pytest.raises(InvariantError, match="do not pair"):
        ps.count(net, CUBE)
