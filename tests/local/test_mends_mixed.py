from __future__ import annotations

from typing import Any

import pytest

from coiled_pulumi.local import control


def policy(
    template: str, *, base: int = 0, percent: int = 0, types: tuple[str, ...] = ("m5.large", "m5a.large")
) -> dict[str, Any]:
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "1"},
            "Overrides": [{"InstanceType": name} for name in types],
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "prioritized",
            "OnDemandBaseCapacity": base,
            "OnDemandPercentageAboveBaseCapacity": percent,
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    }


def make(aws: Any, mixed: dict[str, Any], *, size: int) -> str:
    name = aws.name()
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=50,
        DesiredCapacity=size,
        MixedInstancesPolicy=mixed,
        CapacityRebalance=True,
        VPCZoneIdentifier=aws.subnet(),
    )
    return name


def shown(aws: Any, name: str) -> dict[str, Any]:
    answer = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return answer["AutoScalingGroups"][0]


def bought(aws: Any, name: str) -> list[tuple[str, str]]:
    """The members' types and how they were bought."""
    instances = [aws.instance(member["InstanceId"]) for member in aws.members(name)]
    return sorted((one["InstanceType"], one.get("InstanceLifecycle", "on-demand")) for one in instances)


def test_group_shows_all_of_its_policy_and_no_template_beside_it(aws: Any) -> None:
    template = aws.template()
    mixed = policy(template, base=2, percent=25)
    group = shown(aws, make(aws, mixed, size=1))
    said = group["MixedInstancesPolicy"]
    assert said["InstancesDistribution"] == mixed["InstancesDistribution"]
    assert said["LaunchTemplate"]["Overrides"] == mixed["LaunchTemplate"]["Overrides"]
    specification = said["LaunchTemplate"]["LaunchTemplateSpecification"]
    assert (specification["LaunchTemplateId"], specification["Version"]) == (template, "1")
    assert "LaunchTemplate" not in group
    assert group["CapacityRebalance"] is True
    assert group["Instances"][0]["LaunchTemplate"]["LaunchTemplateId"] == template


@pytest.mark.parametrize(
    ("base", "percent", "on_demand"), [(0, 0, 0), (1, 0, 1), (4, 0, 4), (9, 0, 4), (0, 100, 4), (2, 50, 3)]
)
def test_members_are_of_the_first_type_and_spot_beyond_the_base(
    aws: Any, base: int, percent: int, on_demand: int
) -> None:
    name = make(aws, policy(aws.template(), base=base, percent=percent), size=4)
    assert bought(aws, name) == [("m5.large", "on-demand")] * on_demand + [("m5.large", "spot")] * (
        4 - on_demand
    )


def test_base_stays_on_demand_when_the_group_shrinks_and_grows(aws: Any) -> None:
    name = make(aws, policy(aws.template(), base=1), size=4)
    (kept,) = (
        member["InstanceId"]
        for member in aws.members(name)
        if "InstanceLifecycle" not in aws.instance(member["InstanceId"])
    )
    for size in (2, 5, 1):
        aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=size)
        assert bought(aws, name) == [("m5.large", "on-demand")] + [("m5.large", "spot")] * (size - 1)
    assert [member["InstanceId"] for member in aws.members(name)] == [kept]


def test_group_goes_from_a_template_to_a_policy_and_back(aws: Any) -> None:
    template = aws.template()
    name = aws.scaling_group(template, aws.subnet(), size=1)
    change = aws.autoscaling.update_auto_scaling_group
    change(AutoScalingGroupName=name, MixedInstancesPolicy=policy(template), CapacityRebalance=True)
    mixed = shown(aws, name)
    assert ("LaunchTemplate" in mixed, mixed["CapacityRebalance"]) == (False, True)
    change(AutoScalingGroupName=name, DesiredCapacity=2)
    assert bought(aws, name) == [("m5.large", "spot"), ("t3.medium", "on-demand")]
    assert shown(aws, name)["MixedInstancesPolicy"] == mixed["MixedInstancesPolicy"]
    back = {"LaunchTemplateId": template, "Version": "1"}
    change(AutoScalingGroupName=name, LaunchTemplate=back, CapacityRebalance=False)
    group = shown(aws, name)
    assert ("MixedInstancesPolicy" in group, group["CapacityRebalance"]) == (False, False)
    assert group["LaunchTemplate"].items() >= back.items()


def test_next_type_is_taken_where_there_is_none_of_the_first(aws: Any) -> None:
    mixed = policy(aws.template(), types=("r6i.xlarge", "r5.xlarge"))
    short = {"type": "r6i.xlarge", "zone": "us-east-1a"}
    control.ask(aws.record, "no-capacity", **short, clear=False)
    try:
        assert bought(aws, make(aws, mixed, size=1)) == [("r5.xlarge", "spot")]
    finally:
        control.ask(aws.record, "no-capacity", **short, clear=True)
    assert bought(aws, make(aws, mixed, size=1)) == [("r6i.xlarge", "spot")]
