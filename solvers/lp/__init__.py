"""Linear programs: a small dense simplex and redundancy in compiled code, HiGHS, exact rationals."""
