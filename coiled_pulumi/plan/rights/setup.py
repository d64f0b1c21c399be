"""What making, changing and deleting what clusters share needs: attached while that is done, beside Ongoing."""

from __future__ import annotations

from typing import Final

from coiled_pulumi.plan.model import ExistingNetwork, Network, Workspace
from coiled_pulumi.plan.rights.needs import Frame, Need, creating
from coiled_pulumi.plan.rights.scope import KEY, WORKSPACE, Condition, Scope, both, own_tags


def _always(_: Workspace) -> bool:
    return True


def _own(plan: Workspace) -> bool:
    return isinstance(plan.network, Network)


def _gateway(plan: Workspace) -> bool:
    return isinstance(plan.network, Network) and bool(plan.network.nat_gateways)


def _nat_instance(plan: Workspace) -> bool:
    return isinstance(plan.network, Network) and plan.network.nat_instance is not None


def _address(plan: Workspace) -> bool:
    return _gateway(plan) or _nat_instance(plan)


def _gateway_endpoint(plan: Workspace) -> bool:
    return isinstance(plan.network, Network) and bool(plan.network.endpoints)


def _interface_endpoint(plan: Workspace) -> bool:
    return isinstance(plan.network, Network) and any(
        endpoint.kind == "Interface" for endpoint in plan.network.endpoints
    )


def _spot(plan: Workspace) -> bool:
    return any(cluster.workers.market.spot for cluster in plan.clusters)


#: The plan has X: these rights are for X. By statement: actions, and the kinds of what they make.
NEEDS: Final = (
    Need("a VPC of our own", _own, {
        "Setup": (
            "ec2: DeleteVpc ModifyVpcAttribute AttachInternetGateway DetachInternetGateway DeleteInternetGateway", ""
        ),
        "SetupCreate": ("ec2: CreateVpc CreateInternetGateway", "vpc internet-gateway"),
        "SetupDefaultGroup": ("ec2: CreateTags", ""),
    }),
    Need("its subnets and routes", _own, {
        "Setup": (
            "ec2: CreateSubnet DeleteSubnet CreateRouteTable DeleteRouteTable CreateRoute DeleteRoute ReplaceRoute"
            " AssociateRouteTable DisassociateRouteTable",
            "",
        ),
        "SetupCreateInside": ("ec2: CreateSubnet CreateRouteTable", "subnet route-table"),
    }),
    Need("elastic addresses", _address, {
        "Setup": ("ec2: ReleaseAddress", ""),
        "SetupCreate": ("ec2: AllocateAddress", "elastic-ip"),
        "SetupAddress": ("ec2: DisassociateAddress", "elastic-ip network-interface"),
    }),
    Need("NAT gateways", _gateway, {
        "Setup": ("ec2: CreateNatGateway DeleteNatGateway", ""),
        "SetupCreateBeside": ("ec2: CreateNatGateway", "natgateway"),
    }),
    Need("a NAT instance", _nat_instance, {
        "Setup": ("ec2: AssociateAddress", ""),
        "SetupNatInstance": ("ec2: ModifyInstanceAttribute", "instance"),
    }),
    Need("VPC endpoints", _gateway_endpoint, {
        "Setup": ("ec2: CreateVpcEndpoint DeleteVpcEndpoints", ""),
        "SetupCreateBeside": ("ec2: CreateVpcEndpoint", "vpc-endpoint"),
    }),
    Need("VPC endpoints with names of their own", _interface_endpoint, {
        "Setup": ("ec2: ModifyVpcEndpoint", ""),
        "SetupNames": ("route53: AssociateVPCWithHostedZone", ""),
    }),
    Need("security groups and their rules", _always, {
        "Setup": ("ec2: DeleteSecurityGroup RevokeSecurityGroupEgress RevokeSecurityGroupIngress", ""),
        "SetupCreateInside": ("ec2: CreateSecurityGroup", "security-group"),
        "SetupCreateBeside": ("ec2: AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress", "security-group-rule"),
        "SetupOpen": ("ec2: AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress", ""),
        "SetupTag": ("ec2: CreateTags", ""),
    }),
    Need("security groups in a VPC of our own", _own, {"Setup": ("ec2: CreateSecurityGroup", "")}),
    Need("security groups in a VPC that is there", lambda plan: not _own(plan), {
        "SetupExisting": ("ec2: CreateSecurityGroup", ""),
    }),
    Need("role and instance profile", _always, {
        "SetupIdentity": (
            "iam: CreateRole DeleteRole PutRolePolicy DeleteRolePolicy ListInstanceProfilesForRole"
            " CreateInstanceProfile DeleteInstanceProfile AddRoleToInstanceProfile RemoveRoleFromInstanceProfile"
            # What the role has beside its own document, whoever attached it, goes before the role does.
            " TagRole TagInstanceProfile DetachRolePolicy",
            "",
        ),
        "SetupServiceRoles": ("iam: CreateServiceLinkedRole", ""),
    }),
    Need("tags of the user", own_tags, {
        "SetupIdentity": ("iam: UntagRole UntagInstanceProfile", ""),
        "SetupLogs": ("logs: UntagResource", ""),
    }),
    Need("managed policies on the role", lambda plan: bool(plan.identity.attachments), {
        "SetupPolicies": ("iam: AttachRolePolicy", ""),
    }),
    Need("the log group", _always, {
        "SetupLogs": ("logs: CreateLogGroup DeleteLogGroup PutRetentionPolicy TagResource", ""),
    }),
)  # fmt: skip


