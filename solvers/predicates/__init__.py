"""Filtered predicates: the one doorway from floats to decisions.

`rounding` has the constants of the error model, `steps` the steps of a forward product in NumPy, `signs`
exact predicates for the slow side.

The error model. A computed number comes with a bound of how far it is from the number that the
inputs define. A float that was computed is never taken for exact: only inputs are. A sum of
products errs by at most a relative term of the sum of sizes and an absolute term of one smallest
subnormal a product; a comparison decides only where it proves, so NaN and infinity decide nothing.
"""

from solvers.predicates.signs import proportional, sign_at

__all__ = ["proportional", "sign_at"]
