"""Let a cluster grow with its work, and shrink when there is none.

python examples/adaptive.py
"""

import time

from coiled_pulumi import Cluster


def work(number: int) -> int:
    """Take a moment."""
    time.sleep(0.5)
    return number


if __name__ == "__main__":
    with (
        Cluster(n_workers=(0, 3), wait_for_workers=False) as cluster,
        cluster.get_client() as client,
    ):
        cluster.adapt(minimum=0, maximum=3, wait_count=2, interval="1s", target_duration="5s")
        found = client.gather(client.map(work, range(40)))
        grown = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.workers))
        print(f"{len(found)} results from at most 3 workers, {grown} at the end")
