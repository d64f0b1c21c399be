"""What `catalog update` makes of AWS's answers, with an AWS that answers as it is told."""

from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ClientError

from coiled_pulumi import catalog
from coiled_pulumi.aws import catalog as aws
from coiled_pulumi.catalog import files
from coiled_pulumi.errors import CoiledPulumiError, UsageError

M5 = {
    "InstanceType": "m5.large",
    "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
    "VCpuInfo": {"DefaultVCpus": 2},
    "MemoryInfo": {"SizeInMiB": 8192},
}
NEW = M5 | {
    "InstanceType": "g99.large",
    "GpuInfo": {"Gpus": [{"Count": 1, "Name": "Z1", "Manufacturer": "ACME"}]},
    "InstanceStorageInfo": {"TotalSizeInGB": 100},
}
MAC = M5 | {"InstanceType": "mac99.metal", "ProcessorInfo": {"SupportedArchitectures": ["arm64_mac"]}}


@dataclass
class Aws:
    """Two regions that are on, one that is off, one that is new; answers can be replaced by error codes."""

    types: dict = field(default_factory=lambda: {"m5.large": "ab", "g99.large": "a", "mac99.metal": "b"})
    opt_ins: dict = field(
        default_factory=lambda: {
            "us-east-1": "opt-in-not-required",
            "eu-west-1": "opt-in-not-required",
            "xx-new-1": "opted-in",
            "ap-east-1": "not-opted-in",
            "cn-north-1": "opt-in-not-required",
        }
    )
    errors: dict = field(default_factory=dict)
    quotas: dict = field(default_factory=lambda: {"L-1216C47A": 640.0, "L-UNKNOWN": 1.0})
    calls: list = field(default_factory=list)

    def __call__(self, service, region):
        return Client(self, service, region)


class Client:
    """One client; only what is asked of it."""

    def __init__(self, aws, service, region):
        self.aws, self.service, self.region = aws, service, region
        self.meta = type("Meta", (), {"endpoint_url": f"https://{service}.{region}.amazonaws.com"})

    def _called(self, operation):
        self.aws.calls.append((operation, self.region))
        code = self.aws.errors.get((operation, self.region)) or self.aws.errors.get((operation, "*"))
        if code:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    def get_caller_identity(self):
        self._called("GetCallerIdentity")
        return {"Account": "111122223333"}

    def describe_regions(self, AllRegions):  # noqa: N803
        self._called("DescribeRegions")
        assert AllRegions
        return {"Regions": [{"RegionName": k, "OptInStatus": v} for k, v in self.aws.opt_ins.items()]}

    def describe_availability_zones(self):
        self._called("DescribeAvailabilityZones")
        plain = [{"ZoneName": f"{self.region}{one}", "ZoneType": "availability-zone"} for one in "ba"]
        local = {"ZoneName": f"{self.region}-bos-1a", "ZoneType": "local-zone"}
        return {"AvailabilityZones": [*plain, local]}

    def describe_instance_types(self, InstanceTypes):  # noqa: N803
        self._called("DescribeInstanceTypes")
        known = {one["InstanceType"]: one for one in (M5, NEW, MAC)}
        return {"InstanceTypes": [known[name] for name in InstanceTypes]}

    def get_paginator(self, operation):
        return type("Paginator", (), {"paginate": lambda _, **asked: self._pages(operation, asked)})()

    def _pages(self, operation, asked):
        self._called(operation)
        if operation == "describe_instance_type_offerings":
            places = [(name, letter) for name, letters in self.aws.types.items() for letter in letters]
            for name, letter in [*places, ("m5.large", "-bos-1a")]:
                yield {"InstanceTypeOfferings": [{"InstanceType": name, "Location": self.region + letter}]}
        else:
            values = self.aws.quotas if asked["ServiceCode"] == "ec2" else {}
            yield {"Quotas": [{"QuotaCode": code, "Value": value} for code, value in values.items()]}


def _update(aws_, *regions):
    told = []
    done = aws.update(regions, today="2030-01-02", tell=told.append, clients=aws_)
    return done, told


def test_everything_that_is_enabled_is_asked():
    done, told = _update(Aws())

    assert done.asked == ("eu-west-1", "us-east-1", "xx-new-1")
    assert done.left == (aws.Left("ap-east-1", "not enabled in this account"),)
    assert done.without_quotas == ()
    assert told == [
        "eu-west-1: 2 zones, 3 instance types",
        "us-east-1: 2 zones, 3 instance types",
        "xx-new-1: 2 zones, 3 instance types",
        "ap-east-1: not enabled in this account",
    ]
    assert catalog.regions()["xx-new-1"] == catalog.RegionFacts(
        "xx-new-1", ("xx-new-1a", "xx-new-1b"), opt_in=True
    )
    assert catalog.instance_type("g99.large") == catalog.InstanceFacts(
        "g99.large", "x86_64", 2, 8192, 1, 100, "Z1", "ACME"
    )
    assert catalog.instance_type("mac99.metal") is None
    assert catalog.offered("us-east-1") == {"g99.large": "a", "m5.large": "ab"}
    assert {(one.date, one.source) for one in catalog.sources()[:4]} == {
        ("2030-01-02", "account 111122223333, 3 of 4 regions")
    }


