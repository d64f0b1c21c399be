"""A workspace and its clusters."""

import pulumi

from coiled_pulumi.components._base import Component
from coiled_pulumi.components.cluster import Cluster
from coiled_pulumi.components.identity import Identity
from coiled_pulumi.components.images import Images
from coiled_pulumi.components.logs import Logs
from coiled_pulumi.components.network import Network
from coiled_pulumi.components.security import Security
from coiled_pulumi.plan import model


class Workspace(Component):
    """Everything of one workspace."""

    network: Network
    security: Security
    identity: Identity
    logs: Logs
    clusters: dict[str, Cluster]

    def __init__(self, plan: model.Workspace, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(plan.name, opts)
        self.network = Network(f"{plan.name}-network", plan.network, self.child())
        self.security = Security(
            f"{plan.name}-security", plan.security, vpc_id=self.network.vpc_id, opts=self.child()
        )
        self.identity = Identity(
            f"{plan.name}-identity", plan.identity, workspace=plan.name, opts=self.child()
        )
        self.logs = Logs(f"{plan.name}-logs", plan.logs, workspace=plan.name, opts=self.child())
        images = Images(f"{plan.name}-images", plan.images, self.child())
        self.clusters = {
            cluster.name: Cluster(
                f"{plan.name}-{cluster.key}",
                cluster,
                network=self.network,
                security=self.security,
                profile_name=self.identity.profile_name,
                image_ids=images.image_ids,
                opts=self.child(),
            )
            for cluster in plan.clusters
        }
        self.register_outputs({})
