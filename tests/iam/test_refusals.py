"""What stands in for AWS's refusals has the form that the clients of each service parse."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from _support.calls_seen import Seen, read
from _support.refusals import BLOB, Fault, enforce, inject

NOTHING = [{"Version": "2012-10-17", "Statement": []}]
ALL = [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]


def call(name, **parameters):
    service, _, action = name.partition(":")
    return Seen(service, action, "us-east-1", parameters)


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (call("ec2:CreateVpc"), "403 Forbidden", "UnauthorizedOperation"),
        (call("iam:CreateRole", RoleName="dev"), "403 Forbidden", "AccessDenied"),
        (call("autoscaling:DescribeAutoScalingGroups"), "403 Forbidden", "AccessDenied"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_services_that_speak_xml(asked, status, code):
    answer = enforce(NOTHING)(asked)
    root = ElementTree.fromstring(answer.body)  # noqa: S314 our own text
    assert answer.status == status
    assert root.find(".//Error/Code").text == code
    assert f"is not authorized to perform: {asked.name} on resource: " in root.find(".//Error/Message").text


@pytest.mark.parametrize("asked", [call("logs:CreateLogGroup", logGroupName="dev"), call("ssm:GetParameter")])
def test_services_that_speak_json(asked):
    answer = enforce(NOTHING)(asked)
    body = json.loads(answer.body)
    assert (answer.status, body["__type"]) == ("400 Bad Request", "AccessDeniedException")
    assert asked.name in body["message"]


def test_ec2_sends_its_encoded_message_along():
    assert BLOB.encode() in enforce(NOTHING)(call("ec2:CreateVpc")).body
    assert BLOB.encode() not in enforce(NOTHING)(call("iam:CreateRole", RoleName="dev")).body


def test_what_is_allowed_is_passed_on():
    assert enforce(ALL)(call("ec2:CreateVpc")) is None
    assert enforce(NOTHING)(call("sts:GetCallerIdentity")) is None


def test_faults_hit_the_calls_that_they_name():
    fault = Fault("ec2", "RunInstances", "InsufficientInstanceCapacity", first=2, times=2)
    watch = inject(fault)
    hits = [watch(call("ec2:RunInstances")) is not None for _ in range(5)]
    assert hits == [False, True, True, False, False]
    assert fault.hits == 2
    assert watch(call("ec2:CreateVpc")) is None


def signed(service):
    return {
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260102/eu-west-1/"
        f"{service}/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
    }


def test_a_request_of_the_query_protocol_is_read():
    body = b"Action=CreateSubnet&Version=2016-11-15&VpcId=vpc-1&TagSpecification.1.ResourceType=subnet&DryRun=true"
    found = read("POST", "/", signed("ec2"), body)
    expected = {"VpcId": "vpc-1", "TagSpecification": [{"ResourceType": "subnet"}], "DryRun": "true"}
    assert found == Seen("ec2", "CreateSubnet", "eu-west-1", expected)
    assert (found.name, found.mutating, found.dry) == ("ec2:CreateSubnet", True, True)


def test_a_request_of_the_json_protocol_is_read():
    headers = signed("logs") | {"X-Amz-Target": "Logs_20140328.CreateLogGroup"}
    found = read("POST", "/", headers, b'{"logGroupName": "dev"}')
    assert found == Seen("logs", "CreateLogGroup", "eu-west-1", {"logGroupName": "dev"})


def test_a_request_of_another_protocol_has_a_name():
    assert read("GET", "/bucket/key?versions", signed("s3"), b"").name == "s3:Get /bucket/key"
