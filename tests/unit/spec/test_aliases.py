"""Other names of keys: what they come to, and errors that show what was written."""

import pytest

from coiled_pulumi.errors import SpecErrors
from coiled_pulumi.spec import aliases, dask_config, load
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.settled import with_config

RULE = {"ports": [22], "cidr": "me"}
SAME = [
    ({"region_name": "us-east-1"}, {"region": "us-east-1"}),
    ({"zone_name": "us-east-1b"}, {"zone": "us-east-1b"}),
    ({"firewall": [RULE]}, {"ingress": [RULE]}),
    ({"firewall": RULE}, {"ingress": [RULE]}),
    ({"ingress": RULE}, {"ingress": [RULE]}),
    ({"firewall": []}, {"ingress": []}),
    ({"use_dashboard_public_ip": False}, {"use_scheduler_public_ip": False}),
]
#: What is written, where it is wrong, and what is told.
WRONG = [
    ("region_name: eu-wst-1", "region_name: must be an AWS region, got 'eu-wst-1'; did you mean eu-west-1"),
    ("zone_name: 5", "zone_name: must be text, got 5; quote it"),
    ("firewall: {ports: [0], cidr: me}",
     "firewall.ports[0]: must lie between 1 and 65535, the lower port first, got 0"),
    ("firewall: [{ports: [22], cidr: you}]",
     "firewall[0].cidr: must be an IPv4 block as 10.0.0.0/16, got 'you'; or write 'me' for your own address"),
    ("ingress: {ports: [22], cidr: you}",
     "ingress.cidr: must be an IPv4 block as 10.0.0.0/16, got 'you'; or write 'me' for your own address"),
    ("firewall: {ports: [22, 22], cidr: me}", "firewall.ports: must name each port once, 22 is there twice"),
    ("firewall: {port: [22], ports: [22], cidr: me}",
     "firewall.port: is not a known key; did you mean ports"),
    ("firewall: {cidr: me}", "firewall.ports: is required"),
    ("firewall: {}", "firewall.cidr: is required\nfirewall.ports: is required"),
    ("firewall: ", "firewall: must have a value, got null;"
     " write [] for none, or leave the key out for its default, which opens ports"),
    ("firewall: open", "firewall: must be a list, got 'open'"),
    ("use_dashboard_public_ip: 1", "use_dashboard_public_ip: must be true or false, got 1"),
    ("{region: us-east-1, region_name: us-east-1}",
     "region_name: is the same as region, write one of them"),
    ("{ingress: [], firewall: []}", "firewall: is the same as ingress, write one of them"),
    ("regio_name: eu-west-1", "regio_name: is not a known key; did you mean region_name"),
    ("fire_wall: []", "fire_wall: is not a known key; did you mean firewall"),
]  # fmt: skip
LEVELS = {"workspace": ("name: dev\n", ""), "cluster": ("name: dev\nclusters:\n  main:\n", "clusters.main.")}


def _load(said: dict, level: str) -> load.Loaded:
    value = {"name": "dev", **said} if level == "workspace" else {"name": "dev", "clusters": {"main": said}}
    return load.validate(value, source="f", config=dask_config.NOTHING)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("said", "same"), SAME, ids=str)
def test_both_come_to_the_same(said, same, level):
    assert _load(said, level).workspace == _load(same, level).workspace


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("text", "told"), WRONG, ids=[text for text, _ in WRONG])
def test_mistakes_are_told_as_they_were_written(text, told, level):
    before, path = LEVELS[level]
    indent = " " * 4 if path else ""
    lines = text.strip("{}").split(", ") if text.startswith("{") else [text]
    line = before.count("\n") + 1
    with pytest.raises(SpecErrors) as caught:
        load.parse(before + "".join(f"{indent}{one}\n" for one in lines), source="f")
    found = [
        (problem.path.removeprefix(path), problem.render("f").split(": ", 2)[2])
        for problem in caught.value.problems
    ]

    assert "\n".join(f"{one}: {what}" for one, what in found) == told
    assert {problem.line for problem in caught.value.problems} <= {line, line + len(lines) - 1}


@pytest.mark.parametrize("alias", aliases.ALIASES)
def test_other_names_are_of_keys_that_there_are(alias):
    assert aliases.ALIASES[alias] in Options.model_fields
    assert alias not in Options.model_fields


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("zone_name: us-west-2a", "zone_name"),
        ("clusters: {main: {zone_name: us-west-2a}}", "clusters.main.zone_name"),
        ("clusters: {main: {region_name: us-west-2}}", "clusters.main.region_name"),
        ("firewall: [{ports: [22], cidr: me}, {ports: [22], cidr: me}]", "firewall[1].ports"),
    ],
)
def test_rules_name_what_was_written_too(text, path):
    with pytest.raises(SpecErrors) as caught:
        load.parse(f"name: dev\n{text}\n", source="f")

    assert [problem.path for problem in caught.value.problems] == [path]


def test_the_config_counts_only_where_the_workspace_says_nothing():
    workspace = load.parse("name: dev\nspot: false\ndisk: {size: 20}\n", source="f").workspace
    config = Options.model_validate_json(
        '{"spot": true, "keypair_name": "k", "disk": {"size": 9, "iops": 4000}}'
    )
    merged = with_config(workspace, config)

    assert (merged.spot, merged.keypair_name, merged.disk.size, merged.disk.iops) == (False, "k", 20, 4000)
    assert with_config(merged, config) == merged
    assert with_config(workspace, Options()) is workspace
