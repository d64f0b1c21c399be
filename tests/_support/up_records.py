"""Records of stacks that are up, as the engine would give them, for tests that have no engine."""

import dataclasses

from coiled_pulumi import outputs

REGION = "us-east-1"
#: Certificates that nobody reads are as good as any; `certificates.issue` makes real ones.
SECURITY = {"ca": "CA", "cert": "CERT", "key": "KEY", "token": "tok-en"}


def cluster(**changes: object) -> outputs.ClusterOutputs:
    """One cluster."""
    record = outputs.ClusterOutputs(
        zone="us-east-1a",
        n_workers=2,
        scheduler_id="i-0123456789abcdef0",
        scheduler_address="192.0.2.7",
        scheduler_private_address="10.50.224.5",
        worker_group="solo-cluster-one-workers-1234567",
        groups={"workers": outputs.GroupOutputs("solo-cluster-one-workers-1234567", 2, 2, runtime=False)},
        rotation=0,
        security=dict(SECURITY),
    )
    return dataclasses.replace(record, **changes)


def workspace(**changes: object) -> dict[str, object]:
    """Give the outputs of the workspace `solo`, in one zone, with the cluster `one` of its file."""
    record = outputs.WorkspaceOutputs(
        name="solo",
        region=REGION,
        zone="us-east-1a",
        vpc_id="vpc-0123456789abcdef0",
        nat_addresses={},
        subnets={"public-us-east-1a": "subnet-1", "private-us-east-1a": "subnet-2"},
        route_tables={"public": "rtb-1", "private": "rtb-2"},
        groups={"cluster": "sg-1", "scheduler": "sg-2"},
        role_arn="arn:aws:iam::123456789012:role/solo",
        instance_profile="solo",
        log_group="solo",
        declared={"name": "solo", "network": {"cidr": "10.50.0.0/16", "zones": ["us-east-1a"]}},
        clusters={"one": cluster()},
    )
    return {outputs.KEY: dataclasses.asdict(dataclasses.replace(record, **changes))}


def beside(name: str, *, region: str = REGION, **changes: object) -> dict[str, object]:
    """Give the outputs of the stack of a cluster beside the file of `solo`."""
    record = outputs.ClusterStackOutputs(
        workspace="solo",
        region=region,
        name=name,
        cluster=cluster(**changes),
        config={"declared": {"name": "solo", "region": region}, "name": name, "cluster": {}, "shared": {}},
    )
    return {outputs.CLUSTER_KEY: dataclasses.asdict(record)}
