"""The plan of one cluster: a scheduler in the zone's public subnet, workers in its private one."""

from __future__ import annotations

from coiled_pulumi import catalog
from coiled_pulumi.plan import firewall
from coiled_pulumi.plan.model import Cluster, Image, Instance, WorkerGroup
from coiled_pulumi.plan.network import subnet_key
from coiled_pulumi.plan.tagging import Tagger
from coiled_pulumi.plan.userdata import user_data

#: Public parameters that name the newest image of Amazon Linux 2023.
#: https://docs.aws.amazon.com/linux/al2023/ug/ec2.html#launch-via-aws-cli
_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"


def image_key(instance_type: str) -> str:
    """Give the key of the image that fits an instance type."""
    facts = catalog.instance_type(instance_type)
    assert facts is not None, instance_type  # noqa: S101 the spec has refused unknown types
    return f"image-{facts.architecture.replace('_', '-')}"


def plan_images(tagger: Tagger, keys: set[str]) -> tuple[Image, ...]:
    """Plan the images that a workspace's clusters need, one per architecture."""
    images = []
    for key in sorted(keys):
        item = tagger.item(key)
        architecture = "arm64" if key == "image-arm64" else "x86_64"
        parameter = _PARAMETER.format(architecture=architecture)
        images.append(Image(item.key, item.name, item.tags, architecture=architecture, parameter=parameter))
    return tuple(images)


def plan_cluster(
    tagger: Tagger, name: str, *, region: str, zone: str, n_workers: int, scheduler: tuple[str, int],
    worker: tuple[str, int],
) -> Cluster:  # fmt: skip
    """Plan a cluster.

    Args:
        tagger: makes the items.
        name: the cluster's name; the key of everything in it starts with it.
        region: the workspace's region.
        zone: where all of it stands.
        n_workers: how many workers, 1 or more.
        scheduler: instance type and disk in GiB.
        worker: the same for each worker.
    """

    def machine(role: str, key: str, subnet: str, groups: tuple[str, ...], size: tuple[str, int]) -> Instance:
        item = tagger.item(f"cluster-{name}-{key}", cluster=name, role=role)
        return Instance(
            item.key,
            item.name,
            item.tags,
            instance_type=size[0],
            image=image_key(size[0]),
            subnet=subnet,
            groups=groups,
            disk=size[1],
            user_data=user_data(workspace=tagger.workspace, cluster=name, role=role, region=region),
        )

    return Cluster(
        key=f"cluster-{name}",
        name=name,
        zone=zone,
        scheduler=machine(
            "scheduler",
            "scheduler",
            subnet_key("public", zone),
            (firewall.CLUSTER, firewall.SCHEDULER),
            scheduler,
        ),
        workers=WorkerGroup(
            template=machine("worker", "worker", subnet_key("private", zone), (firewall.CLUSTER,), worker),
            group=tagger.item(f"cluster-{name}-workers", cluster=name, role="worker"),
            n_workers=n_workers,
        ),
    )
