"""Two kinds of workers in one cluster: tasks say by a resource where they run.

python examples/worker_groups.py
"""

from dask.distributed import get_worker

from coiled_pulumi import Cluster


def where() -> str:
    """Tell on which machine this runs."""
    return str(get_worker().name)


if __name__ == "__main__":
    groups = {"large": {"n_workers": 1, "instance_type": "m6i.2xlarge", "resources": {"LARGE": 1}}}
    with (
        Cluster(n_workers=1, worker_groups=groups, wait_for_workers=True) as cluster,
        cluster.get_client() as client,
    ):
        anywhere = client.submit(where, pure=False).result()
        large = client.submit(where, resources={"LARGE": 1}, pure=False).result()
        workers = {worker["name"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()}
        print(f"{len(workers)} workers")
        print(f"on the large one: {large in workers}; anywhere: {anywhere in workers}")
