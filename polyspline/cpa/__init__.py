"""Continuous piecewise-affine pieces: units and their knots, layers, and maps over plain arrays.

``units`` holds scalar units and max groups, ``activations`` the table of their spellings; ``layers``
one affine map with its units; ``affine``
turns an activation code into affine maps (rounded); ``pointwise`` decides the code of a point
(exact).
"""

from __future__ import annotations

from polyspline.cpa.activations import (
    ACTIVATIONS,
    Activation,
    parse_activation,
    spell_activation,
    supported_activations,
)
from polyspline.cpa.affine import affine_map, forward, layer_pieces, preactivations
from polyspline.cpa.layers import Layer, make_layer
from polyspline.cpa.pointwise import code_of, code_of_exactly
from polyspline.cpa.units import MaxGroup, ScalarUnit, Unit

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Layer",
    "MaxGroup",
    "ScalarUnit",
    "Unit",
    "affine_map",
    "code_of",
    "code_of_exactly",
    "forward",
    "layer_pieces",
    "make_layer",
    "parse_activation",
    "preactivations",
    "spell_activation",
    "supported_activations",
]
