"""Clusters beside their workspace's file: names, records, and what an order comes to."""

import os

import pytest
from _support import fake_pulumi, up_records
from _support.dask_files import configured

from coiled_pulumi.errors import CancelledError, CoiledPulumiError, NoSuchStackError, SpecErrors, UsageError
from coiled_pulumi.ops import clusters, stacks, target


@pytest.fixture
def pulumi(tmp_path, monkeypatch):
    """A `pulumi` that knows stacks of ours and of others."""
    fake = fake_pulumi.write(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///nowhere")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fake.has(
        {
            "solo": up_records.workspace(),
            "organization/coiled/solo.mine": {},
            "solo.mine": up_records.beside("mine", n_workers=3),
            "solo.half": {},
            "solo.zone.us-east-1b": {},
            "solo.region.eu-west-1": {},
            "solon.other": {},
        },
        region=up_records.REGION,
    )
    return fake


@pytest.fixture
def solo(tmp_path):
    """The workspace's place."""
    file = tmp_path / "solo.yaml"
    file.write_text("name: solo\nclusters: {one: {}}\n")
    return target.target(file, state=tmp_path / "state")


def _refused(*_):
    raise AssertionError("the engine was asked")


def _start(solo, name, **wanted):
    order = clusters.order(solo, name, wanted)
    return clusters.start(solo, order, perform=_refused, tell=_refused)


def test_names_are_of_clusters_of_this_workspace_alone(pulumi, solo):
    assert sorted(set(clusters.names(solo))) == ["half", "mine"]


def test_one_that_never_came_up_whole_has_no_record(pulumi, solo):
    found = clusters.listed(solo)

    assert found["half"] is None
    assert (found["mine"].region, found["mine"].cluster.n_workers) == ("us-east-1", 3)
    with pytest.raises(CoiledPulumiError, match="cluster half of solo never came up whole") as caught:
        clusters.require(solo, "half")
    assert "cluster start half goes on, coiled-pulumi cluster stop half deletes it" in caught.value.hint


@pytest.mark.parametrize(
    "ask",
    [
        lambda solo, name: clusters.scale(solo, name, 2, perform=_refused, tell=_refused),
        lambda solo, name: clusters.stop(solo, name, perform=_refused, tell=_refused),
        clusters.require,
    ],
    ids=["scale", "stop", "require"],
)
def test_who_asks_for_another_is_told_where_it_is(pulumi, solo, ask):
    with pytest.raises(NoSuchStackError, match=r"no cluster 'nobody' .* of solo \(found: half, mine"):
        ask(solo, "nobody")
    with pytest.raises(UsageError, match="cluster one stands in the file of solo"):
        ask(solo, "one")


def test_an_order_settles_region_and_zone(pulumi, solo):
    order = clusters.order(solo, "new", {"n_workers": 1})
    assert (order.region, order.zone, order.public) == ("us-east-1", "us-east-1a", True)
    assert order.declared["region"] == "us-east-1"

    order = clusters.order(solo, "new", {"region": "eu-west-1", "use_scheduler_public_ip": False})
    assert (order.region, order.zone, order.public) == ("eu-west-1", "eu-west-1a", False)


def test_the_region_of_what_is_up_counts_before_the_configuration_of_who_starts(pulumi, solo, tmp_path):
    (tmp_path / "dask").mkdir()
    file = tmp_path / "dask" / "coiled.yaml"
    file.write_text("coiled: {backend-options: {region: eu-west-1, zone: eu-west-1b, spot: true}}\n")
    with configured(tmp_path / "dask"):
        order = clusters.order(solo, "new", {})

    assert (order.region, order.zone) == ("us-east-1", "us-east-1a")
    assert order.declared["spot"] is True


@pytest.mark.parametrize(
    ("name", "wanted", "error", "said"),
    [
        ("one", {}, UsageError, "cluster one stands in the file of solo"),
        ("Mine", {}, SpecErrors, "name: must be 1 to 32 lower-case letters"),
        ("new", {"cpu": 8}, SpecErrors, "did you mean scheduler.cpu or worker.cpu"),
        ("new", {"zone": "eu-west-1a"}, SpecErrors, "must be a zone of us-east-1"),
        ("new", {"worker": {"gpu": 2}}, SpecErrors, "a worker uses one GPU"),
    ],
)
def test_what_cannot_be_is_refused(pulumi, solo, name, wanted, error, said):
    with pytest.raises(error) as caught:
        clusters.order(solo, name, wanted)
    assert said in str(caught.value)


def test_a_workspace_that_is_down_has_no_orders(pulumi, solo):
    pulumi.has({"other": {}})
    with pytest.raises(NoSuchStackError):
        clusters.order(solo, "new", {})


@pytest.mark.parametrize(
    ("name", "wanted", "what", "hint"),
    [
        ("mine", {"zone": "us-east-1b"}, "mine of solo is in us-east-1a and does not move to us-east-1b",
         "add --zone us-east-1a, take"),
        ("mine", {"region": "eu-west-1"}, "mine of solo is in us-east-1 and does not move to eu-west-1",
         "add --zone us-east-1a, take"),
        ("mine", {"n_workers": 9}, "mine of solo is up with other settings",
         "coiled-pulumi cluster scale mine N gives it"),
        ("half", {"region": "eu-west-1"}, "half of solo is in us-east-1 and does not move to eu-west-1",
         "add --region us-east-1, take"),
    ],
)  # fmt: skip
def test_a_name_that_is_taken_elsewhere_moves_nothing(pulumi, solo, name, wanted, what, hint):
    with pytest.raises(UsageError, match=what) as caught:
        _start(solo, name, **wanted)
    assert caught.value.hint.startswith(hint)
    assert caught.value.hint.endswith(f"coiled-pulumi cluster stop {name}")


def test_one_of_another_region_is_named_with_its_region(pulumi, solo):
    far = up_records.beside("far", region="eu-west-1", zone="eu-west-1b")
    pulumi.has({"solo": up_records.workspace(), "solo.far": far}, region="eu-west-1")

    with pytest.raises(UsageError) as caught:
        _start(solo, "far")
    assert caught.value.hint.startswith("add --region eu-west-1 --zone eu-west-1b, ")


def test_a_workspace_that_is_up_does_not_move_to_another_region(pulumi, solo):
    pulumi.has({"solo": {}}, region="eu-west-1")

    for operation in (stacks.up, stacks.preview):
        with pytest.raises(UsageError, match="solo is up in eu-west-1, and does not move to us-east-1"):
            operation(solo, _refused)
    assert pulumi.calls() == []


def test_after_ctrl_c_it_says_how_a_cluster_goes_on(pulumi, solo):
    def stopped(*_):
        raise CancelledError("stopped by you", "the next `coiled-pulumi up` goes on from here")

    with pytest.raises(CancelledError) as caught:
        clusters.stop(solo, "mine", perform=stopped, tell=_refused)
    assert caught.value.hint == "the same command goes on from here"
    order = clusters.order(solo, "new", {})
    with pytest.raises(CancelledError) as caught:
        clusters.start(solo, order, perform=stopped, tell=_refused)
    assert caught.value.hint.endswith("coiled-pulumi cluster stop new deletes what is there")


@pytest.mark.parametrize("hint", ["", "coiled-pulumi refresh, then coiled-pulumi up makes it anew"])
def test_hints_for_workspaces_are_not_given_for_clusters(hint):
    assert clusters._of_a_cluster(hint) == []
    assert clusters._of_a_cluster(f"{hint}\nask for more") in (["ask for more"], ["", "ask for more"])
