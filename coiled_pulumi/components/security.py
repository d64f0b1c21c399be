"""Security groups and their rules."""

import pulumi
from pulumi_aws import ec2, vpc

from coiled_pulumi.components._base import Component
from coiled_pulumi.plan import model


class Security(Component):
    """A group for all inside clusters, one for what reaches schedulers from outside, one for a NAT instance."""

    group_ids: dict[str, pulumi.Output[str]]

    def __init__(
        self,
        name: str,
        plan: model.Security,
        *,
        vpc_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.group_ids = make_groups(self, plan, vpc_id)
        self.register_outputs({"groupIds": self.group_ids})


def make_groups(
    parent: Component, plan: model.Security, vpc_id: pulumi.Input[str]
) -> dict[str, pulumi.Output[str]]:
    """Make groups and their rules; give the groups' ids by key."""
    group_ids = {
        group.key: ec2.SecurityGroup(
            group.name, vpc_id=vpc_id, description=group.description, tags=group.tags, opts=parent.child()
        ).id
        for group in plan.groups
    }
    for rule in plan.rules:
        _rule(parent, rule, group_ids[rule.group])
    return group_ids


def _rule(parent: Component, plan: model.Rule, group_id: pulumi.Output[str]) -> None:
    kind = {"ingress": vpc.SecurityGroupIngressRule, "egress": vpc.SecurityGroupEgressRule}[plan.direction]
    peer = {"referenced_security_group_id": group_id} if plan.peer == "self" else {"cidr_ipv4": plan.peer}
    kind(
        plan.name,
        security_group_id=group_id,
        ip_protocol="-1" if plan.from_port is None else "tcp",
        from_port=plan.from_port,
        to_port=plan.to_port,
        description=plan.description,
        tags=plan.tags,
        opts=parent.child(),
        **peer,
    )
