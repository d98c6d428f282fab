"""Small dense convex quadratic programs by daqp, and regression over a polyhedron."""
