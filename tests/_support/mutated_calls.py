"""Calls that somebody with our documents must not get through: recorded ones with one thing changed, and others.

The name of each says what is wrong with it. Together they touch every condition of every statement: the tests take
the conditions away one by one and want at least one of these calls to be allowed then.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from _support.authorisations import ACCOUNT, requests_of
from _support.calls_seen import Seen
from _support.evaluator import Request, refused
from _support.iam_runs import first
from coiled_pulumi.plan.identity import OWNER_TAG
from coiled_pulumi.plan.model import Workspace

OTHER = "other"
_WORKSPACE = "coiled-pulumi:workspace"
_SUFFIX = "0123456789abcdef0"
ABROAD = "eu-west-1"

Change = Callable[[Seen], None]


@dataclasses.dataclass(frozen=True)
class Mutated:
    """What AWS would ask IAM for a call, under the narrow and under the wide reading of its table of condition keys."""

    readings: tuple[list[Request], ...]

    def allowed(self, documents: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the call gets through under one of the readings."""
        return any(refused(documents, requests) is None for requests in self.readings)


def mutated(calls: Sequence[Seen], plan: Workspace) -> dict[str, Mutated]:
    """Give every call by what is wrong with it.

    Args:
        calls: recorded in the workspace of the plan.
        plan: with a network of its own.
    """
    found = {
        **_launches(calls),
        **_tags(calls, plan),
        **_machines(calls),
        **_groups(calls),
        **_network(calls),
    }
    found |= {**_identity(calls, plan), **_names(calls, plan)}
    by_name = {name: asked(call) for name, call in found.items()}
    return by_name | {name: Mutated((requests,)) for name, requests in _bare(plan).items()}


def asked(call: Seen) -> Mutated:
    """Give what AWS would ask for a call."""
    return Mutated((requests_of(call), requests_of(call, lenient=True)))


def _changed(call: Seen, *changes: Change) -> Seen:
    """Copy a call and change the copy."""
    made = copy.deepcopy(call)
    for change in changes:
        change(made)
    return made


def _with(**parameters: Any) -> Change:
    return lambda call: call.parameters.update(parameters)


def _without(*names: str) -> Change:
    def change(call: Seen) -> None:
        for name in names:
            call.parameters.pop(name, None)

    return change


def _held(prefix: str, tags: dict[str, str]) -> Change:
    """Give what is named by an id or fact of this kind other tags."""

    def change(call: Seen) -> None:
        hits = [name for name in call.facts if name.startswith(prefix)]
        assert hits, f"{call.name} names no {prefix}: {sorted(call.facts)}"
        for name in hits:
            call.facts[name]["tags"] = tags

    return change


def _foreign(prefix: str) -> Change:
    return _held(prefix, {_WORKSPACE: OTHER})


def _retagged(kind: str, *, at: str = "TagSpecification", **tags: str | None) -> Change:
    """Change the tags that a call gives to what it makes; None takes one away, and no tags leave no specification."""
    wanted = {name.replace("__", ":").replace("_", "-"): value for name, value in tags.items()}

    def change(call: Seen) -> None:
        for spec in call.parameters[at]:
            if spec["ResourceType"] == kind:
                rows = {row["Key"]: row["Value"] for row in spec["Tag"]} | wanted
                spec["Tag"] = [
                    {"Key": key, "Value": value} for key, value in rows.items() if value is not None
                ]

    return change


def _untagged(kind: str) -> Change:
    def change(call: Seen) -> None:
        rows = call.parameters["TagSpecification"]
        call.parameters["TagSpecification"] = [row for row in rows if row["ResourceType"] != kind]

    return change


def _as_other(kind: str) -> Change:
    return _retagged(kind, coiled_pulumi__workspace=OTHER)


def _abroad(call: Seen) -> Seen:
    return dataclasses.replace(copy.deepcopy(call), region=ABROAD)


