"""Laws of the plan: what is added or removed leaves everything else exactly as it was."""

import dataclasses
import json

from _support.plans import by_key, items_of
from _support.strategies import machines, ports, slugs, sources, spec_of, tags, workspaces
from hypothesis import assume, given
from hypothesis import strategies as st

from coiled_pulumi import catalog
from coiled_pulumi.plan import model
from coiled_pulumi.plan.build import build

#: What AWS takes: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 50, 128, 256
#: The shortest limit on a name that Pulumi makes of a logical one and 8 characters: a launch template's.
MAX_NAME = 128 - 8
#: Of a role; roles bear the workspace's name.
MAX_ROLE = 64


def _added(before: dict, after: dict) -> set[str]:
    """Give the keys of new items; the law is that all others are equal in every field."""
    assert {key: after[key] for key in before} == before
    return after.keys() - before.keys()


@given(workspaces(), st.data())
def test_adding_a_zone_changes_nothing_else(data, draw):
    missing = sorted(set(catalog.regions()[data["region"]].zones) - set(data["network"]["zones"]))
    assume(missing)
    zone = draw.draw(st.sampled_from(missing))
    larger = {**data, "network": {**data["network"], "zones": [zone, *data["network"]["zones"]]}}

    own = {f"public-{zone}", f"private-{zone}"}
    if data["network"]["nat"] == "per-zone":
        own |= {f"nat-{zone}", f"nat-address-{zone}", f"routes-{zone}"}
    before, after = items_of(spec_of(data)), items_of(spec_of(larger))
    assert _added(_without_endpoints(before), _without_endpoints(after)) == own
    assert {key: item.name for key, item in before.items()}.items() <= {
        key: item.name for key, item in after.items()
    }.items()


def _without_endpoints(items: dict) -> dict:
    """An interface endpoint takes a further subnet in place."""
    return {key: item for key, item in items.items() if not isinstance(item, model.Endpoint)}


@given(workspaces(), slugs, st.data())
def test_adding_a_cluster_changes_nothing_else(data, name, draw):
    assume(name not in data["clusters"])
    worker = draw.draw(machines(data["zone"]))
    larger = {**data, "clusters": {name: {"n_workers": 3, "worker": worker}, **data["clusters"]}}
    added = _added(items_of(spec_of(data)), items_of(spec_of(larger)))

    kinds = ("authority", "certificates-0", "config", "scheduler", "scheduler-secrets", "worker", "workers")
    own = {f"cluster-{name}-{kind}" for kind in (*kinds, "worker-secrets", "workers-owner")}
    assert own <= added <= own | {"image-x86-64", "image-arm64"}


@given(workspaces().filter(lambda data: data["clusters"]), slugs, st.data())
def test_adding_a_group_of_workers_changes_what_machines_are_told_and_nothing_else(data, label, draw):
    name = draw.draw(st.sampled_from(sorted(data["clusters"])))
    cluster = data["clusters"][name]
    groups = cluster.get("worker_groups", {})
    assume(label not in groups and label != "workers")
    group = draw.draw(machines(cluster.get("zone", data["zone"])))
    more = {**cluster, "worker_groups": {label: group, **groups}}
    before = items_of(spec_of(data))
    after = items_of(spec_of({**data, "clusters": {**data["clusters"], name: more}}))

    own = {f"cluster-{name}.{label}-{kind}" for kind in ("worker", "workers", "workers-owner")}
    assert own <= _added(before, after) <= own | {"image-x86-64", "image-arm64"}


@given(workspaces(), ports, sources)
def test_adding_an_ingress_rule_changes_nothing_else(data, port, source):
    larger = {**data, "ingress": [{"ports": [port], "cidr": source}, *data["ingress"]]}
    there = {(port, rule.cidr) for rule in spec_of(data).ingress for port in rule.ports}
    assume((str(port), source) not in there)

    assert len(_added(items_of(spec_of(data)), items_of(spec_of(larger)))) == 1


@given(workspaces(), tags)
def test_tags_of_the_user_change_tags_and_nothing_else(data, other):
    def bare(spec):
        items = {key: dataclasses.replace(item, tags={}) for key, item in items_of(spec).items()}
        return {
            key: dataclasses.replace(item, address=items[item.address.key])
            if hasattr(item, "address")
            else item
            for key, item in items.items()
        }

    assert bare(spec_of(data)) == bare(spec_of({**data, "tags": other}))


