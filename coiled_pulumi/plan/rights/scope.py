"""How far rights reach: ARNs and conditions that belong to one workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from coiled_pulumi.plan import model
from coiled_pulumi.plan.identity import parameter_path
from coiled_pulumi.plan.tagging import PREFIX

WORKSPACE: Final = f"{PREFIX}workspace"
KEY: Final = f"{PREFIX}key"
CLUSTER: Final = f"{PREFIX}cluster"

Condition = dict[str, dict[str, str | list[str]]]


@dataclass(frozen=True, slots=True)
class Statement:
    """One Allow.

    Attributes:
        sid: its name, unique in its document.
        actions: with their services.
        resources: ARNs, with wildcards.
        condition: as IAM writes it; empty for none.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Condition = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """Makes the ARNs and conditions of one plan; without an account in the plan, ARNs are of whichever account."""

    plan: model.Workspace

    @property
    def account(self) -> str:
        """The account's number in ARNs, or `*`."""
        return self.plan.account or "*"

    def ec2(self, *kinds: str) -> tuple[str, ...]:
        """Give EC2's ARNs: of a kind as `subnet`, or of one thing as `key-pair/mine`; all that has an owner without."""
        places = [kind if "/" in kind else f"{kind}/*" for kind in kinds] or ["*"]
        return tuple(f"arn:aws:ec2:{self.plan.region}:{self._owner(place)}:{place}" for place in places)

    def _owner(self, place: str) -> str:
        return "" if place.startswith("image/") else self.account

    def group(self) -> str:
        """Give the ARN of the workspace's auto scaling groups; their names start with the workspace's."""
        name = f"autoScalingGroupName/{self.plan.name}-*"
        return f"arn:aws:autoscaling:{self.plan.region}:{self.account}:autoScalingGroup:*:{name}"

    def iam(self, kind: str, name: str = "") -> str:
        """Give the ARN of a role or instance profile; without a name, of the workspace's own."""
        return f"arn:aws:iam::{self.account}:{kind}/{name or self.plan.identity.physical_name}"

    def logs(self) -> tuple[str, ...]:
        """Give the ARNs of the workspace's log group, and of what is in it."""
        group = f"arn:aws:logs:{self.plan.region}:{self.account}:log-group:{self.plan.name}"
        # Not `name*`: that would be the log group of a workspace whose name starts with ours, too.
        return (group, f"{group}:*")

    def parameters(self) -> str:
        """Give the ARN of everything of the workspace in the parameter store."""
        path = parameter_path(self.plan.name)
        return f"arn:aws:ssm:{self.plan.region}:{self.account}:parameter{path}/*"

    def public_parameters(self) -> str:
        """Give the ARN of AWS's own parameters, which belong to no account."""
        return f"arn:aws:ssm:{self.plan.region}::parameter/aws/service/*"

    def here(self) -> Condition:
        """Only in the workspace's region."""
        return {"StringEquals": {"aws:RequestedRegion": self.plan.region}}

    def ours(self) -> Condition:
        """Only what has the workspace's tag already."""
        return {"StringEquals": {f"aws:ResourceTag/{WORKSPACE}": self.plan.name}}

    def made(self) -> Condition:
        """Only what gets the workspace's tag by this call."""
        return {"StringEquals": {f"aws:RequestTag/{WORKSPACE}": self.plan.name}}

    def tag_keys(self) -> Condition:
        """Only tags with keys of ours, or that the user puts on everything; no key may have a wildcard in it."""
        return {
            "ForAllValues:StringLike": {"aws:TagKeys": sorted(["Name", f"{PREFIX}*", *own_tags(self.plan)])}
        }

    def free_tag_keys(self) -> Condition:
        """Only tags that say nothing of whose a thing is, and at least one: no tags at all would mean all of them."""
        return {
            "ForAllValues:StringEquals": {"aws:TagKeys": list(own_tags(self.plan))},
            "Null": {"aws:TagKeys": "false"},
        }


def own_tags(plan: model.Workspace) -> tuple[str, ...]:
    """Give the keys of the tags that the user puts on everything, or on one of the clusters."""
    found = set(plan.logs.tags).union(*(cluster.scheduler.tags for cluster in plan.clusters))
    return tuple(sorted(key for key in found if key != "Name" and not key.startswith(PREFIX)))


def both(*conditions: Condition) -> Condition:
    """Put conditions together: all of them have to hold."""
    whole: Condition = {}
    for condition in conditions:
        for operator, keys in condition.items():
            whole[operator] = {**whole.get(operator, {}), **keys}
    return whole