def _launches(calls: Sequence[Seen]) -> dict[str, Seen]:
    run = first([call for call in calls if not call.dry], "ec2:RunInstances")

    def of_somebody(call: Seen) -> None:
        for fact in call.facts.values():
            if "owner" in fact:
                fact["owner"] = "999999999999"

    def as_admin(call: Seen) -> None:
        call.parameters["IamInstanceProfile"] = {"Name": "admin"}
        call.facts["profile admin"] = {"role": "admin"}

    def from_template(call: Seen) -> None:
        call.parameters["LaunchTemplate"] = {"LaunchTemplateId": f"lt-{_SUFFIX}", "Version": "1"}
        call.facts[f"lt-{_SUFFIX}"] = {"tags": {_WORKSPACE: OTHER}, "data": {}}

    def interface_as_other(call: Seen) -> None:
        row = {"ResourceType": "network-interface", "Tag": [{"Key": _WORKSPACE, "Value": OTHER}]}
        call.parameters["TagSpecification"].append(row)

    open_metadata = {"HttpTokens": "optional", "HttpEndpoint": "enabled"}
    return {
        "launch: instance without tags": _changed(run, _untagged("instance")),
        "launch: instance of another workspace": _changed(run, _as_other("instance")),
        "launch: volume without tags": _changed(run, _untagged("volume")),
        "launch: volume of another workspace": _changed(run, _as_other("volume")),
        "launch: interface of another workspace": _changed(run, interface_as_other),
        "launch: tag that is none of ours": _changed(run, _retagged("instance", admin="yes")),
        "launch: metadata without tokens": _changed(run, _with(MetadataOptions=open_metadata)),
        "launch: metadata not spoken of": _changed(run, _without("MetadataOptions")),
        "launch: in a foreign subnet": _changed(run, _foreign("subnet-")),
        "launch: in a subnet without tags": _changed(run, _held("subnet-", {})),
        "launch: with a foreign security group": _changed(run, _foreign("sg-")),
        "launch: image of somebody": _changed(run, of_somebody),
        "launch: with another role": _changed(run, as_admin),
        "launch: from a foreign template": _changed(run, from_template),
        "launch: with a key pair": _changed(run, _with(KeyName="mine", Key=f"key-{_SUFFIX}")),
        "launch: in another region": _abroad(run),
    }


def _tags(calls: Sequence[Seen], plan: Workspace) -> dict[str, Seen]:
    own = {
        row["Key"]: row["Value"]
        for row in first(calls, "ec2:CreateVpc").parameters["TagSpecification"][0]["Tag"]
    }
    region = plan.region
    default = next(
        call
        for call in calls
        if call.name == "ec2:CreateTags" and any(row["Key"] == _WORKSPACE for row in call.parameters["Tag"])
    )

    def tag(one: str, held: dict[str, str], given: dict[str, str], action: str = "CreateTags") -> Seen:
        rows = [{"Key": key, "Value": value} for key, value in given.items()]
        one = f"{one}-{_SUFFIX}"
        return Seen("ec2", action, region, {"ResourceId": [one], "Tag": rows}, {one: {"tags": held}})

    def keyed(**tags: str) -> Change:
        wanted = {name.replace("__", ":").replace("_", "-"): value for name, value in tags.items()}

        def change(call: Seen) -> None:
            rows = {row["Key"]: row["Value"] for row in call.parameters["Tag"]} | wanted
            call.parameters["Tag"] = [{"Key": key, "Value": value} for key, value in rows.items()]

        return change

    other = {_WORKSPACE: OTHER}
    extra = dict.fromkeys((key for key in own if ":" not in key and key != "Name"), "x")
    return {
        "tags: a running machine of somebody becomes ours": tag("i", {}, own),
        "tags: a machine of another workspace becomes ours": tag("i", other, own),
        "tags: a subnet of somebody becomes ours": tag("subnet", {}, own),
        "tags: ours are given away": tag("i", own, other),
        "tags: our own, on a foreign machine": tag("i", other, extra),
        "tags: one that is none of ours, on our machine": tag("i", own, {"admin": "yes"}),
        "tags: all taken off our machine": tag("i", own, {}, "DeleteTags"),
        "tags: the workspace's taken off our machine": tag(
            "i", own, {_WORKSPACE: own[_WORKSPACE]}, "DeleteTags"
        ),
        "tags: taken off a foreign machine": tag("i", other, extra, "DeleteTags"),
        "default group: of another workspace": _changed(default, _foreign("sg-")),
        "default group: given to another workspace": _changed(default, keyed(coiled_pulumi__workspace=OTHER)),
        "default group: under another key": _changed(default, keyed(coiled_pulumi__key="0123456789abcdef")),
        "default group: tag that is none of ours": _changed(default, keyed(admin="yes")),
    }


