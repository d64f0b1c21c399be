"""A workspace and its clusters."""

from collections.abc import Mapping, Sequence

import pulumi

from coiled_pulumi.components._base import Component
from coiled_pulumi.components.cluster import Cluster
from coiled_pulumi.components.ground import Ground
from coiled_pulumi.components.identity import Identity
from coiled_pulumi.components.images import Images
from coiled_pulumi.components.logs import Logs
from coiled_pulumi.components.network import Network
from coiled_pulumi.components.security import Security
from coiled_pulumi.components.ways_out import WaysOut
from coiled_pulumi.plan import model


class Workspace(Component):
    """Everything of one workspace."""

    ground: Ground
    route_table_ids: Mapping[str, pulumi.Output[str]]
    nat_addresses: Mapping[str, pulumi.Output[str]]
    identity: Identity
    logs: Logs
    clusters: dict[str, Cluster]

    def __init__(
        self,
        plan: model.Workspace,
        opts: pulumi.ResourceOptions | None = None,
        *,
        environ: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Make it.

        Args:
            plan: the workspace.
            opts: of the component.
            environ: the values of the clusters' variables, by cluster.
        """
        super().__init__(plan.name, opts)
        images = Images(f"{plan.name}-images", plan.images, self.child())
        self.identity = Identity(f"{plan.name}-identity", plan.identity, self.child())
        self.logs = Logs(f"{plan.name}-logs", plan.logs, workspace=plan.name, opts=self.child())
        if isinstance(plan.network, model.ExistingNetwork):
            self._stand_on(plan.network, plan, images)
        else:
            self._make_network(plan.network, plan, images)
        self.clusters = {
            cluster.name: Cluster(
                f"{plan.name}-{cluster.key}",
                cluster,
                ground=self.ground,
                workspace=plan.name,
                environ=(environ or {}).get(cluster.name),
                opts=self.child(),
            )
            for cluster in plan.clusters
        }
        self.register_outputs({})

    def _make_network(self, network: model.Network, plan: model.Workspace, images: Images) -> None:
        made = Network(f"{plan.name}-network", network, self.child())
        security = self._security(plan, made.vpc_id)
        out = WaysOut(
            f"{plan.name}-ways-out",
            network,
            network=made,
            security=security,
            image_ids=images.image_ids,
            opts=self.child(),
        )
        self.route_table_ids = made.route_table_ids
        self.nat_addresses = out.nat_addresses
        self.ground = self._ground(made.vpc_id, made.subnet_ids, security, images, out.before)

    def _stand_on(self, network: model.ExistingNetwork, plan: model.Workspace, images: Images) -> None:
        """Take a network that is there already; nothing of it becomes a resource of ours."""
        self.route_table_ids = {}
        self.nat_addresses = {}
        subnets = {subnet.key: subnet.id for subnet in network.subnets}
        security = self._security(plan, network.vpc_id)
        self.ground = self._ground(network.vpc_id, subnets, security, images, {})

    def _security(self, plan: model.Workspace, vpc_id: pulumi.Input[str]) -> Security:
        return Security(f"{plan.name}-security", plan.security, vpc_id=vpc_id, opts=self.child())

    def _ground(
        self,
        vpc_id: pulumi.Input[str],
        subnet_ids: Mapping[str, pulumi.Input[str]],
        security: Security,
        images: Images,
        before: Mapping[str, Sequence[pulumi.Resource]],
    ) -> Ground:
        return Ground(
            vpc_id=vpc_id,
            subnet_ids=subnet_ids,
            group_ids=security.group_ids,
            profile_name=self.identity.profile_name,
            image_ids=images.image_ids,
            before=before,
        )
