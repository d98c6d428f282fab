"""Partitions that ship their proof: certificates, what makes them, and a checker that needs nothing else.

Nothing is imported here, so that ``python -m polyspline.proof.check`` loads the checker alone.
"""
