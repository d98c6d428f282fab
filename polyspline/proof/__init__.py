"""Partitions that ship their proof: certificates, what makes them, and a checker that needs nothing else."""

from polyspline.proof.certificate import Certificate
from polyspline.proof.writer import prove

__all__ = ["Certificate", "prove"]