def _machines(calls: Sequence[Seen]) -> dict[str, Seen]:
    end = first(calls, "ec2:TerminateInstances")
    template = first(calls, "ec2:CreateLaunchTemplate")
    version = first(calls, "ec2:CreateLaunchTemplateVersion")
    default, gone = first(calls, "ec2:ModifyLaunchTemplate"), first(calls, "ec2:DeleteLaunchTemplate")
    return {
        "terminate: a foreign machine": _changed(end, _foreign("i-")),
        "terminate: a machine without tags": _changed(end, _held("i-", {})),
        "terminate: in another region": _abroad(end),
        "template: without tags": _changed(template, _untagged("launch-template")),
        "template: of another workspace": _changed(template, _as_other("launch-template")),
        "template: tag that is none of ours": _changed(template, _retagged("launch-template", admin="yes")),
        "template: in another region": _abroad(template),
        "template: new version of a foreign one": _changed(version, _foreign("lt-")),
        "template: default of a foreign one": _changed(default, _foreign("lt-")),
        "template: a foreign one deleted": _changed(gone, _foreign("lt-")),
    }


def _groups(calls: Sequence[Seen]) -> dict[str, Seen]:
    make = first(calls, "autoscaling:CreateAutoScalingGroup")
    scale = first(calls, "autoscaling:UpdateAutoScalingGroup")
    gone = first(calls, "autoscaling:DeleteAutoScalingGroup")
    tag = first(calls, "autoscaling:CreateOrUpdateTags")

    def keyed(**tags: str | None) -> Change:
        wanted = {name.replace("__", ":").replace("_", "-"): value for name, value in tags.items()}

        def change(call: Seen) -> None:
            rows = {row["Key"]: row for row in call.parameters["Tags"]}
            model = next(iter(rows.values()))
            rows |= {key: model | {"Key": key, "Value": value} for key, value in wanted.items()}
            call.parameters["Tags"] = [row for row in rows.values() if row["Value"] is not None]

        return change

    def template(**data: Any) -> Change:
        def change(call: Seen) -> None:
            for name, fact in call.facts.items():
                if name.startswith("lt-"):
                    fact["data"] = {**fact["data"], **data}
                if name.startswith("profile "):
                    fact["role"] = data.get("role", fact["role"])

        return change

    def renamed(call: Seen) -> None:
        call.facts["group else"] = {"tags": {_WORKSPACE: call.facts[_group(call)]["tags"][_WORKSPACE]}}
        call.parameters["AutoScalingGroupName"] = "else"

    return {
        "group: without tags": _changed(make, _with(Tags=[])),
        "group: of another workspace": _changed(make, keyed(coiled_pulumi__workspace=OTHER)),
        "group: tag that is none of ours": _changed(make, keyed(admin="yes")),
        "group: named as another workspace's": _changed(make, _with(AutoScalingGroupName="other-workers")),
        "group: from a foreign template": _changed(make, _foreign("lt-")),
        "group: in a foreign subnet": _changed(make, _foreign("subnet-")),
        "group: metadata without tokens": _changed(
            make, template(MetadataOptions={"HttpTokens": "optional"})
        ),
        "group: with another role": _changed(make, template(role="admin")),
        "group: in another region": _abroad(make),
        "scale: a foreign group": _changed(scale, _foreign("group ")),
        "scale: a group with another name": _changed(scale, renamed),
        "scale: in another region": _abroad(scale),
        "stop: a foreign group": _changed(gone, _foreign("group ")),
        "group tags: on a foreign group": _changed(tag, _foreign("group ")),
        "group tags: ours given away": _changed(tag, keyed(coiled_pulumi__workspace=OTHER)),
    }


def _group(call: Seen) -> str:
    return next(name for name in call.facts if name.startswith("group "))


