"""Single regions: the compiled kernel, exact decisions, facets, flips, and `Region` on demand."""
