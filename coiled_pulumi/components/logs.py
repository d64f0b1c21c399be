"""The log group."""

import pulumi
from pulumi_aws import cloudwatch

from coiled_pulumi.components._base import Component
from coiled_pulumi.plan import model


class Logs(Component):
    """The log group of the workspace, named after it."""

    group_name: pulumi.Output[str]

    def __init__(
        self, name: str, plan: model.LogGroup, *, workspace: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        group = cloudwatch.LogGroup(
            plan.name,
            name=workspace,
            retention_in_days=plan.retention_days,
            tags=plan.tags,
            opts=self.child(),
        )
        self.group_name = group.name
        self.register_outputs({"groupName": self.group_name})
