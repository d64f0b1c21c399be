from __future__ import annotations

import http.client
import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config

from coiled_pulumi.local import calls, state
from coiled_pulumi.local.environment import endpoint

READS = [
    ("ec2", "describe_vpcs", "AuthFailure"),
    ("autoscaling", "describe_auto_scaling_groups", "InvalidClientTokenId"),
    ("iam", "list_roles", "InvalidClientTokenId"),
    ("logs", "describe_log_groups", "InvalidClientTokenId"),
    ("ssm", "describe_parameters", "InvalidClientTokenId"),
    ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ("s3", "list_buckets", "InvalidAccessKeyId"),
]


def client(aws: Any, service: str, *, key: str = "", secret: str = "", token: str = "", **config: Any) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint(aws.record),
        aws_access_key_id=key or aws.record.access_key_id,
        aws_secret_access_key=secret or aws.record.secret_access_key,
        aws_session_token=token or None,
        config=Config(proxies={}, **config),
    )


@pytest.mark.parametrize(("service", "method", "code"), READS)
def test_unknown_key_is_refused_in_the_services_own_words(
    aws: Any, refused: Callable[..., str], service: str, method: str, code: str
) -> None:
    assert refused(getattr(client(aws, service, key="AKIAUNKNOWN"), method)) == code


@pytest.mark.parametrize(("service", "method", "code"), READS)
def test_wrong_secret_is_refused(
    aws: Any, refused: Callable[..., str], service: str, method: str, code: str
) -> None:
    assert refused(getattr(client(aws, service, secret="x" * 40), method)) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(("service", "method", "code"), READS)
def test_right_secret_is_let_in(aws: Any, service: str, method: str, code: str) -> None:
    answer = getattr(client(aws, service), method)()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("path", ["/", "/moto-api/", "/moto-api/reset", "/latest/meta-data/", "/bucket/key"])
def test_unsigned_requests_reach_nothing(aws: Any, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", aws.record.port, timeout=10)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    assert status == 403


@pytest.mark.parametrize("key", ["plain", "a b/c+d~é?x=1&y", "%41/../b", "//x"])
def test_odd_object_names_are_signed_alike(aws: Any, key: str) -> None:
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket="names")
    s3.put_object(Bucket="names", Key=key, Body=b"v")
    assert s3.get_object(Bucket="names", Key=key)["Body"].read() == b"v"
    assert key in [item["Key"] for item in s3.list_objects_v2(Bucket="names", Prefix=key[:1])["Contents"]]


@pytest.mark.parametrize("body", [b"", b"x" * 100_000], ids=["empty", "large"])
def test_streams_with_a_trailer_are_let_in(aws: Any, body: bytes) -> None:
    s3 = client(aws, "s3", request_checksum_calculation="when_required")
    s3.create_bucket(Bucket="streams")
    s3.put_object(Bucket="streams", Key="k", Body=io.BytesIO(body), ChecksumAlgorithm="SHA256")
    assert s3.get_object(Bucket="streams", Key="k")["Body"].read() == body


def test_presigned_addresses_hold_for_what_they_name(aws: Any) -> None:
    s3 = client(aws, "s3", signature_version="s3v4")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="a", Body=b"v")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "a"})
    with urllib3.PoolManager() as pool:
        assert pool.request("GET", url).data == b"v"
        assert pool.request("GET", url.replace("/a?", "/b?")).status == 403
        assert pool.request("GET", url.replace("Expires=3600", "Expires=7200")).status == 403


def test_changed_body_is_refused(aws: Any) -> None:
    sent: list[Any] = []
    ec2 = client(aws, "ec2")
    ec2.meta.events.register("before-send.ec2", lambda request, **_: sent.append(request))
    ec2.describe_vpcs()
    request = sent[0]
    text = request.body.decode() if isinstance(request.body, bytes) else request.body
    body = text.replace("DescribeVpcs", "DescribeTags").encode()
    with urllib3.PoolManager() as pool:
        answer = pool.request("POST", request.url, body=body, headers=dict(request.headers), timeout=10)
    assert answer.status == 403


def test_keys_of_an_assumed_role_are_let_in(aws: Any, refused: Callable[..., str]) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    role = client(aws, "iam").create_role(RoleName=aws.name(), AssumeRolePolicyDocument=json.dumps(policy))
    issued = client(aws, "sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="session")[
        "Credentials"
    ]
    key, secret, token = issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"]
    assert (
        "assumed-role" in client(aws, "sts", key=key, secret=secret, token=token).get_caller_identity()["Arn"]
    )
    assert (
        refused(client(aws, "ec2", key=key, secret="x", token=token).describe_vpcs) == "SignatureDoesNotMatch"
    )


def test_calls_are_noted_with_what_they_were(aws: Any) -> None:
    log = state.calls_file(aws.record.home)
    before = calls.count(log)
    aws.vpc()
    client(aws, "ssm").describe_parameters()
    noted = [
        (call.service, call.action, call.region, call.status, call.mutating)
        for call in calls.read(log, before)
    ]
    assert noted == [
        ("ec2", "CreateVpc", "us-east-1", 200, True),
        ("ssm", "DescribeParameters", "us-east-1", 200, False),
    ]


def test_what_moto_lacks_is_not_tried_again(aws: Any, refused: Callable[..., str]) -> None:
    log = state.calls_file(aws.record.home)
    before = calls.count(log)
    assert refused(client(aws, "ec2").describe_instance_event_windows) == "UnsupportedOperation"
    assert len(calls.read(log, before)) == 1
