"""Attach to a cluster that is up, compute on it, and tell which worker did how much.

    python examples/attach.py main --workspace dev --n-workers 5

The cluster goes on when this ends: it belongs to the workspace's file, or to whoever started it.
"""

import argparse
import random
from collections import Counter

from dask.distributed import get_worker

from coiled_pulumi import Cluster

DARTS = 50_000


def throw(seed: int) -> tuple[str, int]:
    """Throw darts at a square; tell who threw, and how many hit the circle in it."""
    dart = random.Random(seed).random  # noqa: S311 no secret
    return get_worker().name, sum(dart() ** 2 + dart() ** 2 < 1 for _ in range(DARTS))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the cluster")
    parser.add_argument("--workspace", help="that it is in; not needed where there is only one")
    parser.add_argument("--n-workers", type=int, default=1, help="wait for so many")
    given = parser.parse_args()
    with (
        Cluster.from_name(given.name, workspace=given.workspace) as cluster,
        cluster.get_client() as client,
    ):
        client.wait_for_workers(given.n_workers, timeout=300)
        thrown = client.gather(client.map(throw, range(200)))
    for worker, tasks in sorted(Counter(worker for worker, _ in thrown).items()):
        print(f"{worker}  {tasks:3} tasks")
    print(f"pi is about {4 * sum(hits for _, hits in thrown) / (DARTS * len(thrown)):.4f}")