def _network(calls: Sequence[Seen]) -> dict[str, Seen]:
    def one(name: str) -> Seen:
        return first(calls, f"ec2:{name}")

    vpc, subnet, internet = one("CreateVpc"), one("CreateSubnet"), one("CreateInternetGateway")
    ingress = one("AuthorizeSecurityGroupIngress")
    nat, endpoint, table = one("CreateNatGateway"), one("CreateVpcEndpoint"), one("CreateRouteTable")

    def on_default_group(call: Seen) -> None:
        default = next(
            fact["tags"]
            for other in calls
            for name, fact in other.facts.items()
            if name.startswith("sg-") and "default-group" in fact.get("tags", {}).get("Name", "")
        )
        for name, fact in call.facts.items():
            if name.startswith("sg-"):
                fact["tags"] = default

    return {
        "vpc: without tags": _changed(vpc, _untagged("vpc")),
        "vpc: of another workspace": _changed(vpc, _as_other("vpc")),
        "vpc: tag that is none of ours": _changed(vpc, _retagged("vpc", admin="yes")),
        "vpc: in another region": _abroad(vpc),
        "vpc: a foreign one deleted": _changed(one("DeleteVpc"), _foreign("vpc-")),
        "subnet: without tags": _changed(subnet, _untagged("subnet")),
        "subnet: of another workspace": _changed(subnet, _as_other("subnet")),
        "subnet: in a foreign VPC": _changed(subnet, _foreign("vpc-")),
        "subnet: a foreign one deleted": _changed(one("DeleteSubnet"), _foreign("subnet-")),
        "internet gateway: without tags": _changed(internet, _untagged("internet-gateway")),
        "internet gateway: into a foreign VPC": _changed(one("AttachInternetGateway"), _foreign("vpc-")),
        "internet gateway: a foreign one": _changed(one("AttachInternetGateway"), _foreign("igw-")),
        "routes: a table in a foreign VPC": _changed(table, _foreign("vpc-")),
        "routes: in a foreign table": _changed(one("CreateRoute"), _foreign("rtb-")),
        "routes: a foreign one deleted": _changed(one("DeleteRoute"), _foreign("rtb-")),
        "routes: a foreign subnet joined": _changed(one("AssociateRouteTable"), _foreign("subnet-")),
        "routes: a foreign subnet cut off": _changed(one("DisassociateRouteTable"), _foreign("subnet-")),
        "address: without tags": _changed(one("AllocateAddress"), _untagged("elastic-ip")),
        "address: a foreign one released": _changed(one("ReleaseAddress"), _foreign("eipalloc-")),
        "address: a foreign one taken away": dataclasses.replace(
            one("DisassociateAddress"),
            parameters={"AssociationId": f"eipassoc-{_SUFFIX}"},
            facts={
                f"eipassoc-{_SUFFIX}": {"joins": [f"eipalloc-{_SUFFIX}"]},
                f"eipalloc-{_SUFFIX}": {"tags": {_WORKSPACE: OTHER}},
            },
        ),
        "NAT: without tags": _changed(nat, _untagged("natgateway")),
        "NAT: in a foreign subnet": _changed(nat, _foreign("subnet-")),
        "NAT: with a foreign address": _changed(nat, _foreign("eipalloc-")),
        "NAT: a foreign one deleted": _changed(one("DeleteNatGateway"), _foreign("nat-")),
        "endpoint: without tags": _changed(endpoint, _untagged("vpc-endpoint")),
        "endpoint: in a foreign VPC": _changed(endpoint, _foreign("vpc-")),
        "endpoint: in a foreign table": _changed(endpoint, _foreign("rtb-")),
        "endpoint: a foreign one deleted": _changed(one("DeleteVpcEndpoints"), _foreign("vpce-")),
        "security group: in a foreign VPC": _changed(one("CreateSecurityGroup"), _foreign("vpc-")),
        "security group: a foreign one deleted": _changed(one("DeleteSecurityGroup"), _foreign("sg-")),
        "rule: opens a foreign group": _changed(ingress, _foreign("sg-")),
        "rule: opens the default group": _changed(ingress, on_default_group),
        "rule: of another workspace": _changed(ingress, _as_other("security-group-rule")),
        "rule: closes a foreign group": _changed(one("RevokeSecurityGroupIngress"), _foreign("sg-")),
    }


def _identity(calls: Sequence[Seen], plan: Workspace) -> dict[str, Seen]:
    def iam(action: str, **parameters: Any) -> Seen:
        return Seen("iam", action, "us-east-1", parameters)

    ours = plan.identity.physical_name
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    document = "arn:aws:iam::123456789012:policy/any"
    make = first(calls, "iam:CreateRole")
    return {
        "role: with another name": _changed(make, _with(RoleName="admin")),
        "role: whose name starts with ours": _changed(make, _with(RoleName=f"{ours}2")),
        "role: under another path": _changed(make, _with(Path="/admin/")),
        "role: another one's document": _changed(first(calls, "iam:PutRolePolicy"), _with(RoleName="admin")),
        "role: another one deleted": _changed(first(calls, "iam:DeleteRole"), _with(RoleName="admin")),
        "role: another one tagged": iam("TagRole", RoleName="admin", Tags=[{"Key": "team", "Value": "x"}]),
        "role: a managed policy that no file names": iam("AttachRolePolicy", RoleName=ours, PolicyArn=admin),
        "role: trusts somebody else": iam("UpdateAssumeRolePolicy", RoleName=ours, PolicyDocument="{}"),
        "role: a boundary put on": iam(
            "PutRolePermissionsBoundary", RoleName=ours, PermissionsBoundary=admin
        ),
        "role: a boundary taken away": iam("DeleteRolePermissionsBoundary", RoleName=ours),
        "profile: another role in ours": iam(
            "AddRoleToInstanceProfile", InstanceProfileName=ours, RoleName="admin"
        ),
        "profile: our role in another": iam(
            "AddRoleToInstanceProfile", InstanceProfileName="admin", RoleName=ours
        ),
        "service role: of another service": iam(
            "CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com"
        ),
        "policy: a new version": iam("CreatePolicyVersion", PolicyArn=document, PolicyDocument="{}"),
        "user: a new one": iam("CreateUser", UserName="me"),
        "user: a key": iam("CreateAccessKey", UserName="me"),
    }


