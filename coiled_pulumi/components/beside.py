"""A cluster in a stack of its own, on what its workspace made."""

from collections.abc import Mapping

import pulumi

from coiled_pulumi.components._base import Component
from coiled_pulumi.components.cluster import Cluster
from coiled_pulumi.components.ground import Ground
from coiled_pulumi.components.images import Images
from coiled_pulumi.plan import model


class ClusterBeside(Component):
    """One cluster with the images that it needs."""

    cluster: Cluster

    def __init__(
        self,
        plan: model.ClusterStack,
        opts: pulumi.ResourceOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        shared = plan.shared
        name = f"{shared.workspace}-{plan.cluster.key}"
        super().__init__(f"{name}-stack", opts)
        images = Images(f"{name}-images", plan.images, self.child())
        ground = Ground(
            vpc_id=shared.vpc_id,
            subnet_ids=shared.subnets,
            group_ids=shared.groups,
            profile_name=shared.profile,
            image_ids=images.image_ids,
        )
        self.cluster = Cluster(
            name,
            plan.cluster,
            ground=ground,
            workspace=shared.workspace,
            environ=environ,
            opts=self.child(),
        )
        self.register_outputs({})
