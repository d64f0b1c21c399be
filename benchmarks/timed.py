"""Programs of a user's, timed from within: `python -m benchmarks.timed WHAT NUMBER ...`.

Each writes one JSON object to stdout. What is imported before the clock runs is the same on both sides of a
comparison, and what is cleaned up comes after it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from distributed import Client

from benchmarks.bare_dask import bare_dask
from benchmarks.sandbox import cli, run
from coiled_pulumi import Cluster
from coiled_pulumi.ops import sessions

#: Longer than any cluster takes to come up on a busy machine, in seconds.
_LIMIT = 900
#: Machines write their phases within seconds.
_LOOKS, _BETWEEN = 60, 0.5


def first_result(count: int) -> dict[str, Any]:
    """Time a cluster from its constructor to the first result."""
    began = time.perf_counter()
    with (
        Cluster(n_workers=count, wait_for_workers=True, quiet=True, timeout=_LIMIT) as cluster,
        cluster.get_client() as client,
    ):
        _compute(client)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "boots": _boots(cluster.name, count)}


def engine(count: int) -> dict[str, Any]:
    """Time what the engine does of that: the same cluster, on an AWS whose machines are on paper."""
    began = time.perf_counter()
    place, name = sessions.workspace(), sessions.new_name()
    sessions.find(place, name)
    session = sessions.start(place, name, {"n_workers": count}, perform=_perform, tell=_silent)
    seconds = time.perf_counter() - began
    sessions.stop(place, name, perform=_perform, tell=_silent, session=session)
    return {"seconds": seconds}


def bare_first_result(count: int) -> dict[str, Any]:
    """Time bare processes, all started at once, to the first result."""
    with bare_dask() as bare:
        began = time.perf_counter()
        bare.scheduler()
        bare.workers(count)
        with Client(bare.address, security=bare.security, timeout=_LIMIT) as client:
            client.wait_for_workers(count, timeout=_LIMIT)
            _compute(client)
            return {"seconds": time.perf_counter() - began}


def scale(few: int, many: int) -> dict[str, Any]:
    """Time a cluster that has few workers from the wish for many until they have joined."""
    with (
        Cluster(n_workers=(few, many), wait_for_workers=True, quiet=True, timeout=_LIMIT) as cluster,
        cluster.get_client() as client,
    ):
        client.wait_for_workers(few, timeout=_LIMIT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it ends adaptive scaling, and says so
            began = time.perf_counter()
            cluster.scale(many)
        client.wait_for_workers(many, timeout=_LIMIT)
        seconds = time.perf_counter() - began
        newest = sorted(_boots(cluster.name, many), key=lambda one: one["launched"])[few:]
        return {"seconds": seconds, "boots": newest}


def bare_scale(count: int) -> dict[str, Any]:
    """Time bare workers, all started at once, until they have joined a scheduler that runs."""
    with bare_dask() as bare:
        bare.scheduler()
        with Client(bare.address, security=bare.security, timeout=_LIMIT) as client:
            began = time.perf_counter()
            bare.workers(count)
            client.wait_for_workers(count, timeout=_LIMIT)
            return {"seconds": time.perf_counter() - began}


def _compute(client: Client) -> None:
    assert client.submit(sum, [20, 22]).result() == 42  # noqa: S101 a wrong result is no measurement


def _boots(cluster: str, count: int) -> list[dict[str, Any]]:
    """Give the way up of the workers of a cluster, once all of them have told it."""
    where = ["--workspace", os.environ[sessions.VARIABLE]]
    for _ in range(_LOOKS):
        told = json.loads(run([cli(), "cluster", "status", cluster, *where, "--timeline", "--json"]).output)
        up = [one for one in told["machines"] if one["role"] == "worker" and one["up"]]
        if len(up) >= count:
            return up
        time.sleep(_BETWEEN)
    msg = f"{len(up)} of {count} workers told how they came up"
    raise RuntimeError(msg)


def _perform(title: str, operation: Callable[[Any], Any]) -> Any:  # noqa: ARG001 shown by others
    return operation(lambda progress, rows: None)  # noqa: ARG005


def _silent(text: str) -> None:
    """Say nothing."""


_PROGRAMS = {one.__name__: one for one in (first_result, engine, bare_first_result, scale, bare_scale)}

if __name__ == "__main__":
    print(json.dumps(_PROGRAMS[sys.argv[1]](*map(int, sys.argv[2:]))))
