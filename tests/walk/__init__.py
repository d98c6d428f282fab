"""The walk: its limits, its start, its workers, and runs that are cut off and resumed."""
