"""Let a cluster grow with its work, and shrink to nothing when there is none.

python examples/adaptive.py
"""

import time

from coiled_pulumi import Cluster


def work(number: int) -> int:
    """Take a moment."""
    time.sleep(0.5)
    return number


if __name__ == "__main__":
    # A range of workers is scaled by load: nobody waits for any at first.
    with Cluster(n_workers=(0, 3), wait_for_workers=False) as cluster, cluster.get_client() as client:
        print(f"at first {len(cluster.scheduler_info['workers'])} workers")
        # Left out, `adapt` lets a worker go only after two minutes' quiet.
        cluster.adapt(minimum=0, maximum=3, interval="1s", wait_count=5, target_duration="5s")
        print(f"{len(client.gather(client.map(work, range(40))))} results")
        while cluster.scheduler_info["workers"]:
            time.sleep(1)
        print(f"at the end {len(cluster.scheduler_info['workers'])} workers")
