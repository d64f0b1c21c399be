"""The IAM documents, whole: a wider right is a difference in this file."""

from coiled_pulumi.plan.identity import plan_identity
from coiled_pulumi.plan.tagging import Tagger

IDENTITY = plan_identity(Tagger("dev", "dev", {}), "eu-west-1")


def test_what_instances_may_do():
    assert IDENTITY.policy_document == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WriteOwnLogs",
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": [
                    "arn:aws:logs:eu-west-1:*:log-group:dev",
                    "arn:aws:logs:eu-west-1:*:log-group:dev:log-stream:*",
                ],
            },
            {
                "Sid": "ReadConfiguration",
                "Effect": "Allow",
                "Action": ["ssm:GetParameter", "ssm:GetParameters"],
                "Resource": [
                    "arn:aws:ssm:eu-west-1:*:parameter/coiled-pulumi/dev/*/config/*",
                    "arn:aws:ssm:eu-west-1:*:parameter/coiled-pulumi/dev/*/worker",
                ],
            },
            {
                "Sid": "ReadSecretsOfTheScheduler",
                "Effect": "Allow",
                "Action": ["ssm:GetParameter", "ssm:GetParameters"],
                "Resource": ["arn:aws:ssm:eu-west-1:*:parameter/coiled-pulumi/dev/*/scheduler"],
                "Condition": {"StringLike": {"aws:userid": "*:${ssm:resourceTag/coiled-pulumi:reader}"}},
            },
            {
                "Sid": "EndOwnCluster",
                "Effect": "Allow",
                "Action": ["autoscaling:PutScheduledUpdateGroupAction", "autoscaling:SetDesiredCapacity"],
                "Resource": ["arn:aws:autoscaling:eu-west-1:*:autoScalingGroup:*:autoScalingGroupName/*"],
                "Condition": {
                    "StringLike": {"aws:userid": "*:${autoscaling:ResourceTag/coiled-pulumi:scheduler}"}
                },
            },
        ],
    }


def test_who_may_assume_the_role():
    assert IDENTITY.trust_document == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }


def test_no_statement_takes_everything():
    for statement in IDENTITY.policy_document["Statement"]:
        assert "*" not in statement["Resource"]
        assert [action for action in statement["Action"] if "*" in action] == []
