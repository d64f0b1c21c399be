"""What an instance's credentials may do: as IAM decides about its role, in the words of each service."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config
from botocore.utils import InstanceMetadataFetcher

from coiled_pulumi.local import control, policies
from coiled_pulumi.local.environment import endpoint
from coiled_pulumi.local.roles import Roles

ACCOUNT = "123456789012"
REGION = "us-east-1"
ARN = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a/b"


def decide(statement: dict[str, Any], **context: str) -> bool:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    named = {name.replace("__", ":").replace("_of_", "/"): (value,) for name, value in context.items()}
    document = {"Version": "2012-10-17", "Statement": [everything | statement]}
    return policies.allows([document], policies.Request("ssm:GetParameter", ARN, named))


@pytest.mark.parametrize(
    ("pattern", "value", "allowed"),
    [
        ("*:${aws:ResourceTag/owner}", "i-1", True),
        ("*:${AWS:resourcetag/OWNER}", "i-1", True),
        ("*:${aws:ResourceTag/owner}", "i-2", False),
        # What a variable brings in is no pattern.
        ("*:${aws:ResourceTag/owner}", "*", False),
        ("*:${aws:ResourceTag/owner}", "i-?", False),
        ("*:${aws:ResourceTag/nobody}", "i-1", False),
        ("*:${aws:ResourceTag/nobody, 'i-1'}", "", True),
        ("AROA:i${*}1", "", False),
    ],
)
def test_variables_in_conditions(*, pattern: str, value: str, allowed: bool) -> None:
    statement = {"Condition": {"StringLike": {"aws:userid": pattern}}}
    assert decide(statement, aws__userid="AROA:i-1", aws__ResourceTag_of_owner=value) is allowed


def test_variable_that_is_not_there_matches_in_no_way() -> None:
    for operator in ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"):
        statement = {"Condition": {operator: {"aws:userid": "${aws:ResourceTag/nobody}"}}}
        assert decide(statement, aws__userid="AROA:i-1") is False


@pytest.mark.parametrize(
    ("resource", "allowed"), [("${ssm:what}/b", True), ("${ssm:nothing}/b", False), ("${ssm:what}/c", False)]
)
def test_variables_in_resources(*, resource: str, allowed: bool) -> None:
    place = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/"
    assert decide({"Resource": place + resource}, ssm__what="a") is allowed


@dataclasses.dataclass(frozen=True)
class Instance:
    """An instance with a role of its own, and clients that use its credentials."""

    aws: Any
    id: str
    role: str

    @property
    def arn(self) -> str:
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.role}/{self.id}"

    def allow(self, *, effect: str = "Allow", resource: str = "*", **statement: Any) -> None:
        one = {"Effect": effect, "Resource": resource} | statement
        document = {"Version": "2012-10-17", "Statement": [one]}
        self.aws.client("iam", REGION).put_role_policy(
            RoleName=self.role, PolicyName=self.aws.name(), PolicyDocument=json.dumps(document)
        )

    def credentials(self) -> dict[str, str]:
        """Ask the metadata service, as the instance itself does."""
        told = json.loads((self.aws.folder(self.id) / "instance.json").read_text())
        place = told["environ"]["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
        fetcher = InstanceMetadataFetcher(timeout=5, base_url=f"{place}/", env={})
        return fetcher.retrieve_iam_role_credentials()

    def client(self, service: str, **changes: str) -> Any:
        key = self.credentials() | changes
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=endpoint(self.aws.record),
            aws_access_key_id=key["access_key"],
            aws_secret_access_key=key["secret_key"],
            aws_session_token=key["token"] or None,
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
        )


@pytest.fixture
def instance(hosted: Any) -> Iterator[Instance]:
    """An instance whose role may do nothing."""
    iam, name = hosted.client("iam", REGION), hosted.name()
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    made = hosted.run(IamInstanceProfile={"Name": name}, SubnetId=hosted.subnet())[0]["InstanceId"]
    hosted.until(lambda: hosted.host(made) == "up")
    yield Instance(hosted, made, name)
    hosted.ec2.terminate_instances(InstanceIds=[made])


def denial(call: Callable[..., Any], **options: Any) -> tuple[str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**options)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_instance_is_told_who_it_is_and_may_nothing_else(instance: Instance) -> None:
    who = instance.client("sts").get_caller_identity()
    assert (who["Arn"], who["Account"]) == (instance.arn, ACCOUNT)
    assert who["UserId"].endswith(f":{instance.id}")
    assert denial(instance.client("ec2").describe_vpcs) == (
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. "
        f"User: {instance.arn} is not authorized to perform: ec2:DescribeVpcs "
        "because no identity-based policy allows the ec2:DescribeVpcs action",
    )
    code, message = denial(instance.client("ssm").get_parameter, Name="/a/b")
    assert code == "AccessDeniedException"
    assert (
        f"User: {instance.arn} is not authorized to perform: ssm:GetParameter on resource: {ARN} " in message
    )
    assert denial(instance.client("iam").list_roles)[0] == "AccessDenied"
    assert denial(instance.client("s3").list_buckets)[0] == "AccessDenied"
    assert denial(instance.client("logs").describe_log_groups)[0] == "AccessDeniedException"


def test_parameter_for_one_instance(hosted: Any, instance: Instance) -> None:
    ssm, mine, names = hosted.client("ssm", REGION), instance.client("ssm"), ["/r/x/mine", "/r/x/other"]
    owners = [instance.id, "i-0123456789abcdef0"]
    for name, owner in zip(names, owners, strict=True):
        tags = [{"Key": "coiled-pulumi:scheduler", "Value": owner}]
        ssm.put_parameter(Name=name, Value="v", Type="SecureString", Tags=tags)
    ssm.put_parameter(Name="/r/x/nobodys", Value="v", Type="String")
    instance.allow(
        Action=["ssm:GetParameter", "ssm:GetParameters"],
        resource=f"arn:aws:ssm:{REGION}:*:parameter/r/*",
        Condition={"StringLike": {"aws:userid": "*:${ssm:resourceTag/coiled-pulumi:scheduler}"}},
    )
    read = mine.get_parameter(Name=names[0], WithDecryption=True)
    assert read["Parameter"]["Value"] == "v"
    for name in (names[1], "/r/x/nobodys", "/r/x/not-there"):
        assert denial(mine.get_parameter, Name=name)[0] == "AccessDeniedException"
    assert denial(mine.get_parameters, Names=names)[0] == "AccessDeniedException"
    assert denial(mine.put_parameter, Name=names[0], Value="w", Overwrite=True)[0] == "AccessDeniedException"


def test_streams_of_one_group(hosted: Any, instance: Instance) -> None:
    name, mine = hosted.name(), instance.client("logs")
    for group in (name, f"{name}-other"):
        hosted.client("logs", REGION).create_log_group(logGroupName=group)
    group = f"arn:aws:logs:{REGION}:*:log-group:{name}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        instance.allow(Action=action, resource=f"{group}:log-stream:*")
    mine.create_log_stream(logGroupName=name, logStreamName="c/a")
    mine.put_log_events(logGroupName=name, logStreamName="c/a", logEvents=[now("x")])
    for call in (mine.describe_log_streams, mine.filter_log_events):
        assert denial(call, logGroupName=name)[0] == "AccessDeniedException"
    assert (
        denial(mine.create_log_stream, logGroupName=f"{name}-other", logStreamName="x")[0]
        == "AccessDeniedException"
    )


def now(message: str) -> dict[str, Any]:
    import time

    return {"timestamp": int(time.time() * 1000), "message": message}


def test_group_of_its_own_by_a_tag_that_comes_later(hosted: Any, instance: Instance) -> None:
    mine = instance.client("autoscaling")
    group = hosted.scaling_group(hosted.template(), hosted.subnet(), size=1)
    instance.allow(
        Action=["autoscaling:SetDesiredCapacity", "autoscaling:PutScheduledUpdateGroupAction"],
        resource=f"arn:aws:autoscaling:{REGION}:*:autoScalingGroup:*:autoScalingGroupName/*",
        Condition={"StringLike": {"aws:userid": "*:${autoscaling:ResourceTag/coiled-pulumi:scheduler}"}},
    )
    end = {"AutoScalingGroupName": group, "DesiredCapacity": 0}
    assert denial(mine.set_desired_capacity, **end)[0] == "AccessDenied"
    tag = {
        "ResourceId": group,
        "ResourceType": "auto-scaling-group",
        "Key": "coiled-pulumi:scheduler",
        "Value": instance.id,
        "PropagateAtLaunch": False,
    }
    hosted.autoscaling.create_or_update_tags(Tags=[tag])
    mine.set_desired_capacity(**end)
    assert hosted.members(group) == []
    larger = denial(mine.update_auto_scaling_group, AutoScalingGroupName=group, MaxSize=1000)
    assert larger[0] == "AccessDenied"


def test_instance_may_end_itself_only(hosted: Any, instance: Instance) -> None:
    other = hosted.run(SubnetId=hosted.subnet())[0]["InstanceId"]
    instance.allow(
        Action="ec2:TerminateInstances",
        resource=f"arn:aws:ec2:{REGION}:*:instance/*",
        Condition={"StringLike": {"aws:userid": "*:${ec2:InstanceID}"}},
    )
    end = instance.client("ec2").terminate_instances
    for ids in ([other], [instance.id, other]):
        assert denial(end, InstanceIds=ids)[0] == "UnauthorizedOperation"
    end(InstanceIds=[instance.id])
    assert hosted.instance(instance.id)["State"]["Name"] == "terminated"
    hosted.ec2.terminate_instances(InstanceIds=[other])


def test_deny_wins_and_attached_policies_count(hosted: Any, instance: Instance) -> None:
    iam = hosted.client("iam", REGION)
    iam.attach_role_policy(RoleName=instance.role, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    instance.client("s3").list_buckets()
    instance.allow(effect="Deny", Action="s3:*")
    code, message = denial(instance.client("s3").list_buckets)
    assert (code, message[-50:]) == ("AccessDenied", " with an explicit deny in an identity-based policy")


def test_credentials_are_whole_or_nothing(hosted: Any, instance: Instance) -> None:
    wrong = [({"token": ""}, "InvalidClientTokenId"), ({"token": "x"}, "InvalidClientTokenId")]
    for changes, code in [*wrong, ({"secret_key": "x"}, "SignatureDoesNotMatch")]:
        assert denial(instance.client("sts", **changes).get_caller_identity)[0] == code


def test_nobody_but_the_operator_gives_orders(hosted: Any, instance: Instance) -> None:
    instance.allow(Action="*")
    key = instance.credentials()
    record = dataclasses.replace(
        hosted.record, access_key_id=key["access_key"], secret_access_key=key["secret_key"]
    )
    with pytest.raises(Exception, match="refused the call"):
        control.ask(record, "kill", instance=instance.id)


def test_credentials_of_instances_are_different_and_stay(instance: Instance, hosted: Any) -> None:
    assert instance.credentials()["access_key"].startswith("ASIA")
    before = instance.credentials()
    hosted.vpc()  # something changes
    assert instance.credentials() == before
    assert Roles().session(before["access_key"]) is None
