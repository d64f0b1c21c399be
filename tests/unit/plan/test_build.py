"""From a spec to a plan."""

import time

import pytest

from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import load


def _plan(**values):
    return build(load.validate({"name": "dev", **values}, source="f").workspace)


def test_no_clusters_need_no_images():
    plan = _plan()

    assert (plan.images, plan.clusters) == ((), ())


@pytest.mark.parametrize(
    ("types", "images"),
    [
        (["m6i.large", "c5.large"], {"image-x86-64": "x86_64"}),
        (["m7g.large"], {"image-arm64": "arm64"}),
        (["m7g.large", "m6i.large"], {"image-arm64": "arm64", "image-x86-64": "x86_64"}),
    ],
)
def test_one_image_for_each_architecture(types, images):
    machines = {f"c{i}": {"scheduler": {"instance_type": name}, "worker": {"instance_type": name}}
                for i, name in enumerate(types)}  # fmt: skip
    plan = _plan(clusters=machines)

    assert {image.key: image.architecture for image in plan.images} == images
    assert [image.parameter.endswith(image.architecture) for image in plan.images] == [True] * len(images)


def test_a_cluster_stands_in_its_zone():
    (cluster,) = _plan(clusters={"main": {"zone": "us-east-1c"}}).clusters

    assert cluster.zone == "us-east-1c"
    assert cluster.scheduler.subnet == "public-us-east-1c"
    assert cluster.workers.template.subnet == "private-us-east-1c"


def test_only_schedulers_are_reached_from_outside():
    (cluster,) = _plan(clusters={"main": {}}).clusters

    assert cluster.scheduler.groups == ("cluster-group", "scheduler-group")
    assert cluster.workers.template.groups == ("cluster-group",)


def test_tags_tell_the_cluster_and_the_role():
    (cluster,) = _plan(clusters={"main": {}}, tags={"team": "data"}).clusters
    tags = {key: value for key, value in cluster.scheduler.tags.items() if key != "coiled-pulumi:key"}

    assert tags == {
        "Name": "dev-cluster-main-scheduler",
        "coiled-pulumi:cluster": "main",
        "coiled-pulumi:role": "scheduler",
        "coiled-pulumi:stack": "dev",
        "coiled-pulumi:workspace": "dev",
        "team": "data",
    }


def test_a_thousand_clusters_are_planned_at_once():
    spec = load.validate(
        {"name": "dev", "clusters": {f"c{i}": {} for i in range(1000)}}, source="f"
    ).workspace
    start = time.process_time()
    plan = build(spec)

    assert len(plan.clusters) == 1000
    assert time.process_time() - start < 1
