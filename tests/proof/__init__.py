"""Certificates: what is proven, and what is refused."""
