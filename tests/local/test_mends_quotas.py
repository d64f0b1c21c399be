"""Quotas and shortages; each test sets what it needs in a region of its own, and the account's own after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coiled_pulumi.errors import UsageError
from coiled_pulumi.local import calls, control, state
from coiled_pulumi.local.limits import QUOTAS

ON_DEMAND, SPOT, VPCS, ADDRESSES, GPUS = "L-1216C47A", "L-34B43A08", "L-F678F1CE", "L-0263D0A3", "L-DB2E81BA"
REGION = "us-east-1"


@pytest.fixture
def lower(aws: Any) -> Iterator[Callable[[str, float], None]]:
    """Set a quota to what is in use and some more, for one test."""
    before: dict[str, float] = {}

    def set_to(code: str, value: float) -> None:
        answer = control.ask(aws.record, "quota", code=code, value=value, region=REGION)
        before.setdefault(code, answer["before"])

    yield set_to
    for code, value in before.items():
        control.ask(aws.record, "quota", code=code, value=value, region=REGION)


def used(aws: Any, *, spot: bool = False) -> int:
    """The vCPUs of what runs, counted as AWS would."""
    pages = aws.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["running", "pending"]}]
    )
    found = [one for page in pages for group in page["Reservations"] for one in group["Instances"]]
    types = sorted({one["InstanceType"] for one in found if one["InstanceType"][0] not in "gp"})
    answer = aws.ec2.describe_instance_types(InstanceTypes=types)["InstanceTypes"] if types else []
    vcpus = {one["InstanceType"]: one["VCpuInfo"]["DefaultVCpus"] for one in answer}
    return sum(
        vcpus.get(one["InstanceType"], 0) for one in found if (one.get("InstanceLifecycle") == "spot") == spot
    )


def activities(aws: Any, name: str) -> list[dict[str, Any]]:
    return aws.autoscaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]


def test_the_account_has_more_than_a_new_one(aws: Any) -> None:
    quotas = aws.client("service-quotas", REGION)
    asked = {"ServiceCode": "ec2", "QuotaCode": ON_DEMAND}
    mine, default = quotas.get_service_quota(**asked), quotas.get_aws_default_service_quota(**asked)
    assert (mine["Quota"]["Value"], default["Quota"]["Value"]) == (QUOTAS[ON_DEMAND].here, 5.0)
    assert mine["Quota"]["QuotaArn"] == f"arn:aws:servicequotas:us-east-1:123456789012:ec2/{ON_DEMAND}"
    for service in ("ec2", "vpc", "autoscaling", "iam"):
        mine = quotas.list_service_quotas(ServiceCode=service)["Quotas"]
        default = quotas.list_aws_default_service_quotas(ServiceCode=service)["Quotas"]
        assert [one["QuotaCode"] for one in mine] == [one["QuotaCode"] for one in default]
        assert all(one["Value"] >= other["Value"] for one, other in zip(mine, default, strict=True))


def test_quotas_come_in_pages(aws: Any) -> None:
    quotas = aws.client("service-quotas", REGION)
    pages = list(
        quotas.get_paginator("list_service_quotas").paginate(
            ServiceCode="ec2", PaginationConfig={"PageSize": 3}
        )
    )
    codes = [one["QuotaCode"] for page in pages for one in page["Quotas"]]
    assert {len(page["Quotas"]) for page in pages[:-1]} == {3}
    assert codes == [code for code, quota in QUOTAS.items() if quota.service == "ec2"]


def test_what_there_is_not_is_refused(aws: Any, refused: Callable[..., str]) -> None:
    quotas = aws.client("service-quotas", REGION)
    for service, code in (("ec2", "L-00000000"), ("vpc", ON_DEMAND)):
        assert (
            refused(quotas.get_service_quota, ServiceCode=service, QuotaCode=code)
            == "NoSuchResourceException"
        )
    assert refused(quotas.list_service_quotas, ServiceCode="braket") == "NoSuchResourceException"


def test_a_wish_for_more_is_pending_until_it_is_approved(aws: Any, refused: Callable[..., str]) -> None:
    quotas = aws.client("service-quotas", "eu-west-1")
    asked = {"ServiceCode": "ec2", "QuotaCode": GPUS}
    now = quotas.get_service_quota(**asked)["Quota"]["Value"]
    wish = quotas.request_service_quota_increase(DesiredValue=now + 8, **asked)["RequestedQuota"]
    assert (wish["Status"], wish["DesiredValue"]) == ("PENDING", now + 8)
    assert refused(quotas.request_service_quota_increase, DesiredValue=now + 9, **asked) == (
        "ResourceAlreadyExistsException"
    )
    assert (
        refused(quotas.request_service_quota_increase, DesiredValue=now, **asked)
        == "IllegalArgumentException"
    )
    assert quotas.get_service_quota(**asked)["Quota"]["Value"] == now
    for history in (
        quotas.list_requested_service_quota_change_history(ServiceCode="ec2"),
        quotas.list_requested_service_quota_change_history_by_quota(**asked),
    ):
        assert [(one["Id"], one["Status"]) for one in history["RequestedQuotas"]] == [(wish["Id"], "PENDING")]

    done = control.ask(aws.record, "approve", request_id=wish["Id"])

    assert done == {
        "approved": [
            {"request_id": wish["Id"], "code": GPUS, "region": "eu-west-1", "value": now + 8},
        ]
    }
    assert quotas.get_service_quota(**asked)["Quota"]["Value"] == now + 8
    found = quotas.get_requested_service_quota_change(RequestId=wish["Id"])["RequestedQuota"]
    assert found["Status"] == "APPROVED"
    assert aws.client("service-quotas", REGION).get_service_quota(**asked)["Quota"]["Value"] == now
    assert control.ask(aws.record, "approve") == {"approved": []}


def test_a_launch_beyond_the_vcpus_is_refused_as_a_whole(
    aws: Any, refused: Callable[..., str], lower: Callable[[str, float], None]
) -> None:
    subnet = aws.subnet()
    lower(ON_DEMAND, used(aws) + 5)
    asked = {"ImageId": aws.image(), "InstanceType": "t3.medium", "SubnetId": subnet}
    assert refused(aws.ec2.run_instances, MinCount=3, MaxCount=3, **asked) == "VcpuLimitExceeded"
    assert len(aws.run(count=2, SubnetId=subnet)) == 2
    with pytest.raises(aws.ec2.exceptions.ClientError, match=r"current vCPU limit of \d+ allows"):
        aws.run(SubnetId=subnet)
    template = aws.template()
    launch = {
        "LaunchTemplate": {"LaunchTemplateId": template},
        "SubnetId": subnet,
        "MinCount": 1,
        "MaxCount": 1,
    }
    assert refused(aws.ec2.run_instances, **launch) == "VcpuLimitExceeded"


def test_ended_instances_and_other_families_do_not_count(
    aws: Any, lower: Callable[[str, float], None]
) -> None:
    subnet = aws.subnet()
    lower(ON_DEMAND, used(aws) + 2)
    first = aws.run(SubnetId=subnet)[0]["InstanceId"]
    aws.run(SubnetId=subnet, InstanceType="g5.xlarge")
    aws.ec2.terminate_instances(InstanceIds=[first])
    assert len(aws.run(SubnetId=subnet)) == 1


def test_spot_is_counted_apart(
    aws: Any, refused: Callable[..., str], lower: Callable[[str, float], None]
) -> None:
    subnet = aws.subnet()
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    lower(SPOT, used(aws, spot=True) + 2)
    assert len(aws.run(SubnetId=subnet, **spot)) == 1
    asked = {"ImageId": aws.image(), "InstanceType": "t3.medium", "SubnetId": subnet}
    assert (
        refused(aws.ec2.run_instances, MinCount=1, MaxCount=1, **asked, **spot)
        == "MaxSpotInstanceCountExceeded"
    )
    assert len(aws.run(SubnetId=subnet)) == 1


def test_a_group_launches_what_fits_and_the_rest_when_there_is_more(
    aws: Any, lower: Callable[[str, float], None]
) -> None:
    template, subnet = aws.template(), aws.subnet()
    lower(ON_DEMAND, used(aws) + 5)
    name = aws.scaling_group(template, subnet, size=4)
    assert len(aws.members(name)) == 2
    failed = [one for one in activities(aws, name) if one["StatusCode"] == "Failed"]
    assert len(failed) == 1
    assert failed[0]["StatusMessage"].startswith(
        "You have requested more vCPU capacity than your current vCPU limit"
    )
    assert failed[0]["StatusMessage"].endswith("Launching EC2 instance failed.")

    lower(ON_DEMAND, QUOTAS[ON_DEMAND].here)

    assert len(aws.members(name)) == 4
    assert activities(aws, name)[0]["StatusCode"] == "Successful"


def test_a_group_of_spot_says_so(aws: Any, lower: Callable[[str, float], None]) -> None:
    template = aws.template(InstanceMarketOptions={"MarketType": "spot"})
    subnet = aws.subnet()
    lower(SPOT, used(aws, spot=True) + 2)
    name = aws.scaling_group(template, subnet, size=2)
    assert [aws.instance(one["InstanceId"])["InstanceLifecycle"] for one in aws.members(name)] == ["spot"]
    assert activities(aws, name)[0]["StatusMessage"].startswith("Max spot instance count exceeded")


def test_a_mixed_group_is_split_over_the_markets(aws: Any) -> None:
    name = aws.name()
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=9,
        DesiredCapacity=5,
        VPCZoneIdentifier=aws.subnet(),
        MixedInstancesPolicy={
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": aws.template(), "Version": "$Latest"},
                "Overrides": [{"InstanceType": "t3.medium"}],
            },
            "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 25},
        },
    )
    markets = [aws.instance(one["InstanceId"]).get("InstanceLifecycle") for one in aws.members(name)]
    assert sorted(str(market) for market in markets) == ["None", "None", "spot", "spot", "spot"]


def test_networks_and_addresses_end(
    aws: Any, refused: Callable[..., str], lower: Callable[[str, float], None]
) -> None:
    lower(VPCS, len(aws.ec2.describe_vpcs()["Vpcs"]) + 1)
    lower(ADDRESSES, len(aws.ec2.describe_addresses()["Addresses"]) + 1)
    aws.vpc()
    address = aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
    assert refused(aws.ec2.create_vpc, CidrBlock="10.0.0.0/16") == "VpcLimitExceeded"
    assert refused(aws.ec2.allocate_address, Domain="vpc") == "AddressLimitExceeded"
    aws.ec2.release_address(AllocationId=address)
    assert aws.ec2.allocate_address(Domain="vpc")["AllocationId"]


def test_a_zone_without_a_type_is_so_for_calls_and_groups(aws: Any, refused: Callable[..., str]) -> None:
    vpc = aws.vpc()
    here, there = aws.subnet(vpc), aws.subnet(vpc, cidr="10.0.1.0/24", zone="b")
    short = {"type": "c5.large", "zone": "us-east-1a"}
    control.ask(aws.record, "no-capacity", clear=False, **short)
    try:
        asked = {"ImageId": aws.image(), "InstanceType": "c5.large", "MinCount": 1, "MaxCount": 1}
        assert refused(aws.ec2.run_instances, SubnetId=here, **asked) == "InsufficientInstanceCapacity"
        assert refused(aws.ec2.run_instances, Placement={"AvailabilityZone": "us-east-1a"}, **asked) == (
            "InsufficientInstanceCapacity"
        )
        assert len(aws.run(SubnetId=there, InstanceType="c5.large")) == 1
        assert len(aws.run(SubnetId=here, InstanceType="c5.xlarge")) == 1
        name = aws.scaling_group(aws.template(InstanceType="c5.large"), here, size=2)
        assert aws.members(name) == []
        assert activities(aws, name)[0]["StatusMessage"].startswith(
            "We currently do not have sufficient c5.large capacity in the Availability Zone you requested (us-east-1a)."
        )
    finally:
        answer = control.ask(aws.record, "no-capacity", clear=True, **short)
    assert answer == {"shortages": []}
    assert len(aws.members(name)) == 2


def test_a_wrong_word_is_said_so(aws: Any) -> None:
    for verb, fields, what in (
        ("quota", {"code": "L-1", "value": 1, "region": REGION}, "the local AWS has no quota 'L-1'"),
        ("quota", {"code": VPCS, "value": 1, "region": "mars-1"}, "there is no region 'mars-1'"),
        ("approve", {"request_id": "r"}, "nobody asked for 'r'"),
        (
            "no-capacity",
            {"type": "m9.huge", "zone": "us-east-1a", "clear": False},
            "no instance type 'm9.huge'",
        ),
        (
            "no-capacity",
            {"type": "m6i.large", "zone": "mars-1a", "clear": False},
            "there is no region 'mars-1'",
        ),
    ):
        with pytest.raises(UsageError, match=what):
            control.ask(aws.record, verb, **fields)


def test_only_who_has_the_keys_may_say_so_and_it_is_no_call_of_aws(aws: Any) -> None:
    import dataclasses

    from coiled_pulumi.errors import EngineError

    before = calls.count(state.calls_file(aws.record.home))
    stranger = dataclasses.replace(aws.record, secret_access_key="another")
    with pytest.raises(EngineError, match="403"):
        control.ask(stranger, "quota", code=VPCS, value=0, region=REGION)
    control.ask(aws.record, "quota", code=VPCS, value=QUOTAS[VPCS].here, region=REGION)
    assert calls.count(state.calls_file(aws.record.home)) == before
