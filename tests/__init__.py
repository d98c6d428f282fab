"""Tests of polyspline."""
