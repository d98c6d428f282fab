"""Inversion: the latent z behind an x, with a bound that tells how good it is."""

from polyspline.inversion.facade import invert
from polyspline.inversion.injectivity import Injectivity, InjectivityVerdict, injectivity
from polyspline.inversion.preimages import Preimage, preimages
from polyspline.inversion.result import BoundSource, Ending, Inversion, InversionStatus

__all__ = [
    "BoundSource",
    "Ending",
    "Injectivity",
    "InjectivityVerdict",
    "Inversion",
    "InversionStatus",
    "Preimage",
    "injectivity",
    "invert",
    "preimages",
]
