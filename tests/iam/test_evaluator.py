"""The evaluator decides as IAM's documentation says."""

import pytest
from _support.authorisations import requests_of
from _support.calls_seen import Seen, nested
from _support.evaluator import Request, allows, refused

ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ROLE = "arn:aws:iam::123456789012:role/dev"


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(statement, action="ec2:RunInstances", resource="*", **context):
    context = {name.replace("__", ":"): values for name, values in context.items()}
    return allows([document(ANY | statement)], Request(action, resource, context))


@pytest.mark.parametrize(
    ("pattern", "action", "allowed"),
    [
        ("ec2:RunInstances", "ec2:RunInstances", True),
        ("ec2:runinstances", "ec2:RunInstances", True),
        ("ec2:Run*", "ec2:RunInstances", True),
        ("ec2:?unInstances", "ec2:RunInstances", True),
        ("*", "ec2:RunInstances", True),
        ("ec2:Run", "ec2:RunInstances", False),
        ("iam:*", "ec2:RunInstances", False),
        ("ec2:R.nInstances", "ec2:RunInstances", False),
    ],
)
def test_actions(pattern, action, allowed):
    assert decide({"Action": [pattern]}, action) is allowed


@pytest.mark.parametrize(
    ("pattern", "resource", "allowed"),
    [
        (ROLE, ROLE, True),
        ("arn:aws:iam::*:role/dev", ROLE, True),
        ("arn:aws:iam::*:role/de?", ROLE, True),
        ("*", ROLE, True),
        ("arn:aws:iam::*:role/dev", f"{ROLE}2", False),
        ("arn:aws:iam::*:role/Dev", ROLE, False),
        ("arn:aws:ec2:us-east-1:*:*/*", "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1", True),
        ("arn:aws:ec2:us-east-1:*:*/*", "arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-1", False),
        # A wildcard for the account does not reach into the next part.
        ("arn:aws:iam::*:dev", "arn:aws:iam::1:role:dev", False),
        ("arn:aws:logs:*:*:log-group:dev:*", "arn:aws:logs:r:1:log-group:dev:log-stream:a", True),
        ("arn:aws:logs:*:*:log-group:dev", "arn:aws:logs:r:1:log-group:dev:log-stream:a", False),
        (ROLE, "*", False),
    ],
)
def test_resources(pattern, resource, allowed):
    assert decide({"Resource": pattern}, resource=resource) is allowed


