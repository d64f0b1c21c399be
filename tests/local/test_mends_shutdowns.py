from __future__ import annotations

from typing import Any


def test_another_shutdown_behavior_leaves_the_groups(aws: Any) -> None:
    vpc = aws.vpc()
    (launched,) = aws.run(SubnetId=aws.subnet(vpc), SecurityGroupIds=[aws.group(vpc)])
    name = launched["InstanceId"]
    asked = {"InstanceId": name, "Attribute": "instanceInitiatedShutdownBehavior"}
    before = aws.instance(name)["SecurityGroups"]
    assert before
    aws.ec2.modify_instance_attribute(
        InstanceId=name, InstanceInitiatedShutdownBehavior={"Value": "terminate"}
    )
    told = aws.ec2.describe_instance_attribute(**asked)["InstanceInitiatedShutdownBehavior"]["Value"]
    assert (aws.instance(name)["SecurityGroups"], told) == (before, "terminate")
