"""Tests of the partition and its run file."""
