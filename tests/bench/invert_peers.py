"""Other programs on the same inversions: each puts the network into its own mixed-integer model.

All of them know ReLU units. A leaky unit is given to them as leaky(v) =
(1 - slope) relu(v) + slope (relu(v + c) - c) with c so large that the second
unit is always on: it needs no binary variable, and intervals stay what they are.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.network import Network
from tests.bench.invert_cases import GAP, REACH, InversionCase

Floats = npt.NDArray[np.float64]

# What a peer says of one inversion: whether it says "optimal", its distance, its relative gap.
Answer = tuple[bool, float, float]


def relu_layers(network: Network, reach: float = REACH) -> list[tuple[Floats, Floats]]:
    """Weights and biases of a network of ReLU units that is equal on the box [-reach, reach]^S.

    Raises
    ------
    ValueError
        If a hidden layer is neither ReLU nor leaky ReLU.
    """
    layers: list[tuple[Floats, Floats]] = []
    lo, hi = np.full(network.latent_dim, -reach), np.full(network.latent_dim, reach)
    mix: Floats = np.eye(network.latent_dim)
    offset: Floats = np.zeros(network.latent_dim)
    for layer in network.layers:
        rising, falling = np.maximum(layer.weight, 0.0), np.minimum(layer.weight, 0.0)
        lo, hi = rising @ lo + falling @ hi + layer.bias, rising @ hi + falling @ lo + layer.bias
        weight, bias = layer.weight @ mix, layer.bias + layer.weight @ offset
        name, _, slope = layer.activation.partition(":")
        mix, offset = np.eye(len(bias)), np.zeros(len(bias))
        if name == "leaky_relu":
            shift, share = 1.0 + np.maximum(-lo, 0.0), float(slope)
            weight, bias = np.vstack([weight, weight]), np.concatenate([bias, bias + shift])
            mix, offset = np.hstack([(1.0 - share) * mix, share * mix]), -share * shift
            lo, hi = np.where(lo < 0.0, share * lo, lo), np.where(hi < 0.0, share * hi, hi)
        elif name == "relu":
            lo, hi = np.maximum(lo, 0.0), np.maximum(hi, 0.0)
        elif name != "identity":
            raise ValueError(f"no peer knows {layer.activation} units.")
        layers.append((weight, bias))
    return layers


def _regressor(layers: list[tuple[Floats, Floats]]) -> Any:
    """Wrap the network as one that scikit-learn might have trained."""
    neural = importlib.import_module("sklearn.neural_network")
    regressor = neural.MLPRegressor(hidden_layer_sizes=[len(bias) for _, bias in layers[:-1]])
    regressor.coefs_ = [weight.T for weight, _ in layers]
    regressor.intercepts_ = [bias for _, bias in layers]
    regressor.n_layers_ = len(layers) + 1
    regressor.n_features_in_ = layers[0][0].shape[1]
    regressor.n_outputs_ = len(layers[-1][1])
    regressor.out_activation_ = "identity"
    return regressor


def solve_gurobi(network: Network, x: Floats, norm: str, max_seconds: float) -> Answer:
    """Solve with gurobi-machinelearning, one thread."""
    gurobi, learning = importlib.import_module("gurobipy"), importlib.import_module("gurobi_ml")
    with gurobi.Env(params={"OutputFlag": 0}) as env, gurobi.Model(env=env) as model:
        z = model.addMVar(network.latent_dim, lb=-REACH, ub=REACH)
        y = model.addMVar(len(x), lb=-gurobi.GRB.INFINITY)
        learning.add_predictor_constr(model, _regressor(relu_layers(network)), z, y)
        if norm == "l2":
            model.setObjective((y - x) @ (y - x))
        else:
            reach = model.addMVar(len(x) if norm == "l1" else 1)
            model.addConstr(reach >= y - x)
            model.addConstr(reach >= x - y)
            model.setObjective(reach.sum())
        model.Params.Threads, model.Params.TimeLimit = 1, max_seconds
        model.Params.MIPGap = 2.0 * GAP if norm == "l2" else GAP
        model.optimize()
        proved, gap = model.Status == gurobi.GRB.OPTIMAL, float(model.MIPGap)
        return proved, _distance(network, np.asarray(z.X), x, norm), gap


def solve_scip(network: Network, x: Floats, norm: str, max_seconds: float) -> Answer:
    """Solve with PySCIPOpt-ML."""
    scip, learning = importlib.import_module("pyscipopt"), importlib.import_module("pyscipopt_ml")
    model = scip.Model()
    model.hideOutput()
    z = np.array([model.addVar(lb=-REACH, ub=REACH) for _ in range(network.latent_dim)]).reshape(1, -1)
    y = np.array([model.addVar(lb=None) for _ in x]).reshape(1, -1)
    regressor = _regressor(relu_layers(network))
    learning.add_predictor_constr(model, regressor, z, y, unique_naming_prefix="net_")
    residual = [y[0, i] - float(x[i]) for i in range(len(x))]
    if norm == "l2":
        total = model.addVar(lb=0.0)
        model.addCons(scip.quicksum(entry * entry for entry in residual) <= total)
        objective: Any = total
    else:
        bounds = [model.addVar(lb=0.0) for _ in range(len(x) if norm == "l1" else 1)]
        for index, entry in enumerate(residual):
            bound = bounds[index if norm == "l1" else 0]
            model.addCons(entry <= bound)
            model.addCons(-entry <= bound)
        objective = scip.quicksum(bounds)
    model.setObjective(objective, "minimize")
    model.setParam("limits/time", max_seconds)
    model.setParam("limits/gap", 2.0 * GAP if norm == "l2" else GAP)
    model.optimize()
    if not model.getNSols():
        return False, float("inf"), float("inf")
    point = np.array([model.getVal(entry) for entry in z[0]])
    # SCIP says "gaplimit" where the asked gap is reached.
    proved = model.getStatus() in ("optimal", "gaplimit")
    return proved, _distance(network, point, x, norm), float(model.getGap())


def solve_omlt(network: Network, x: Floats, norm: str, max_seconds: float) -> Answer:
    """Solve with OMLT (big-M) and CBC, which has no quadratic objective: L1 and L-infinity only."""
    pyomo, omlt = importlib.import_module("pyomo.environ"), importlib.import_module("omlt")
    neural = importlib.import_module("omlt.neuralnet")
    parts = importlib.import_module("omlt.neuralnet.layer")
    bounds = dict.fromkeys(range(network.latent_dim), (-REACH, REACH))
    definition = neural.NetworkDefinition(scaled_input_bounds=bounds)
    previous = parts.InputLayer([network.latent_dim])
    definition.add_layer(previous)
    layers = relu_layers(network)
    for index, (weight, bias) in enumerate(layers):
        activation = "linear" if index + 1 == len(layers) else "relu"
        layer = parts.DenseLayer(
            [weight.shape[1]], [len(bias)], activation=activation, weights=weight.T, biases=bias
        )
        definition.add_layer(layer)
        definition.add_edge(previous, layer)
        previous = layer
    model = pyomo.ConcreteModel()
    model.net = omlt.OmltBlock()
    model.net.build_formulation(neural.ReluBigMFormulation(definition))
    model.bounds = pyomo.Var(range(len(x) if norm == "l1" else 1), within=pyomo.NonNegativeReals)
    model.rows = pyomo.ConstraintList()
    for index, value in enumerate(x):
        bound = model.bounds[index if norm == "l1" else 0]
        model.rows.add(model.net.outputs[index] - float(value) <= bound)
        model.rows.add(float(value) - model.net.outputs[index] <= bound)
    model.objective = pyomo.Objective(expr=sum(model.bounds.values()))
    program = importlib.import_module("cbcbox").cbc_bin_path()
    solver = pyomo.SolverFactory("cbc", executable=program)
    solver.options["ratio"], solver.options["seconds"] = GAP, max_seconds
    answer = solver.solve(model, load_solutions=True)
    point = np.array([pyomo.value(model.net.inputs[index]) for index in range(network.latent_dim)])
    upper, lower = float(answer.problem.upper_bound), float(answer.problem.lower_bound)
    proved = str(answer.solver.termination_condition) == "optimal"
    return proved, _distance(network, point, x, norm), (upper - lower) / max(upper, 1e-9)


# Name on the command line: the packages it needs, and what runs it.
PEERS: dict[str, tuple[tuple[str, ...], Callable[[Network, Floats, str, float], Answer]]] = {
    "omlt": (("omlt", "pyomo", "cbcbox"), solve_omlt),
    "pyscipopt-ml": (("pyscipopt_ml", "pyscipopt", "sklearn"), solve_scip),
    "gurobi-machinelearning": (("gurobi_ml", "gurobipy", "sklearn"), solve_gurobi),
}


def peers_for(norm: str, peers: Sequence[str]) -> list[str]:
    """List those of some peers that can do a norm."""
    return [peer for peer in peers if not (peer == "omlt" and norm == "l2")]


def missing_packages(peer: str) -> list[str]:
    """List the packages that a peer needs and that are not installed."""
    find = importlib.import_module("importlib.util").find_spec
    return [package for package in PEERS[peer][0] if find(package) is None]


def measure_peer(
    case: InversionCase, seed: int, norm: str, peer: str, cpu_seconds: Callable[[], float]
) -> dict[str, Any]:
    """Let a peer invert one x, and say what it took: building its model counts, imports do not."""
    network = case.network(seed)
    x = case.target(network, seed)
    for package in PEERS[peer][0]:
        importlib.import_module(package)
    cpu, wall = cpu_seconds(), time.perf_counter()
    proved, distance, gap = PEERS[peer][1](network, x, norm, case.max_seconds)
    return {
        "cpu_seconds": cpu_seconds() - cpu,
        "seconds": time.perf_counter() - wall,
        "status": "optimal" if proved else "feasible",
        "distance": distance,
        "gap": gap,
        "nodes": None,
    }


def _distance(network: Network, z: Floats, x: Floats, norm: str) -> float:
    order = {"l2": 2.0, "l1": 1.0, "linf": np.inf}[norm]
    return float(np.linalg.norm(x - network(np.clip(z, -REACH, REACH)), order))