#: Operator, its key's wanted values, what the request has (None: no such key), what IAM says.
CONDITIONS = [
    ("StringEquals", "a", ("a",), True),
    ("StringEquals", "a", ("A",), False),
    ("StringEquals", "a*", ("ab",), False),
    ("StringEquals", ["a", "b"], ("b",), True),
    ("StringEquals", "a", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIfExists", "a", ("b",), False),
    ("StringEqualsIgnoreCase", "a", ("A",), True),
    ("StringNotEquals", "a", ("b",), True),
    ("StringNotEquals", "a", ("a",), False),
    ("StringNotEquals", ["a", "b"], ("b",), False),
    ("StringNotEquals", "a", None, True),
    ("StringLike", "a*", ("ab",), True),
    ("StringLike", "a?", ("abc",), False),
    ("StringNotLike", "a*", ("ab",), False),
    ("ArnEquals", "arn:aws:iam::*:role/dev", (ROLE,), True),
    ("ArnLike", "arn:aws:iam::*:role/dev", (f"{ROLE}2",), False),
    ("ArnNotLike", "arn:aws:iam::*:role/dev", (ROLE,), False),
    ("Bool", "true", ("true",), True),
    ("Bool", "true", ("false",), False),
    ("Null", "true", None, True),
    ("Null", "true", ("a",), False),
    ("Null", "false", ("a",), True),
    ("Null", "false", None, False),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
    ("ForAllValues:StringEquals", ["a"], None, True),
    ("ForAllValues:StringNotLike", ["a*"], ("b", "ab"), False),
    ("ForAllValues:StringNotLike", ["a*"], ("b", "c"), True),
    ("ForAnyValue:StringEquals", ["a"], ("b", "a"), True),
    ("ForAnyValue:StringEquals", ["a"], ("b",), False),
    ("ForAnyValue:StringEquals", ["a"], None, False),
]


@pytest.mark.parametrize(("operator", "wanted", "given", "allowed"), CONDITIONS)
def test_conditions(operator, wanted, given, allowed):
    context = {} if given is None else {"aws__TagKeys": given}
    assert decide({"Condition": {operator: {"aws:TagKeys": wanted}}}, **context) is allowed


def test_all_lines_of_a_condition_have_to_hold():
    condition = {"StringEquals": {"aws:a": "1", "aws:b": "2"}, "Null": {"aws:c": "true"}}
    assert decide({"Condition": condition}, aws__a=("1",), aws__b=("2",))
    assert not decide({"Condition": condition}, aws__a=("1",), aws__b=("3",))
    assert not decide({"Condition": condition}, aws__a=("1",), aws__b=("2",), aws__c=("3",))


def test_keys_are_the_same_in_whatever_case():
    assert decide({"Condition": {"StringEquals": {"AWS:Tagkeys": "a"}}}, aws__TagKeys=("a",))


def test_nothing_is_allowed_by_itself_and_a_deny_wins():
    request = Request("ec2:RunInstances", "*")
    assert not allows([], request)
    assert not allows([document()], request)
    assert not allows([document(ANY), document(ANY | {"Effect": "Deny", "Action": "ec2:*"})], request)
    assert allows([document(ANY), document(ANY | {"Effect": "Deny", "Action": "iam:*"})], request)


@pytest.mark.parametrize(
    "statement",
    [
        {"NotAction": "iam:*"},
        {"Principal": "*"},
        {"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}},
        {"Condition": {"ForSomeValues:StringEquals": {"aws:TagKeys": "a"}}},
    ],
)
def test_what_it_does_not_know_is_an_error(statement):
    with pytest.raises(NotImplementedError):
        decide(statement, aws__TagKeys=("a",))


def test_a_call_is_refused_by_the_first_request_that_is_not_allowed():
    requests = [Request("ec2:A", "*"), Request("ec2:B", "*"), Request("ec2:C", "*")]
    assert refused([document(ANY | {"Action": ["ec2:A", "ec2:C"]})], requests) == requests[1]
    assert refused([document(ANY)], requests) is None


def test_flat_parameters_are_nested():
    flat = {
        "Action": "X",
        "Version": "1",
        "Tag.2.Key": "b",
        "Tag.1.Key": "a",
        "A.B": "c",
        "Tags.member.1.K": "d",
    }
    assert nested(flat) == {"Tag": [{"Key": "a"}, {"Key": "b"}], "A": {"B": "c"}, "Tags": [{"K": "d"}]}


def asked(service, action, parameters, facts=None):
    found = requests_of(Seen(service, action, "us-east-1", parameters, facts or {}))
    return [(one.action, one.resource.split(":", 5)[-1]) for one in found]


def test_a_subnet_is_asked_for_with_its_vpc_and_its_tags():
    tags = [{"ResourceType": "subnet", "Tag": [{"Key": "a", "Value": "b"}]}]
    parameters = {"VpcId": "vpc-0123456789abcdef0", "TagSpecification": tags}
    found = requests_of(
        Seen("ec2", "CreateSubnet", "us-east-1", parameters, {"vpc-0123456789abcdef0": {"tags": {"c": "d"}}})
    )
    region = {"aws:RequestedRegion": ("us-east-1",)}
    new = {"aws:RequestTag/a": ("b",), "aws:TagKeys": ("a",)} | region
    place = "arn:aws:ec2:us-east-1:123456789012:"
    assert found == [
        Request("ec2:CreateSubnet", f"{place}subnet/*", new),
        Request(
            "ec2:CreateSubnet", f"{place}vpc/vpc-0123456789abcdef0", {"aws:ResourceTag/c": ("d",)} | region
        ),
        Request("ec2:CreateTags", f"{place}subnet/*", new | {"ec2:CreateAction": ("CreateSubnet",)}),
    ]


RUN = {
    "ImageId": "ami-0123456789abcdef0",
    "SubnetId": "subnet-0123456789abcdef0",
    "SecurityGroupId": ["sg-0123456789abcdef0"],
    "IamInstanceProfile": {"Name": "dev"},
}
LAUNCHED = [
    ("ec2:RunInstances", "image/ami-0123456789abcdef0"),
    ("ec2:RunInstances", "instance/*"),
    ("ec2:RunInstances", "network-interface/*"),
    ("ec2:RunInstances", "security-group/sg-0123456789abcdef0"),
    ("ec2:RunInstances", "subnet/subnet-0123456789abcdef0"),
    ("ec2:RunInstances", "volume/*"),
    ("iam:PassRole", "role/dev"),
]
PROFILE = {"profile dev": {"role": "dev"}}


def test_a_launch_is_asked_for_all_that_it_makes_uses_and_passes():
    assert asked("ec2", "RunInstances", RUN, PROFILE) == LAUNCHED


def test_a_group_with_a_template_is_asked_for_the_launch_too():
    template = "lt-0123456789abcdef0"
    facts = PROFILE | {
        template: {"tags": {}, "data": {name: RUN[name] for name in RUN if name != "SubnetId"}}
    }
    parameters = {
        "AutoScalingGroupName": "dev-1",
        "VPCZoneIdentifier": RUN["SubnetId"],
        "LaunchTemplate": {"LaunchTemplateId": template, "Version": "1"},
    }
    found = asked("autoscaling", "CreateAutoScalingGroup", parameters, facts)
    assert found[0] == ("autoscaling:CreateAutoScalingGroup", "autoScalingGroup:*:autoScalingGroupName/dev-1")
    assert sorted(found[1:]) == sorted([*LAUNCHED, ("ec2:RunInstances", f"launch-template/{template}")])


def test_a_mixed_group_is_asked_for_the_launch_too():
    template = {
        "LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateId": "lt-0123456789abcdef0"}}
    }
    parameters = {"AutoScalingGroupName": "dev-1", "MixedInstancesPolicy": template}
    assert ("ec2:RunInstances", "launch-template/lt-0123456789abcdef0") in asked(
        "autoscaling", "CreateAutoScalingGroup", parameters
    )


