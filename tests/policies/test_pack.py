"""The pack as the engine meets it: what it declares, and what becomes of unknown values."""

import ast
import json
import sys
from pathlib import Path

import pytest
from coiled_policies.pack import default_tags, policies, read
from coiled_policies.resource import UNKNOWN
from pulumi_policy import (
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    StackValidationArgs,
)
from pulumi_policy.proxy import (
    UNKNOWN_OBJECT_VALUE,
    UNKNOWN_STRING_VALUE,
    UnknownValueError,
    unknown_checking_proxy,
)

FOLDER = Path(__file__).parents[2] / "policies"
OPTIONS = PolicyResourceOptions(
    protect=False,
    ignore_changes=[],
    delete_before_replace=None,
    aliases=[],
    custom_timeouts=None,
    additional_secret_outputs=[],
    parent=None,
)
LEVELS = {
    "imdsv2-required": "mandatory",
    "disks-encrypted": "mandatory",
    "workers-have-no-public-address": "mandatory",
    "required-tags": "mandatory",
    "ssh-not-open-to-the-world": "advisory",
}


def policy(name: str):
    return next(policy for policy in policies() if policy.name == name)


def provider(props: dict) -> PolicyProviderResource:
    return PolicyProviderResource("pulumi:providers:aws", unknown_checking_proxy(props), "urn:aws", "aws")


def judge(name: str, args) -> tuple[list[tuple[str, str | None]], str | None]:
    """Return what a policy reports, and what it says it could not see."""
    reports: list[tuple[str, str | None]] = []
    try:
        policy(name).validate(args, lambda message, urn=None: reports.append((message, urn)))
    except UnknownValueError as error:
        return reports, error.message
    return reports, None


def one(type_token: str, props: dict, *, aws: PolicyProviderResource | None = None) -> ResourceValidationArgs:
    return ResourceValidationArgs(type_token, unknown_checking_proxy(props), "urn:it", "it", OPTIONS, aws)


def part(type_token: str, name: str, props: dict, *, group: PolicyResource | None = None) -> PolicyResource:
    sources = {"securityGroupId": [group]} if group else {}
    return PolicyResource(
        type_token, unknown_checking_proxy(props), f"urn:{name}", name, OPTIONS, None, None, [], sources
    )


def test_pack_declares_the_rules_with_their_levels() -> None:
    assert {policy.name: policy.enforcement_level.value for policy in policies()} == LEVELS


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("dev", LEVELS), ("prod", {**LEVELS, "ssh-not-open-to-the-world": "mandatory"})],
)
def test_config_of_a_stage_sets_every_level(stage: str, expected: dict[str, str]) -> None:
    config = json.loads((FOLDER / "config" / f"{stage}.json").read_text())
    assert config == {name: {"enforcementLevel": level} for name, level in expected.items()}


def test_unknown_property_hides_no_violation_of_the_same_resource() -> None:
    props = {"rootBlockDevice": UNKNOWN_OBJECT_VALUE, "ebsBlockDevices": [{"encrypted": False}]}
    assert judge("disks-encrypted", one("aws:ec2/instance:Instance", props)) == (
        [
            (
                "Instance 'it': ebsBlockDevices[0].encrypted is false, so the disk is written in the clear; "
                "set it to true",
                None,
            )
        ],
        "rootBlockDevice.encrypted of Instance 'it' is not known yet; it is judged during the update",
    )


def test_two_halves_of_the_world_meet_in_a_group_whose_id_is_unknown() -> None:
    group = part("aws:ec2/securityGroup:SecurityGroup", "sg", {"id": UNKNOWN_STRING_VALUE})
    ingress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    ssh = {"ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "securityGroupId": UNKNOWN_STRING_VALUE}
    low = part(ingress, "low", {**ssh, "cidrIpv4": "0.0.0.0/1"}, group=group)
    high = part(ingress, "high", {**ssh, "cidrIpv4": "128.0.0.0/1"}, group=group)
    later = part(ingress, "later", {**ssh, "cidrIpv4": UNKNOWN_STRING_VALUE})
    assert judge("ssh-not-open-to-the-world", StackValidationArgs([later, low, group, high])) == (
        [
            (
                "SecurityGroup 'sg': SSH (port 22) is open to 0.0.0.0/0 through "
                "SecurityGroupIngressRule 'high' and SecurityGroupIngressRule 'low'; narrow `ingress` to "
                "your own address (`cidr: me`) or leave port 22 out",
                "urn:sg",
            )
        ],
        "cidrIpv4 of SecurityGroupIngressRule 'later' is not known yet; it is judged during the update",
    )


def test_default_tags_of_the_provider_count() -> None:
    own = {"tags": {"coiled-pulumi:key": "b2"}}
    aws = provider(
        {"defaultTags": json.dumps({"tags": {"coiled-pulumi:workspace": "w", "coiled-pulumi:stack": "w"}})}
    )
    assert judge("required-tags", one("aws:ec2/vpc:Vpc", own, aws=aws)) == ([], None)


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({}, {}),
        ({"defaultTags": '{"tags": {"a": "b"}}'}, {"a": "b"}),
        ({"defaultTags": {"tags": {"a": "b"}}}, {"a": "b"}),
        ({"defaultTags": "{"}, {}),
        ({"defaultTags": '{"tags": 1}'}, {}),
        ({"defaultTags": UNKNOWN_STRING_VALUE}, UNKNOWN),
        ({"defaultTags": {"tags": UNKNOWN_OBJECT_VALUE}}, UNKNOWN),
    ],
    ids=str,
)
def test_default_tags_are_read_in_either_form(props: dict, expected: object) -> None:
    assert default_tags(provider(props)) == expected


def test_read_marks_unknown_values_and_keeps_the_rest() -> None:
    props = {"a": [1.0, UNKNOWN_STRING_VALUE, {"b": UNKNOWN_OBJECT_VALUE, "c": "text"}], "d": None}
    assert read(unknown_checking_proxy(props)) == {
        "a": [1.0, UNKNOWN, {"b": UNKNOWN, "c": "text"}],
        "d": None,
    }


def test_pack_imports_nothing_of_the_program() -> None:
    allowed = {*sys.stdlib_module_names, "coiled_policies", "pulumi_policy"}
    assert {name for path in FOLDER.rglob("*.py") for name in imports(path)} <= allowed


def test_only_the_pack_knows_the_sdk() -> None:
    users = {path.name for path in FOLDER.rglob("*.py") if "pulumi_policy" in imports(path)}
    assert users == {"__main__.py", "pack.py"}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found
