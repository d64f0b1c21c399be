"""The role and the instance profile."""

import json

import pulumi
from pulumi_aws import iam

from coiled_pulumi.components._base import Component
from coiled_pulumi.plan import model


class Identity(Component):
    """What instances may do; role and profile bear the workspace's name."""

    role_arn: pulumi.Output[str]
    profile_name: pulumi.Output[str]

    def __init__(self, name: str, plan: model.Identity, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        role = iam.Role(
            plan.role.name,
            name=plan.physical_name,
            assume_role_policy=json.dumps(plan.trust_document, sort_keys=True),
            # People attach policies of their own to it; a role that has some cannot be deleted.
            force_detach_policies=True,
            tags=plan.role.tags,
            opts=self.child(),
        )
        policy = iam.RolePolicy(
            plan.policy.name,
            name=plan.physical_name,
            role=role.name,
            policy=json.dumps(plan.policy_document, sort_keys=True),
            opts=self.child(),
        )
        attachments = [
            iam.RolePolicyAttachment(one.name, role=role.name, policy_arn=one.arn, opts=self.child())
            for one in plan.attachments
        ]
        # An instance that starts with the profile should have the role's rights at once.
        profile = iam.InstanceProfile(
            plan.profile.name,
            name=plan.physical_name,
            role=role.name,
            tags=plan.profile.tags,
            opts=self.child(policy, *attachments),
        )
        self.role_arn = role.arn
        self.profile_name = profile.name
        self.register_outputs({"roleArn": self.role_arn, "profileName": self.profile_name})
