"""Clusters of real processes; those that a test only looks at are shared by the whole folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from _support.certificates import Authority
from _support.dask_nodes import Node, connected, free_address
from distributed import Client

Start = Callable[..., Node]


def _starting(authority: Authority, home: Path) -> Iterator[Start]:
    nodes: list[Node] = []
    number = itertools.count()

    def start(role: str, **said: object) -> Node:
        node = Node(authority, home / f"{role}-{next(number)}", role, **said)
        nodes.append(node)
        return node

    yield start
    for node in reversed(nodes):
        node.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("leaves"))


@pytest.fixture
def start(authority, tmp_path) -> Iterator[Start]:
    """Start processes that a test changes."""
    yield from _starting(authority, tmp_path)


@pytest.fixture
def cluster(start) -> Callable[..., list[Node]]:
    """Start a scheduler and workers, all at once as on AWS."""

    def cluster(
        workers: int = 1, timers: dict | None = None, address: str = "", **said: object
    ) -> list[Node]:
        address, timers = address or free_address(), {"timers": timers or {}}
        nodes = [start("scheduler", port=int(address.rpartition(":")[2]), **timers)]
        nodes += [start("worker", scheduler=address, **timers, **said) for _ in range(workers)]
        assert all(node.address for node in nodes)
        return nodes

    return cluster


@pytest.fixture(scope="session")
def shared(authority, tmp_path_factory) -> Iterator[Node]:
    """A scheduler with one worker, for tests that leave them as they are."""
    for start in _starting(authority, tmp_path_factory.mktemp("shared")):
        scheduler = start("scheduler")
        worker = start(
            "worker",
            scheduler=scheduler.address,
            gpu=1,
            environ={"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "3"},
            dask={
                "distributed": {
                    "comm": {"require_encryption": False},
                    "nanny": {"environ": {"LEVEL": "dask"}},
                }
            },
        )
        assert worker.address
        scheduler.worker = worker
        yield scheduler


@pytest.fixture
def client(shared, authority) -> Iterator[Client]:
    with connected(shared, authority) as client:
        yield client
