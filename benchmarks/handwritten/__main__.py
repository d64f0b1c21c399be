"""The resources of stacks/Pulumi.dev.yaml as one plain Pulumi program: no spec, no plan, no components.

The same AWS resources with the same tags and the same order between them, under names of their own, so that
both live beside each other in one account.
"""

import base64
import hashlib
import json
import os

import pulumi
from pulumi_aws import Provider, autoscaling, cloudwatch, ec2, iam, ssm, vpc

NAME = "handwritten"
REGION = "us-east-1"
ME = os.environ["COILED_PULUMI_ME"]
#: Of the zones a-f: 8,187 workers in each private block.
PRIVATE = {f"{REGION}{letter}": f"10.11.{32 * index}.0/19" for index, letter in enumerate("abcdef")}
PUBLIC = {f"{REGION}{letter}": f"10.11.{224 + 4 * index}.0/22" for index, letter in enumerate("abcdef")}
ZONE = f"{REGION}a"
METADATA = {"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1}
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def tags(name: str, **more: str) -> dict[str, str]:
    """Give the tags of one resource."""
    key = hashlib.sha256(name.encode()).hexdigest()[:16]
    own = {"key": key, "stack": NAME, "workspace": NAME, **more}
    return {"Name": name, "team": "data"} | {f"coiled-pulumi:{word}": value for word, value in own.items()}


def user_data(role: str) -> str:
    """Give the cloud-config of an instance."""
    identity = {"cluster": "main", "region": REGION, "role": role, "version": 1, "workspace": NAME}
    return (
        "#cloud-config\nwrite_files:\n  - path: /etc/coiled-pulumi/node.json\n    permissions: '0444'\n"
        f"    content: '{json.dumps(identity)}'\n"
    )


aws = pulumi.ResourceOptions(
    provider=Provider(
        f"aws-{REGION}", region=REGION, max_retries=8, ignore_tags={"keys": ["coiled-pulumi:scheduler"]}
    )
)


def after(*resources: pulumi.Resource) -> pulumi.ResourceOptions:
    """Give the options of what has to wait for others."""
    return pulumi.ResourceOptions(provider=aws.provider, depends_on=list(resources))


# The network.
network = ec2.Vpc(f"{NAME}-vpc", cidr_block="10.11.0.0/16", tags=tags(f"{NAME}-vpc"), opts=aws)
ec2.DefaultSecurityGroup(
    f"{NAME}-default-group", vpc_id=network.id, tags=tags(f"{NAME}-default-group"), opts=aws
)
subnets = {
    (tier, zone): ec2.Subnet(
        f"{NAME}-{tier}-{zone}",
        vpc_id=network.id,
        cidr_block=block,
        availability_zone=zone,
        tags=tags(f"{NAME}-{tier}-{zone}"),
        opts=aws,
    )
    for tier, blocks in (("private", PRIVATE), ("public", PUBLIC))
    for zone, block in blocks.items()
}
internet = ec2.InternetGateway(f"{NAME}-internet", vpc_id=network.id, tags=tags(f"{NAME}-internet"), opts=aws)
address = ec2.Eip(f"{NAME}-nat-address", domain="vpc", tags=tags(f"{NAME}-nat-address"), opts=after(internet))
nat = ec2.NatGateway(
    f"{NAME}-nat",
    allocation_id=address.id,
    subnet_id=subnets["public", ZONE].id,
    tags=tags(f"{NAME}-nat"),
    opts=after(internet),
)
tables = {
    tier: ec2.RouteTable(f"{NAME}-{tier}", vpc_id=network.id, tags=tags(f"{NAME}-{tier}"), opts=aws)
    for tier in ("public", "private")
}
to_all = {"destination_cidr_block": "0.0.0.0/0", "opts": aws}
out = {
    "public": ec2.Route(
        f"{NAME}-public", route_table_id=tables["public"].id, gateway_id=internet.id, **to_all
    ),
    "private": ec2.Route(
        f"{NAME}-private", route_table_id=tables["private"].id, nat_gateway_id=nat.id, **to_all
    ),
}
for (tier, zone), subnet in subnets.items():
    ec2.RouteTableAssociation(
        f"{NAME}-{tier}-{zone}", subnet_id=subnet.id, route_table_id=tables[tier].id, opts=aws
    )
ec2.VpcEndpoint(
    f"{NAME}-s3",
    vpc_id=network.id,
    service_name=f"com.amazonaws.{REGION}.s3",
    vpc_endpoint_type="Gateway",
    route_table_ids=[table.id for table in tables.values()],
    tags=tags(f"{NAME}-s3"),
    opts=aws,
)

# Who may talk to whom.
inside, outside = (
    ec2.SecurityGroup(
        f"{NAME}-{of}-group",
        vpc_id=network.id,
        description=f"{NAME}: {description}",
        tags=tags(f"{NAME}-{of}-group"),
        opts=aws,
    )
    for of, description in (
        ("cluster", "Members of the workspace's clusters"),
        ("scheduler", "Reaches schedulers from outside"),
    )
)
vpc.SecurityGroupIngressRule(
    f"{NAME}-cluster-ingress",
    security_group_id=inside.id,
    referenced_security_group_id=inside.id,
    ip_protocol="-1",
    description="Everything inside the group",
    tags=tags(f"{NAME}-cluster-ingress"),
    opts=aws,
)
vpc.SecurityGroupEgressRule(
    f"{NAME}-cluster-egress",
    security_group_id=inside.id,
    cidr_ipv4="0.0.0.0/0",
    ip_protocol="-1",
    description="Everything outward",
    tags=tags(f"{NAME}-cluster-egress"),
    opts=aws,
)
for port, purpose in ((22, "SSH"), (8786, "Dask protocol"), (8787, "Dask dashboard")):
    vpc.SecurityGroupIngressRule(
        f"{NAME}-scheduler-ingress-{port}",
        security_group_id=outside.id,
        cidr_ipv4=ME,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=purpose,
        tags=tags(f"{NAME}-scheduler-ingress-{port}"),
        opts=aws,
    )

# What instances may do, and where they log.
trust = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
LOGS = f"arn:aws:logs:{REGION}:*:log-group:{NAME}"
rights = [
    {
        "Sid": "WriteOwnLogs",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        "Resource": [LOGS, f"{LOGS}:log-stream:*"],
    },
    {
        "Sid": "OwnParameters",
        "Effect": "Allow",
        "Action": ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"],
        "Resource": [f"arn:aws:ssm:{REGION}:*:parameter/coiled-pulumi/{NAME}/*"],
    },
]
role = iam.Role(
    f"{NAME}-role",
    name=NAME,
    assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    tags=tags(f"{NAME}-role"),
    opts=aws,
)
policy = iam.RolePolicy(
    f"{NAME}-policy",
    name=NAME,
    role=role.name,
    policy=json.dumps({"Version": "2012-10-17", "Statement": rights}),
    opts=aws,
)
profile = iam.InstanceProfile(
    f"{NAME}-profile", name=NAME, role=role.name, tags=tags(f"{NAME}-profile"), opts=after(policy)
)
logs = cloudwatch.LogGroup(
    f"{NAME}-logs", name=NAME, retention_in_days=30, tags=tags(f"{NAME}-logs"), opts=aws
)

# The cluster.
image = ssm.get_parameter_output(
    name=IMAGE, opts=pulumi.InvokeOutputOptions(provider=aws.provider)
).insecure_value
scheduler_tags = tags(f"{NAME}-scheduler", cluster="main", role="scheduler")
scheduler = ec2.Instance(
    f"{NAME}-scheduler",
    ami=image,
    instance_type="m6i.large",
    subnet_id=subnets["public", ZONE].id,
    vpc_security_group_ids=[inside.id, outside.id],
    associate_public_ip_address=True,
    iam_instance_profile=profile.name,
    metadata_options=METADATA,
    root_block_device={
        "encrypted": True, "volume_type": "gp3", "volume_size": 30, "delete_on_termination": True
    },
    user_data=user_data("scheduler"),
    user_data_replace_on_change=True,
    instance_initiated_shutdown_behavior="terminate",
    tags=scheduler_tags,
    volume_tags=scheduler_tags,
    opts=after(out["public"]),
)  # fmt: skip
worker_tags = tags(f"{NAME}-worker", cluster="main", role="worker")
disk = {"encrypted": "true", "volume_type": "gp3", "volume_size": 100, "delete_on_termination": "true"}
template = ec2.LaunchTemplate(
    f"{NAME}-worker",
    image_id=image,
    instance_type="m6i.xlarge",
    vpc_security_group_ids=[inside.id],
    iam_instance_profile={"name": profile.name},
    metadata_options=METADATA,
    block_device_mappings=[{"device_name": "/dev/xvda", "ebs": disk}],
    user_data=base64.b64encode(user_data("worker").encode()).decode(),
    tag_specifications=[
        {"resource_type": kind, "tags": worker_tags} for kind in ("instance", "network-interface", "volume")
    ],
    tags=worker_tags,
    update_default_version=True,
    opts=aws,
)
group_tags = tags(f"{NAME}-workers", cluster="main", role="worker")
workers = autoscaling.Group(
    f"{NAME}-workers",
    min_size=0,
    max_size=5,
    desired_capacity=5,
    vpc_zone_identifiers=[subnets["private", ZONE].id],
    launch_template={"id": template.id, "version": template.latest_version.apply(str)},
    wait_for_capacity_timeout="0",
    force_delete=True,
    tags=[{"key": key, "value": value, "propagate_at_launch": False} for key, value in group_tags.items()],
    opts=after(out["private"]),
)

autoscaling.Tag(
    f"{NAME}-workers-owner",
    autoscaling_group_name=workers.name,
    tag={"key": "coiled-pulumi:scheduler", "value": scheduler.id, "propagate_at_launch": False},
    opts=aws,
)
# As long as what machines are told; certificates by hand would be a program of their own.
for part, size, reader in (
    ("config/0", 400, None),
    ("scheduler", 1800, scheduler.id),
    ("worker", 1700, None),
):
    said = tags(f"{NAME}-{part}", cluster="main", role="worker")
    ssm.Parameter(
        f"{NAME}-{part.replace('/', '-')}",
        name=f"/coiled-pulumi/{NAME}/main/{part}",
        type="SecureString",
        value=pulumi.Output.secret(pulumi.Output.concat("x" * size, scheduler.private_ip)),
        tags=said | ({"coiled-pulumi:reader": reader} if reader else {}),
        opts=aws,
    )

record = {"version": 1, "name": NAME, "region": REGION}
record |= {"vpc_id": network.id, "nat_address": address.public_ip}
record["subnets"] = {f"{tier}-{zone}": subnet.id for (tier, zone), subnet in subnets.items()}
record["groups"] = {"cluster-group": inside.id, "scheduler-group": outside.id}
record |= {"role_arn": role.arn, "instance_profile": profile.name, "log_group": logs.name}
record |= {"scheduler_id": scheduler.id, "worker_group": workers.name}
record |= {"scheduler_address": scheduler.public_ip, "scheduler_private_address": scheduler.private_ip}
pulumi.export("workspace", record)
