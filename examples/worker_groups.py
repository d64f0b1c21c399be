"""Two kinds of machines in one cluster: a task says by a resource which of them it needs.

python examples/worker_groups.py
"""

from dask.distributed import get_worker

from coiled_pulumi import Cluster


def offered() -> dict[str, float]:
    """Tell what the worker offers that this runs on."""
    return dict(get_worker().state.total_resources)


if __name__ == "__main__":
    large = {"n_workers": 1, "instance_type": "m6i.2xlarge", "resources": {"LARGE": 1}}
    with (
        Cluster(n_workers=1, worker_groups={"large": large}, wait_for_workers=True) as cluster,
        cluster.get_client() as client,
    ):
        tasks = [client.submit(offered, resources={"LARGE": 1}, pure=False) for _ in range(10)]
        print(f"{len(cluster.scheduler_info['workers'])} workers")
        print(f"{client.gather(tasks).count({'LARGE': 1})} of 10 tasks ran on the large one")