@pytest.mark.parametrize(
    ("service", "action", "parameters", "expected"),
    [
        ("sts", "GetCallerIdentity", {}, []),
        ("ec2", "DescribeVpcs", {}, [("ec2:DescribeVpcs", "*")]),
        ("iam", "GetRole", {"RoleName": "dev"}, [("iam:GetRole", "role/dev")]),
        (
            "iam",
            "AddRoleToInstanceProfile",
            {"RoleName": "dev", "InstanceProfileName": "dev"},
            [("iam:AddRoleToInstanceProfile", "instance-profile/dev"), ("iam:PassRole", "role/dev")],
        ),
        (
            "logs",
            "CreateLogGroup",
            {"logGroupName": "dev", "tags": {"a": "b"}},
            [
                ("logs:CreateLogGroup", "log-group:dev"),
                ("logs:TagResource", "log-group:dev"),
                ("logs:CreateLogGroup", "log-group:dev:log-stream:"),
                ("logs:TagResource", "log-group:dev:log-stream:"),
            ],
        ),
        ("ssm", "GetParameter", {"Name": "/a/b"}, [("ssm:GetParameter", "parameter/a/b")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_asked_for(service, action, parameters, expected):
    assert asked(service, action, parameters) == expected


def test_parameters_of_aws_belong_to_no_account():
    (request,) = requests_of(Seen("ssm", "GetParameter", "us-east-1", {"Name": "/aws/service/a"}))
    assert request.resource == "arn:aws:ssm:us-east-1::parameter/aws/service/a"
