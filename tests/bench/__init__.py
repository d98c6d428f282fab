"""Benchmarks: measured by hand, never by the tests."""
