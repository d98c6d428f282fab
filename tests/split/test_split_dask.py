"""A Dask cluster does the work, also when one of its two processes is killed in the middle of it."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

import polyspline as ps
from tests.agreement.support import assert_identical

distributed: Any = import_module("distributed")

NET = ps.zoo.random_network([3, 14, 12, 2], seed=4)
CUBE = ps.Box(-1.0, 1.0, dim=3)

pytestmark = pytest.mark.usefixtures("cut_early")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with warnings.catch_warnings():
        # The cluster's own affair: sockets that it closes late, ports that are taken.
        warnings.simplefilter("ignore")
        options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
        with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as found:
            yield found


def test_a_cluster_of_two_processes_gives_the_same_arrays(client: Any) -> None:
    alone = ps.enumerate_regions(NET, CUBE, method="split")
    with client.get_executor() as executor:
        assert_identical(alone, ps.enumerate_regions(NET, CUBE, method="split", executor=executor))
        assert ps.count(NET, CUBE, executor=executor).regions == len(alone)


def test_the_subtree_of_a_killed_worker_is_done_again(client: Any) -> None:
    alone = ps.enumerate_regions(NET, CUBE, method="split")
    victim = next(iter(client.run(os.getpid).values()))

    def kill_soon() -> None:
        time.sleep(0.05)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill_soon)
    with client.get_executor() as executor:
        killer.start()
        assert_identical(alone, ps.enumerate_regions(NET, CUBE, method="split", executor=executor))
    killer.join()
