"""Start a cluster of two workers on the workspace's network, compute, and be rid of it again.

python examples/first_computation.py
"""

from coiled_pulumi import Cluster


def square(number: int) -> int:
    """What runs on the workers."""
    return number**2


if __name__ == "__main__":
    with Cluster(n_workers=2, wait_for_workers=True) as cluster, cluster.get_client() as client:
        print(f"{len(cluster.scheduler_info['workers'])} workers")
        print(f"sum of squares: {sum(client.gather(client.map(square, range(1000))))}")
