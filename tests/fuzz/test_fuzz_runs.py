"""A short run of every family passes, cases are made again from their names, and planted faults are seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from tests.fuzz import __main__ as command
from tests.fuzz.cases import BallAround, InversionCase, Layers, PartitionCase, Place, cube_place
from tests.fuzz.descent import descend
from tests.fuzz.families import FAMILIES, Name, judge, make_case
from tests.fuzz.printer import as_python
from tests.fuzz.runner import Worker, judge_here, names, run_cases, shown, table
from tests.fuzz.verdict import Failure, Verdict

SEED = 2026
CASES = {"invert-noisy": 3, "invert-small": 2, "invert-max-groups": 2}
"""Cases of a family in the short run, where they are not `USUAL`."""
USUAL = 6

SIMPLE = Layers(
    [np.array([[1.0, 0.5], [-0.25, 1.0], [0.5, -1.5]]), np.array([[1.0, -1.0, 0.5]])],
    [np.array([0.25, -0.125, 0.5]), np.array([-0.25])],
    ["relu", "abs"],
)


def partition_case(**options: Any) -> PartitionCase:
    return PartitionCase(SIMPLE, options.pop("place", cube_place(2)), [0.25, 0.5], **options)


def inversion_case(norm: str) -> InversionCase:
    runs = [("search", 1e-6), ("gradient", 1e-6)]
    return InversionCase(SIMPLE, [-1.0, -1.0], [1.0, 1.0], [-3.0], norm, runs, [[0.0, 0.0]])


# ---- the run in the checks


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process, so that a case that hangs is a failure."""
    process = Worker()
    yield process
    process.close()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_short_run_finds_nothing(family: str, worker: Worker) -> None:
    chosen = (Name(family, SEED, index) for index in range(CASES.get(family, USUAL)))
    run = run_cases(chosen, worker)
    assert run.passed, "\n".join(shown(name, failures) for name, failures in run.failing[:2])


# ---- cases


@pytest.mark.parametrize("family", FAMILIES)
def test_a_name_makes_the_same_case_again(family: str) -> None:
    first, again, other = (as_python(make_case(Name(family, 1, index))) for index in (3, 3, 4))
    assert first == again != other
    assert as_python(make_case(Name(family, 2, 3))) != first


@pytest.mark.parametrize("family", FAMILIES)
def test_a_printed_case_builds_the_same_network_and_domain(family: str) -> None:
    case = make_case(Name(family, SEED, 0))
    lines = as_python(case).splitlines()
    # Up to the domain: what follows is what the case runs; flushing would stay switched on.
    last = next(at for at, line in enumerate(lines) if line.startswith("domain"))
    built: dict[str, Any] = {}
    exec("\n".join(line for line in lines[: last + 1] if "flush" not in line), built)
    assert built["net"] == case.layers.network()
    if isinstance(case, InversionCase):
        assert built["domain"] == ps.Box(case.low, case.high)
    else:
        assert built["domain"] == case.place.where().domain


def test_families_take_turns() -> None:
    taken = names(["a", "b"], 5)
    assert [next(taken) for _ in range(4)] == [
        Name("a", 5, 0),
        Name("b", 5, 0),
        Name("a", 5, 1),
        Name("b", 5, 1),
    ]


# ---- planted faults


class Altered:
    """An answer of which some attributes are others."""

    def __init__(self, answer: Any, **attributes: Any) -> None:
        self.__dict__.update(attributes)
        self._answer = answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> Any:
        return self._answer[index]


def without_last_region(part: Any) -> Altered:
    last = len(part) - 1
    kept = (part.edges != last).all(axis=1)
    return Altered(
        part,
        codes=part.codes[:last],
        witnesses=part.witnesses[:last],
        witness_exact=part.witness_exact[:last],
        edges=part.edges[kept],
        edge_sources=part.edge_sources[kept],
    )


def with_last_unit_flipped(part: Any) -> Altered:
    codes = part.codes.copy()
    codes[0, -1] ^= 1
    return Altered(part, codes=codes)


def without_first_edge(part: Any) -> Altered:
    return Altered(part, edges=part.edges[1:], edge_sources=part.edge_sources[1:])


def with_witness_moved(part: Any) -> Altered:
    return Altered(part, witnesses=part.witnesses[::-1].copy())


def with_other_sources(part: Any) -> Altered:
    return Altered(part, edge_sources=part.edge_sources + 1)


ALTERATIONS: list[tuple[Callable[[Any], Altered], str]] = [
    (without_last_region, "codes"),
    (with_last_unit_flipped, "codes"),
    (without_first_edge, "edges"),
    (with_witness_moved, "witness"),
    (with_witness_moved, "code of witness"),
    (with_other_sources, "sources"),
    (lambda part: Altered(part, complete=False), "incomplete"),
]


def altering(
    monkeypatch: pytest.MonkeyPatch, alter: Callable[[Any], Any], chosen: Callable[[dict[str, Any]], bool]
) -> None:
    enumerate_regions = ps.enumerate_regions

    def altered(net: Any, domain: Any, **options: Any) -> Any:
        part = enumerate_regions(net, domain, **options)
        return alter(part) if chosen(options) else part

    monkeypatch.setattr(ps, "enumerate_regions", altered)