def test_what_is_not_asked_stays():
    before = {region: catalog.offered(region) for region in ("eu-west-1", "ap-east-1")}
    zones = catalog.regions()["ap-east-1"].zones
    done, _ = _update(Aws(), "us-east-1")

    assert (done.asked, done.left) == (("us-east-1",), ())
    assert {region: catalog.offered(region) for region in before} == before
    assert catalog.regions()["ap-east-1"].zones == zones
    assert catalog.instance_type("m6i.xlarge") is not None


def test_regions_that_aws_no_longer_lists_go():
    done, _ = _update(Aws())
    changes = {one.kind: one for one in done.changes}

    assert set(catalog.regions()) == {"us-east-1", "eu-west-1", "ap-east-1", "xx-new-1"}
    assert (changes["regions"].added, changes["regions"].removed) == (1, 31)
    assert changes["zones"].added == 2
    assert changes["instance_types"].added == 1
    assert changes["instance_types"].removed > 100
    assert catalog.instance_type("m5.xlarge") is not None  # Hong Kong, which was not asked, still has it
    assert changes["quotas"] == aws.Change("quotas", 3, 0, 1)


def test_a_second_time_nothing_changes():
    _update(Aws())
    again, _ = _update(Aws())

    assert {(one.added, one.removed, one.changed) for one in again.changes} == {(0, 0, 0)}


def test_each_type_is_described_once():
    fake = Aws()
    _update(fake)

    assert [call for call in fake.calls if call[0] == "DescribeInstanceTypes"] == [
        ("DescribeInstanceTypes", "eu-west-1")
    ]


def test_quotas_are_kept_for_the_account():
    _update(Aws(), "us-east-1")

    ask = {"region": "us-east-1", "account": "111122223333"}
    assert catalog.applied_quota("L-1216C47A", **ask) == 640
    assert catalog.quota("L-1216C47A").default == 640
    assert catalog.quota("L-UNKNOWN") is None
    _update(Aws(quotas={}), "eu-west-1")
    assert catalog.applied_quota("L-1216C47A", **ask) == 640


@pytest.mark.parametrize("code", ["AccessDeniedException", "NoSuchResourceException", "UnsupportedOperation"])
def test_quotas_that_may_not_be_read_are_done_without(code):
    fake = Aws(
        errors={("list_service_quotas", "us-east-1"): code, ("list_aws_default_service_quotas", "*"): code}
    )
    done, _ = _update(fake)

    assert done.without_quotas == ("us-east-1",)
    assert catalog.quota("L-1216C47A").default == 5


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("OptInRequired", "not enabled in this account"),
        ("AuthFailure", "not enabled in this account"),
        ("UnauthorizedOperation", "no right to read it"),
    ],
)
@pytest.mark.parametrize("operation", ["DescribeAvailabilityZones", "describe_instance_type_offerings"])
def test_a_region_that_refuses_is_noted_and_left(operation, code, why):
    before = catalog.offered("eu-west-1")
    done, told = _update(Aws(errors={(operation, "eu-west-1"): code}))

    assert done.asked == ("us-east-1", "xx-new-1")
    assert aws.Left("eu-west-1", why) in done.left
    assert f"eu-west-1: {why}" in told
    assert catalog.offered("eu-west-1") == before


def test_a_region_that_says_nothing_is_left():
    before = catalog.offered("us-east-1")
    with pytest.raises(CoiledPulumiError, match="it names no zones or no instance types"):
        _update(Aws(types={}))

    assert catalog.offered("us-east-1") == before
    assert not files.copies().exists()


@pytest.mark.parametrize(
    "errors",
    [
        {("GetCallerIdentity", "*"): "ExpiredToken"},
        {("DescribeRegions", "*"): "UnauthorizedOperation"},
        {("DescribeAvailabilityZones", "*"): "UnauthorizedOperation"},
        {("DescribeAvailabilityZones", "eu-west-1"): "InternalError"},
        {("DescribeInstanceTypes", "*"): "UnauthorizedOperation"},
    ],
    ids=str,
)
def test_when_aws_refuses_nothing_is_written(errors):
    with pytest.raises(CoiledPulumiError, match=next(iter(errors.values()))):
        _update(Aws(errors=errors))

    assert not files.copies().exists()


def test_a_region_that_does_not_exist():
    with pytest.raises(UsageError) as caught:
        _update(Aws(), "us-east-11")

    assert str(caught.value) == "'us-east-11' is no region of AWS\nhint: did you mean us-east-1"


def test_only_a_region_that_is_off():
    with pytest.raises(UsageError) as caught:
        _update(Aws(), "ap-east-1")

    assert str(caught.value) == (
        "no region answered; nothing was written\nhint: aws account enable-region --region-name ap-east-1"
    )
    assert not files.copies().exists()
