"""The engine held to account: by the oracle, by known counts, and by the laws of a partition."""