@pytest.mark.parametrize("method", ["split", "walk"])
@pytest.mark.parametrize(("alter", "kind"), ALTERATIONS)
def test_a_wrong_partition_of_one_engine_is_seen(
    alter: Callable[[Any], Altered], kind: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kind not in judge(partition_case()).kinds
    altering(monkeypatch, alter, lambda options: options["method"] == method)
    assert kind in judge(partition_case()).kinds


def test_a_region_that_both_engines_drop_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    altering(monkeypatch, without_last_region, lambda options: True)
    assert "codes" in judge(partition_case()).kinds
    assert "codes" in judge(partition_case(place=Place("space", 2))).kinds


def test_arrays_that_depend_on_the_workers_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "workers" not in judge(partition_case()).kinds
    altering(monkeypatch, with_witness_moved, lambda options: options.get("workers") == 3)
    assert "workers" in judge(partition_case()).kinds


def test_an_answer_that_depends_on_the_start_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    altering(monkeypatch, with_other_sources, lambda options: "start" in options)
    assert "sources" in judge(partition_case()).kinds


def test_a_wrong_count_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    count = ps.count
    monkeypatch.setattr(
        ps,
        "count",
        lambda net, domain: Altered(
            count(net, domain), boundary_facets=count(net, domain).boundary_facets + 1
        ),
    )
    assert judge(partition_case()).kinds == ["count"]


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("place", [cube_place(2), Place("space", 2)])
def test_a_region_missing_from_a_ball_is_seen(
    norm: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = partition_case(place=place, ball=BallAround([0.25, 0.5], 0.75, norm))
    assert "ball" not in judge(case).kinds
    altering(monkeypatch, without_last_region, lambda options: "radius" in options)
    assert "ball" in judge(case).kinds


@pytest.mark.parametrize("error", [ZeroDivisionError, np.linalg.LinAlgError, IndexError, OverflowError])
def test_a_raw_error_is_seen_where_errors_of_the_package_are_answers(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(net: Any, domain: Any) -> None:
        raise error("planted")

    monkeypatch.setattr(ps, "count", raising)
    assert "raw error" in judge(partition_case(refusable=True)).kinds


def test_errors_of_the_package_and_warnings_are_told_apart() -> None:
    def refuse() -> None:
        raise ps.errors.ArgumentError("planted")

    def break_law() -> None:
        raise ps.errors.InvariantError("planted")

    def overflow() -> Any:
        return np.array([1e308]) * 10.0

    for refusable, kinds in ((True, ["invariant", "warning"]), (False, ["refusal", "invariant", "warning"])):
        verdict = Verdict(refusable)
        for call in (refuse, break_law, overflow):
            verdict.attempt("planted", call)
        assert verdict.kinds == kinds
        assert verdict.refused == int(refusable)


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_a_bound_above_a_distance_is_seen(norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judge(inversion_case(norm)).kinds == []
    invert = ps.invert

    def raised(*args: Any, **options: Any) -> Any:
        found: Any = invert(*args, **options)
        if options["method"] != "search":
            return found
        # By a part in a hundred thousand, which its own point does not show.
        worse = 1.0 + 1e-5
        return Altered(found, z=np.zeros(2), distance=found.distance, lower_bound=found.lower_bound * worse)

    monkeypatch.setattr(ps, "invert", raised)
    assert "bound" in judge(inversion_case(norm)).kinds


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"status": ps.InversionStatus.FEASIBLE}, "words"),
        ({"gap": 1e-3}, "words"),
        ({"z": np.array([2.0, 0.0])}, "point"),
        ({"distance": 1e3}, "distance"),
        ({"lower_bound": float("nan")}, "bound"),
        ({"z": None}, "words"),
    ],
)
def test_false_words_of_an_inversion_are_seen(
    attributes: dict[str, Any], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    invert = ps.invert
    monkeypatch.setattr(
        ps,
        "invert",
        lambda *args, **options: (
            Altered(invert(*args, **options), **attributes)
            if options["method"] == "search"
            else invert(*args, **options)
        ),
    )
    assert kind in judge(inversion_case("l2")).kinds


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_the_descent_ends_at_the_nearest_point_of_a_convex_problem(norm: str) -> None:
    layers = Layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)], ["relu", "identity"])
    case = InversionCase(layers, [-1.0, -1.0], [1.0, 1.0], [0.5, 2.0], norm, [], [])
    found = descend(case, [0.125, 0.125])
    assert found is not None
    assert found[1] == pytest.approx(1.0)
    assert abs(found[0] - 0.5) <= (1.0 if norm == "linf" else 1e-6)


# ---- the run


def test_a_process_judges_a_case_as_this_one_does(worker: Worker) -> None:
    for index in range(2):
        name = Name("integers", SEED, index)
        assert worker(name).kinds == judge_here(name).kinds


def test_a_process_that_does_not_answer_is_ended() -> None:
    impatient = Worker(limit=1e-3)
    try:
        name = Name("deep-chains", SEED, 0)
        assert impatient(name).kinds == judge_here(name).kinds  # the first of a family may compile
        assert impatient(name).kinds == ["hangs"]
        assert impatient(name).kinds == ["hangs"]
    finally:
        impatient.close()


def test_the_table_and_the_exit_tell_of_failures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Planted:
        def __call__(self, name: Name) -> Verdict:
            return Verdict(failures=[Failure("codes", "planted")] if name.family == "integers" else [])

        def close(self) -> None:
            return None

    monkeypatch.setattr(command, "Worker", Planted)
    assert command.main(["--family", "integers", "--seed", "3", "--index", "4"]) == 1
    told = capsys.readouterr().out
    assert "# integers 3 4\n# planted\nimport polyspline as ps\nnet = ps.Network.from_layers(" in told
    assert command.main(["--family", "maxout", "--seconds", "0.01"]) == 0
    assert command.main(["--family", "no such family"]) == 2
    assert command.main(["--list"]) == 0
    assert table(run_cases(iter([Name("maxout", 0, 0)]), lambda name: Verdict())).count("\n") == 1
