"""How many threads are of use on this machine."""

from __future__ import annotations

import os

_LEAST = 4
"""So many are let be on any machine, so that what several threads do is seen on a small one, too."""


def usable_workers(workers: int) -> int:
    """Cap a number of threads at that of the cores which this process may use.

    More would be no faster and take memory, each its own, and no result depends on their number.

    Parameters
    ----------
    workers
        The number that is asked for, at least 1.
    """
    allowed = getattr(os, "sched_getaffinity", None)
    cores = (os.cpu_count() or 1) if allowed is None else len(allowed(0))
    return min(workers, max(cores, _LEAST))
