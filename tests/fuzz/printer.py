"""A case as a few lines of Python that can be pasted."""

from __future__ import annotations

import base64
import zlib

from tests.fuzz.cases import Case, InversionCase, PartitionCase, ReaderCase


def as_python(case: Case) -> str:
    """Lines that build the network and the domain of a case, and run what it runs."""
    if isinstance(case, ReaderCase):
        return _reading(case)
    layers = case.layers
    lines = [
        "import polyspline as ps",
        "net = ps.Network.from_layers(",
        f"    {[weight.tolist() for weight in layers.weights]},",
        f"    {[bias.tolist() for bias in layers.biases]},",
        f"    {layers.activations},",
        ")",
    ]
    lines += _inversion(case) if isinstance(case, InversionCase) else _partition(case)
    return "\n".join(lines)


def _reading(case: ReaderCase) -> str:
    packed = base64.b85encode(zlib.compress(case.content, 9)).decode()
    call = "load_domain" if case.suffix == ".domain.npz" else "load_network"
    module = "domains" if call == "load_domain" else "network"
    return "\n".join(
        [
            "import base64, pathlib, zlib",
            f"from polyspline.{module} import {call}",
            f"path = pathlib.Path('file{case.suffix}')",
            f"path.write_bytes(zlib.decompress(base64.b85decode({packed!r})))",
            f"print({call}(path))",
        ]
    )


def _partition(case: PartitionCase) -> list[str]:
    place = case.place
    if place.kind == "space":
        lines, methods = [f"domain = ps.WholeSpace({place.dimension})"], ["walk"]
    else:
        made = "ps.Box" if place.kind == "box" else "ps.Polytope"
        lines, methods = [f"domain = {made}({place.first}, {place.second})"], ["split", "walk"]
    if case.flush:
        lines = ["import torch; torch.set_flush_denormal(True)", *lines]
    lines += [
        f"parts = [ps.enumerate_regions(net, domain, method=method) for method in {methods}]",
        "print([(len(part), part.n_adjacencies) for part in parts])",
    ]
    if place.kind != "space":
        lines.append("print(ps.count(net, domain))")
    if case.ball is not None:
        ball = case.ball
        lines.append(
            f"print(ps.local_complexity(net, [{ball.centre}], {ball.radius!r}, norm={ball.norm!r}, "
            "domain=domain).counts)"
        )
    lines.append(f"start = {case.start}")
    return lines


def _inversion(case: InversionCase) -> list[str]:
    limit = "" if case.seconds is None else f", max_seconds={case.seconds}"
    return [
        f"domain = ps.Box({case.low}, {case.high})",
        f"x = {case.x}",
        f"for method, gap in {case.runs}:",
        f"    print(ps.invert(net, x, domain, norm={case.norm!r}, method=method, gap=gap{limit}))",
        f"points = {case.points}",
    ]
