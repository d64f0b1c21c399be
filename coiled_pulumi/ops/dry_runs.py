"""Calls that are tried before a launch, and actions that IAM is asked about."""

from __future__ import annotations

from typing import Any

from coiled_pulumi.ops.demand import group_names, held_addresses, identity_of, launches
from coiled_pulumi.plan import model


def actions(plan: model.Workspace, *, made: bool) -> tuple[str, ...]:
    """Give the actions that a workspace needs besides those of EC2, which are tried by dry runs.

    Args:
        plan: the workspace.
        made: whether it is up already: then the rights to make what it shares may have been taken away.
    """
    clusters = ("autoscaling:CreateAutoScalingGroup", "iam:PassRole") if plan.clusters else ()
    if made:
        return (*clusters, "ssm:GetParameter")
    return (
        *clusters,
        "iam:AddRoleToInstanceProfile",
        "iam:CreateInstanceProfile",
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "logs:CreateLogGroup",
        "ssm:GetParameter",
    )


def calls(
    plan: model.Workspace, images: dict[str, Any], subnets: Any, groups: Any
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Give calls of EC2 to try, by action: as they will be made, tags included, because policies look at those.

    Args:
        plan: the workspace.
        images: what is known of its images, by key.
        subnets: what is known of its subnets.
        groups: what is known of its security groups, ids by name. A machine is only tried in its own subnet with its
            own groups: in any other place a policy for this workspace would refuse it.
    """
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    known = subnets if isinstance(subnets, tuple) else ()
    there = {name: subnet.id for subnet in known for name in (subnet.id, subnet.name)}
    network = plan.network
    if not there and isinstance(network, model.Network):
        found["ec2:CreateVpc"] = (
            "create_vpc",
            {"CidrBlock": network.vpc.cidr, "TagSpecifications": _tagged(network.vpc.tags, "vpc")},
        )
        found["ec2:CreateInternetGateway"] = (
            "create_internet_gateway",
            {"TagSpecifications": _tagged(network.internet_gateway.tags, "internet-gateway")},
        )
        for address in held_addresses(plan)[:1]:
            options = {"Domain": "vpc", "TagSpecifications": _tagged(address.tags, "elastic-ip")}
            found["ec2:AllocateAddress"] = ("allocate_address", options)
    launch = next(iter(launches(plan)), None)
    image = images.get(launch.image) if launch else None
    place = there.get(identity_of(plan, launch.subnet)) if launch else None
    if launch is None or place is None or not hasattr(image, "id") or not isinstance(groups, dict):
        return found
    names = group_names(plan)
    ids = [groups[names[key]] for key in launch.groups if names.get(key) in groups]
    if len(ids) == len(launch.groups):
        found["ec2:RunInstances"] = (
            "run_instances",
            {
                "ImageId": image.id,
                "InstanceType": launch.types[0],
                "MinCount": 1,
                "MaxCount": 1,
                "SubnetId": place,
                "SecurityGroupIds": ids,
                "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
                "TagSpecifications": _tagged(dict(launch.tags), "instance", "volume", "network-interface"),
            },
        )
    return found


def _tagged(tags: model.Tags, *kinds: str) -> list[dict[str, Any]]:
    rows = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": kind, "Tags": rows} for kind in kinds]
