"""What starting, scaling and stopping clusters needs, and looking at everything: stays attached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from coiled_pulumi.plan.identity import OWNER_TAG
from coiled_pulumi.plan.images import is_own
from coiled_pulumi.plan.model import Cluster, ExistingNetwork, Instance, Network, Workspace
from coiled_pulumi.plan.rights.needs import Frame, Need, creating
from coiled_pulumi.plan.rights.scope import CLUSTER, Condition, Scope, both, own_tags


def _always(_: Workspace) -> bool:
    return True


def _own(plan: Workspace) -> bool:
    return isinstance(plan.network, Network)


def _any_cluster(has: Callable[[Cluster], object]) -> Callable[[Workspace], bool]:
    return lambda plan: any(has(cluster) for cluster in plan.clusters)


def _any_machine(has: Callable[[Instance], object]) -> Callable[[Workspace], bool]:
    return _any_cluster(lambda cluster: any(has(machine) for machine in _machines(cluster)))


def _machines(cluster: Cluster) -> tuple[Instance, ...]:
    return (cluster.scheduler, *(group.template for group in cluster.groups))


_groups_of_clusters = _any_cluster(lambda cluster: cluster.security.groups)
_placement = _any_cluster(lambda cluster: cluster.placement)

#: The plan has X: these rights are for X. Clusters may come at any time, so what each of them needs is always there.
NEEDS: Final = (
    Need("schedulers", _always, {
        "Ongoing": ("ec2: DescribeInstanceAttribute RunInstances TerminateInstances", ""),
        "OngoingCluster": ("ec2: ModifyInstanceAttribute", ""),
        "OngoingRun": ("ec2: RunInstances", "instance"),
        "OngoingRunVolume": ("ec2: RunInstances", "volume"),
        "OngoingRunInterface": ("ec2: RunInstances", "network-interface"),
        "OngoingRunImage": ("ec2: RunInstances", "image"),
        "OngoingTag": ("ec2: CreateTags", ""),
        "OngoingPass": ("iam: PassRole", ""),
        "OngoingImages": ("ssm: GetParameter", ""),
        "OngoingRead": (
            "ec2: DescribeImages DescribeInstanceTypes DescribeInstances DescribeTags"
            " DescribeVolumes",
            "",
        ),
    }),
    Need("worker groups", _always, {
        "Ongoing": (
            "ec2: CreateLaunchTemplateVersion ModifyLaunchTemplate DeleteLaunchTemplate"
            " autoscaling: UpdateAutoScalingGroup DeleteAutoScalingGroup SetDesiredCapacity"
            " TerminateInstanceInAutoScalingGroup",
            "",
        ),
        "OngoingNew": ("ec2: CreateLaunchTemplate autoscaling: CreateAutoScalingGroup", "launch-template group"),
        "OngoingRead": (
            "ec2: DescribeLaunchTemplateVersions DescribeLaunchTemplates"
            " autoscaling: DescribeAutoScalingGroups DescribeScalingActivities DescribeTags",
            "",
        ),
        "OngoingOwner": ("autoscaling: CreateOrUpdateTags DeleteTags", ""),
    }),
    Need("clusters with ingress of their own", _groups_of_clusters, {
        "OngoingCluster": (
            "ec2: AuthorizeSecurityGroupIngress DeleteSecurityGroup RevokeSecurityGroupEgress"
            " RevokeSecurityGroupIngress",
            "",
        ),
        "OngoingNew": ("ec2: CreateSecurityGroup", "security-group"),
        "OngoingRules": ("ec2: AuthorizeSecurityGroupIngress", "security-group-rule"),
    }),
    Need("their groups in a VPC of our own", lambda plan: _own(plan) and _groups_of_clusters(plan), {
        "Ongoing": ("ec2: CreateSecurityGroup", ""),
    }),
    Need("their groups in a VPC that is there", lambda plan: not _own(plan) and _groups_of_clusters(plan), {
        "OngoingExisting": ("ec2: CreateSecurityGroup", ""),
    }),
    Need("placement groups", _placement, {
        "Ongoing": ("ec2: DeletePlacementGroup", ""),
        "OngoingNew": ("ec2: CreatePlacementGroup", "placement-group"),
        "OngoingRead": ("ec2: DescribePlacementGroups", ""),
    }),
    Need("subnets, images, key pairs and reservations that are there", lambda plan: bool(_borrowed(Scope(plan))), {
        "OngoingRunIn": ("ec2: RunInstances", ""),
    }),
    Need("tags of the user", own_tags, {
        "OngoingRetag": ("ec2: CreateTags DeleteTags autoscaling: CreateOrUpdateTags DeleteTags", ""),
    }),
    Need("the shared network, looked at", _always, {
        "OngoingRead": (
            "ec2: DescribeNetworkInterfaces DescribeSecurityGroupRules DescribeSecurityGroups DescribeSubnets"
            " DescribeVpcs logs: DescribeLogGroups",
            "",
        ),
        "OngoingIdentity": (
            "iam: GetInstanceProfile GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies", ""
        ),
        "OngoingNamed": ("logs: GetLogEvents ListTagsForResource", ""),
    }),
    Need("what happened, told to everybody", _always, {
        "OngoingNamed": ("logs: CreateLogStream FilterLogEvents PutLogEvents", ""),
    }),
    Need("what would go wrong, asked before", _always, {
        "OngoingRead": (
            "ec2: DescribeInstanceTypeOfferings servicequotas: GetAWSDefaultServiceQuota GetServiceQuota", ""
        ),
    }),
    Need("key pairs, asked for before", _any_machine(lambda machine: machine.key_name), {
        "OngoingRead": ("ec2: DescribeKeyPairs", ""),
    }),
    Need("capacity reservations, asked for before", _any_machine(lambda machine: machine.capacity_reservation), {
        "OngoingRead": ("ec2: DescribeCapacityReservations", ""),
    }),
    Need("a VPC of our own, looked at", _own, {
        "Ongoing": ("ec2: DescribeVpcAttribute", ""),
        "OngoingRead": (
            "ec2: DescribeAddresses DescribeAddressesAttribute DescribeInternetGateways DescribeNatGateways"
            " DescribeNetworkAcls DescribePrefixLists DescribeRouteTables DescribeVpcEndpoints",
            "",
        ),
    }),
    Need("certificates of clusters", _always, {
        "OngoingNamed": (
            "ssm: AddTagsToResource DeleteParameter GetParameter ListTagsForResource PutParameter"
            " RemoveTagsFromResource",
            "",
        ),
        "OngoingRead": ("ssm: DescribeParameters", ""),
    }),
)  # fmt: skip


def _borrowed(scope: Scope) -> tuple[str, ...]:
    """Give what machines are started in or with that does not have our tag, one by one."""
    network = scope.plan.network
    found = [f"subnet/{one.id}" for one in network.subnets] if isinstance(network, ExistingNetwork) else []
    for cluster in scope.plan.clusters:
        for machine in _machines(cluster):
            found += [f"image/{machine.image}"] if is_own(machine.image) else []
            found += [f"key-pair/{machine.key_name}"] if machine.key_name else []
            reservation = machine.capacity_reservation
            found += [f"capacity-reservation/{reservation}"] if reservation else []
    return scope.ec2(*sorted(set(found))) if found else ()


def _existing_vpc(scope: Scope, _: tuple[str, ...]) -> tuple[str, ...]:
    network = scope.plan.network
    return scope.ec2(f"vpc/{network.vpc_id}") if isinstance(network, ExistingNetwork) else ()


def _new(scope: Scope, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return (*scope.ec2(*(kind for kind in kinds if kind != "group")), scope.group())


def _kinds(scope: Scope, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return scope.ec2(*kinds)


def _run(scope: Scope, _: tuple[str, ...]) -> Condition:
    return both(scope.made(), {"StringEquals": {"ec2:MetadataHttpTokens": "required"}})


def _tag(scope: Scope, actions: tuple[str, ...]) -> Condition:
    made = {"StringEquals": {"ec2:CreateAction": creating(actions)}}
    return both(scope.made(), made, scope.tag_keys())


def _groups(scope: Scope, _: tuple[str, ...]) -> Condition:
    # A group or a machine of one cluster, not what all of them share.
    return both(scope.ours(), {"Null": {f"aws:ResourceTag/{CLUSTER}": "false"}})


FRAMES: Final = {
    "Ongoing": Frame(lambda scope, _: (*scope.ec2(), scope.group()), lambda scope, _: scope.ours()),
    "OngoingNew": Frame(_new, lambda scope, _: both(scope.made(), scope.tag_keys())),
    "OngoingRun": Frame(_kinds, _run),
    "OngoingRunVolume": Frame(_kinds, lambda scope, _: scope.made()),
    # The plugin gives a scheduler's interface no tags; those that it may get are looked at by OngoingTag.
    "OngoingRunInterface": Frame(_kinds),
    "OngoingRunImage": Frame(_kinds, lambda _scope, _: {"StringEquals": {"ec2:Owner": "amazon"}}),
    "OngoingRunIn": Frame(lambda scope, _: _borrowed(scope)),
    "OngoingTag": Frame(lambda scope, _: scope.ec2(), _tag),
    "OngoingRetag": Frame(
        lambda scope, _: (*scope.ec2(), scope.group()),
        lambda scope, _: both(scope.ours(), scope.free_tag_keys()),
    ),
    # The one tag that comes after its group is made: which scheduler may end it.
    "OngoingOwner": Frame(
        lambda scope, _: (scope.group(),),
        lambda scope, _: both(
            scope.ours(),
            {"ForAllValues:StringEquals": {"aws:TagKeys": [OWNER_TAG]}, "Null": {"aws:TagKeys": "false"}},
        ),
    ),
    # The plugin says in a call of its own that a machine which powers off is gone.
    "OngoingCluster": Frame(lambda scope, _: scope.ec2("instance", "security-group"), _groups),
    "OngoingRules": Frame(_kinds, lambda scope, _: scope.made()),
    "OngoingExisting": Frame(_existing_vpc),
    "OngoingPass": Frame(
        lambda scope, _: (scope.iam("role"),),
        lambda _scope, _: {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    ),
    "OngoingIdentity": Frame(lambda scope, _: (scope.iam("role"), scope.iam("instance-profile"))),
    # What goes by its name; documents have to be short.
    "OngoingNamed": Frame(lambda scope, _: (*scope.logs(), scope.parameters())),
    "OngoingImages": Frame(lambda scope, _: (scope.public_parameters(),)),
    "OngoingRead": Frame(lambda _scope, _: ("*",), lambda scope, _: scope.here()),
}
