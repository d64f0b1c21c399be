"""Two workspaces on one AWS: nothing shared, nothing in each other's way; and a cluster two hundred times as large."""

import pytest

pytestmark = pytest.mark.engine

STACKS = ("prod", "staging")


@pytest.fixture(scope="module")
def both(project):
    for stack in STACKS:
        project.pulumi("stack", "init", stack, "--no-select")
        project.pulumi("up", "-s", stack, "--yes")
    return project


def ids(project, stack) -> set[str]:
    return {one for found in project.bench.inventory(stack).values() for one in found}


def test_prod_beside_staging_shares_nothing(both):
    prod, staging = ids(both, "prod"), ids(both, "staging")
    assert prod
    assert staging
    assert prod & staging == set()
    assert prod | staging == {one for found in both.bench.inventory().values() for one in found}


def test_prod_has_its_two_clusters_in_their_zones(both):
    ec2 = both.bench.client("ec2")
    found = {}
    for page in ec2.describe_instances()["Reservations"]:
        for instance in page["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
            if tags.get("coiled-pulumi:workspace") == "prod":
                key = (tags["coiled-pulumi:cluster"], tags["coiled-pulumi:role"])
                zone, kind = instance["Placement"]["AvailabilityZone"], instance["InstanceType"]
                found.setdefault((*key, zone, kind, instance["Architecture"]), []).append(
                    instance["InstanceId"]
                )
    assert {key: len(members) for key, members in found.items()} == {
        ("etl", "scheduler", "us-east-1b", "m6i.2xlarge", "x86_64"): 1,
        ("etl", "worker", "us-east-1b", "m6i.4xlarge", "x86_64"): 40,
        ("reports", "scheduler", "us-east-1c", "m7g.xlarge", "arm64"): 1,
        ("reports", "worker", "us-east-1c", "m7g.2xlarge", "arm64"): 10,
    }


def test_a_thousand_workers_are_as_many_resources_as_twenty(both):
    before = {resource["urn"] for resource in both.resources("staging")}
    both.edit("staging", lambda workspace: workspace["clusters"]["main"].update(n_workers=1000))
    assert both.changes("up", "staging") == {("update", "staging-cluster-main-workers")}
    assert {resource["urn"] for resource in both.resources("staging")} == before
    groups = both.bench.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    (group,) = [group for group in groups if group["AutoScalingGroupName"].startswith("staging-")]
    assert (len(group["Instances"]), group["MaxSize"]) == (1000, 1000)


def test_destroying_one_leaves_the_other_as_it_is(both):
    prod = both.bench.inventory("prod")
    both.pulumi("destroy", "-s", "staging", "--yes")
    assert both.bench.inventory("staging") == {}
    assert both.bench.inventory("prod") == prod
    assert both.changes("preview", "prod") == set()
    both.pulumi("destroy", "-s", "prod", "--yes")
    assert both.bench.inventory() == {}
