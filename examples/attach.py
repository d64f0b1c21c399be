"""Attach to a cluster that is up, compute on it, and tell which worker did how much.

    python examples/attach.py main --workspace dev --n-workers 5

The cluster goes on when this ends: it belongs to the workspace's file, or to whoever started it.
"""

from __future__ import annotations

import argparse
from collections import Counter

from dask.distributed import get_worker

from coiled_pulumi import Cluster


def estimate(seed: int) -> tuple[str, int]:
    """Throw 50,000 darts at a square; tell who threw, and how many hit the circle in it."""
    import random

    throw = random.Random(seed).random  # noqa: S311 darts
    hits = sum(throw() ** 2 + throw() ** 2 < 1 for _ in range(50_000))
    return str(get_worker().name), hits


def main() -> None:
    """Attach, compute, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the cluster")
    parser.add_argument("--workspace", help="that it is in; not needed where there is only one")
    parser.add_argument("--n-workers", type=int, default=1, help="wait for so many")
    given = parser.parse_args()
    with (
        Cluster(name=given.name, workspace=given.workspace) as cluster,
        cluster.get_client() as client,
    ):
        client.wait_for_workers(given.n_workers, timeout=300)
        found = client.gather(client.map(estimate, range(200)))
    done = Counter(worker for worker, _ in found)
    for worker, tasks in sorted(done.items()):
        print(f"{worker}  {tasks:4} tasks")
    print(f"pi is about {4 * sum(hits for _, hits in found) / (50_000 * len(found)):.4f}")


if __name__ == "__main__":
    main()