@given(workspaces(), st.tuples(st.integers(0, 10), st.integers(1, 10)))
def test_the_number_of_workers_changes_nothing_but_itself(data, n_workers):
    n_workers = [n_workers[0], n_workers[0] + n_workers[1]]
    clusters = {name: {**cluster, "n_workers": n_workers} for name, cluster in data["clusters"].items()}

    assert items_of(spec_of(data)) == items_of(spec_of({**data, "clusters": clusters}))


@given(workspaces(), st.randoms(use_true_random=False))
def test_the_order_in_the_file_means_nothing(data, random):
    def shuffled(value):
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            # Instance types are in order of preference, and of a range the smaller bound comes first.
            ordered = ("instance_type", "n_workers")
            return {key: value[key] if key in ordered else shuffled(value[key]) for key in keys}
        if isinstance(value, list):
            return random.sample([shuffled(item) for item in value], len(value))
        return value

    assert model.to_json(build(spec_of(shuffled(data)))) == model.to_json(build(spec_of(data)))


@given(workspaces())
def test_a_plan_is_plain_data_with_sorted_collections(data):
    plan = build(spec_of(data))
    again = json.loads(model.to_json(plan))

    assert again == json.loads(json.dumps(model.to_data(plan)))
    for collection in (
        again["network"]["subnets"],
        again["security"]["rules"],
        again["images"],
        again["clusters"],
    ):
        assert [item["key"] for item in collection] == sorted(item["key"] for item in collection)


@given(workspaces())
def test_items_have_distinct_keys_and_names_within_limits(data):
    plan = build(spec_of(data))

    for key, item in by_key(plan).items():
        assert item.name == f"{plan.name}-{key}"
        assert len(item.name) <= MAX_NAME or isinstance(item, model.Rule)
    assert len(plan.name) <= MAX_ROLE


@given(workspaces())
def test_every_item_carries_the_tags_that_recovery_goes_by(data):
    plan = build(spec_of(data))

    for item in by_key(plan).values():
        assert item.tags["Name"] == item.name
        assert item.tags["coiled-pulumi:workspace"] == item.tags["coiled-pulumi:stack"] == plan.name
        assert len(item.tags["coiled-pulumi:key"]) == 16
        assert data["tags"].items() <= item.tags.items()
        assert len(item.tags) <= MAX_TAGS
        assert max(map(len, item.tags)) <= MAX_TAG_KEY
        assert max(map(len, item.tags.values())) <= MAX_TAG_VALUE
    fingerprints = [item.tags["coiled-pulumi:key"] for item in by_key(plan).values()]
    assert len(set(fingerprints)) == len(fingerprints)


@given(workspaces())
def test_references_between_items_are_keys_of_items(data):
    plan = build(spec_of(data))
    keys = by_key(plan).keys()
    machines = [
        machine
        for cluster in plan.clusters
        for machine in (cluster.scheduler, *(group.template for group in cluster.groups))
    ]

    network = plan.network
    nats = [*network.nat_gateways, *([network.nat_instance] if network.nat_instance else [])]

    assert {nat.subnet for nat in nats} <= keys
    assert {nat.image for nat in nats if isinstance(nat, model.NatInstance)} <= keys
    assert {table.way_out for table in network.route_tables} - {None} <= keys
    assert {subnet.table for subnet in network.subnets} == {table.key for table in network.route_tables}
    assert {subnet for endpoint in network.endpoints for subnet in endpoint.subnets} <= keys
    assert {endpoint.group for endpoint in network.endpoints} - {None} <= keys
    security = (plan.security, *(cluster.security for cluster in plan.clusters))
    assert {rule.group for part in security for rule in part.rules} <= keys
    assert {machine.subnet for machine in machines} <= keys
    assert {machine.image for machine in machines if not machine.image.startswith("ami-")} <= keys
    assert {group for machine in machines for group in machine.groups} <= keys


@given(workspaces())
def test_what_a_workspace_declares_comes_to_the_same(data):
    """It is what clusters beside the file are planned from."""
    spec = spec_of({**data, "clusters": {}})

    assert model.to_json(build(spec_of(spec.declared()))) == model.to_json(build(spec))
