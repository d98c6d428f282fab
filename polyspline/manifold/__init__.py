"""The generated manifold: what a partition tells of the surface that a network generates."""