def _tag(scope: Scope, actions: tuple[str, ...]) -> Condition:
    made = {"StringEquals": {"ec2:CreateAction": creating(actions)}}
    # Whose a thing becomes is checked by the statement that lets it be made.
    return both(made, scope.tag_keys())


def _open(scope: Scope, _: tuple[str, ...]) -> Condition:
    if not isinstance(scope.plan.network, Network):
        return scope.ours()
    # What SetupDefaultGroup puts our tag on can be emptied, and never opened.
    emptied = scope.plan.network.default_group.tags[KEY]
    return both(scope.ours(), {"StringNotEquals": {f"aws:ResourceTag/{KEY}": emptied}})


def _default_group(scope: Scope, _: tuple[str, ...]) -> Condition:
    """Let a group become ours that is nobody's yet, as the group that AWS makes in each VPC, and only as that one."""
    network = scope.plan.network
    assert isinstance(network, Network)  # noqa: S101 the need says so
    key = {"StringEquals": {f"aws:RequestTag/{KEY}": network.default_group.tags[KEY]}}
    untagged: Condition = {"Null": {f"aws:ResourceTag/{WORKSPACE}": "true"}}
    return both(scope.made(), key, untagged, scope.tag_keys())


def _not_of_others(scope: Scope, _: tuple[str, ...]) -> Condition:
    # Interfaces of NAT gateways have no tags, nor has an association that went with its gateway: the plugin lets go
    # of it all the same, and takes only one answer for gone.
    return {"StringEqualsIfExists": scope.ours()["StringEquals"]}


def _nat_instance_only(scope: Scope, _: tuple[str, ...]) -> Condition:
    network = scope.plan.network
    assert isinstance(network, Network)  # noqa: S101 the need says so
    assert network.nat_instance is not None  # noqa: S101
    # This action can also swap the user data of a machine: of this one machine only.
    return both(scope.ours(), {"StringEquals": {f"aws:ResourceTag/{KEY}": network.nat_instance.tags[KEY]}})


def _service_roles(scope: Scope, _: tuple[str, ...]) -> Condition:
    services = ["autoscaling.amazonaws.com", *(["spot.amazonaws.com"] if _spot(scope.plan) else [])]
    return {"StringEquals": {"iam:AWSServiceName": services}}


def _policies(scope: Scope, _: tuple[str, ...]) -> Condition:
    return {"ArnEquals": {"iam:PolicyARN": sorted(one.arn for one in scope.plan.identity.attachments)}}


def _existing(scope: Scope, _: tuple[str, ...]) -> tuple[str, ...]:
    network = scope.plan.network
    return scope.ec2(f"vpc/{network.vpc_id}") if isinstance(network, ExistingNetwork) else ()


def _kinds(scope: Scope, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return scope.ec2(*kinds)


#: New things are in three statements because an action that makes one kind uses another that is there: a subnet may
#: be made with our tag in the call, and only in a VPC that has our tag already.
FRAMES: Final = {
    "Setup": Frame(lambda scope, _: scope.ec2(), lambda scope, _: scope.ours()),
    "SetupCreate": Frame(_kinds, lambda scope, _: scope.made()),
    "SetupCreateInside": Frame(_kinds, lambda scope, _: scope.made()),
    "SetupCreateBeside": Frame(_kinds, lambda scope, _: scope.made()),
    "SetupTag": Frame(lambda scope, _: scope.ec2(), _tag),
    "SetupDefaultGroup": Frame(lambda scope, _: scope.ec2("security-group"), _default_group),
    "SetupOpen": Frame(lambda scope, _: scope.ec2("security-group"), _open),
    "SetupExisting": Frame(_existing),
    "SetupAddress": Frame(_kinds, _not_of_others),
    "SetupNatInstance": Frame(_kinds, _nat_instance_only),
    "SetupNames": Frame(lambda _scope, _kinds: ("arn:aws:route53:::hostedzone/*",)),
    "SetupIdentity": Frame(lambda scope, _: (scope.iam("role"), scope.iam("instance-profile"))),
    "SetupPolicies": Frame(lambda scope, _: (scope.iam("role"),), _policies),
    "SetupServiceRoles": Frame(lambda scope, _: (scope.iam("role", "aws-service-role/*"),), _service_roles),
    "SetupLogs": Frame(lambda scope, _: scope.logs()),
}