def _names(calls: Sequence[Seen], plan: Workspace) -> dict[str, Seen]:
    name, here = plan.name, plan.region

    def logs(action: str, group: str, region: str = here) -> Seen:
        return Seen("logs", action, region, {"logGroupName": group})

    def ssm(action: str, path: str, region: str = here) -> Seen:
        return Seen("ssm", action, region, {"Name": path})

    make = first(calls, "logs:CreateLogGroup")
    return {
        "logs: another group": _changed(make, _with(logGroupName="other")),
        "logs: a group whose name starts with ours": _changed(make, _with(logGroupName=f"{name}2")),
        "logs: in another region": _abroad(make),
        "logs: another group kept for a day": _changed(
            first(calls, "logs:PutRetentionPolicy"), _with(logGroupName="other", retentionInDays=1)
        ),
        "logs: another group deleted": logs("DeleteLogGroup", "other"),
        "logs: another group read": logs("FilterLogEvents", "other"),
        "logs: a group read whose name starts with ours": logs("GetLogEvents", f"{name}2"),
        "logs: another group written": logs("PutLogEvents", "other"),
        "parameter: of another workspace read": ssm("GetParameter", "/coiled-pulumi/other/ca"),
        "parameter: of another workspace written": ssm("PutParameter", f"/coiled-pulumi/{name}2/ca"),
        "parameter: of another workspace deleted": ssm("DeleteParameter", "/coiled-pulumi/other/ca"),
        "parameter: of somebody": ssm("GetParameter", "/prod/database/password"),
        "parameter: in another region": ssm("GetParameter", f"/coiled-pulumi/{name}/ca", ABROAD),
        "shell: a command on our machine": Seen("ssm", "SendCommand", here, {"Name": "AWS-RunShellScript"}),
        "reads: in another region": _abroad(first(calls, "ec2:DescribeInstances")),
        "reads: somebody's buckets": Seen("s3", "ListAllMyBuckets", here),
    }


def _bare(plan: Workspace) -> dict[str, list[Request]]:
    """Give what is no call of its own, or of a service that has no room in `authorisations`."""
    role = f"arn:aws:iam::{ACCOUNT}:role/"
    own = {f"aws:ResourceTag/{_WORKSPACE}": (plan.name,)}
    machine = f"arn:aws:ec2:{plan.region}:{ACCOUNT}:instance/i-{_SUFFIX}"
    other = {f"aws:ResourceTag/{_WORKSPACE}": (OTHER,)}
    group = (
        f"arn:aws:autoscaling:{plan.region}:{ACCOUNT}:autoScalingGroup:*"
        f":autoScalingGroupName/{plan.name}-cluster-one-workers-{_SUFFIX}"
    )
    to_lambda = {"iam:PassedToService": ("lambda.amazonaws.com",)}
    to_ec2 = {"iam:PassedToService": ("ec2.amazonaws.com",)}
    return {
        "pass: our role to a function": [
            Request("iam:PassRole", role + plan.identity.physical_name, to_lambda)
        ],
        "pass: another role to a machine": [Request("iam:PassRole", f"{role}admin", to_ec2)],
        "pass: a role whose name starts with ours": [
            Request("iam:PassRole", f"{role}{plan.identity.physical_name}2", to_ec2)
        ],
        "machine: user data of the way out changed": [Request("ec2:ModifyInstanceAttribute", machine, own)],
        "machine: another workspace's changed": [
            Request(
                "ec2:ModifyInstanceAttribute",
                machine,
                other | {"aws:ResourceTag/coiled-pulumi:cluster": ("one",)},
            )
        ],
        "group: another workspace's given an owner": [
            Request("autoscaling:CreateOrUpdateTags", group, other | {"aws:TagKeys": (OWNER_TAG,)})
        ],
        "group: ours given another workspace's tag": [
            Request("autoscaling:CreateOrUpdateTags", group, own | {"aws:TagKeys": (OWNER_TAG, _WORKSPACE)})
        ],
        "group: all its tags taken": [Request("autoscaling:DeleteTags", group, own)],
        "machine: somebody's key sent": [Request("ec2-instance-connect:SendSSHPublicKey", machine, own)],
        "spot: asked for directly": [Request("ec2:RequestSpotInstances", "*", {})],
    }
