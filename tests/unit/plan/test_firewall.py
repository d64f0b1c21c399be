"""Who may talk to whom, and what `me` becomes."""

import dataclasses

import pytest

from coiled_pulumi.plan import firewall
from coiled_pulumi.plan.build import build
from coiled_pulumi.plan.tagging import Tagger
from coiled_pulumi.spec import load


def _plan(*ingress):
    rules = [{"ports": [port], "cidr": source} for port, source in ingress]
    return build(load.validate({"name": "dev", "ingress": rules}, source="f").workspace)


def _rules(ingress: tuple) -> list[tuple]:
    security = firewall.plan_security(Tagger("dev", "dev", {}), ingress)
    return [
        (r.key, r.group, r.direction, r.from_port, r.to_port, r.peer, r.description) for r in security.rules
    ]


ALWAYS = [
    (
        "cluster-egress-all-to-0-0-0-0-0",
        "cluster-group",
        "egress",
        None,
        None,
        "0.0.0.0/0",
        "Everything outward",
    ),
    (
        "cluster-ingress-all-from-self",
        "cluster-group",
        "ingress",
        None,
        None,
        "self",
        "Everything inside the group",
    ),
]


def test_without_ingress_nothing_reaches_a_scheduler_from_outside():
    assert _rules(()) == ALWAYS


def test_rules():
    assert _rules((("8787", "me"), ("22", "10.0.0.0/8"), ("8000-8100", "0.0.0.0/0"))) == [
        *ALWAYS,
        ("scheduler-ingress-22-from-10-0-0-0-8", "scheduler-group", "ingress", 22, 22, "10.0.0.0/8", "SSH"),
        ("scheduler-ingress-8000-8100-from-0-0-0-0-0", "scheduler-group", "ingress", 8000, 8100, "0.0.0.0/0",
         "Opened by the workspace file"),
        ("scheduler-ingress-8787-from-me", "scheduler-group", "ingress", 8787, 8787, "me", "Dask dashboard"),
    ]  # fmt: skip


class Asked:
    """Answers where the caller comes from, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        return "192.0.2.7/32"


@pytest.mark.parametrize(
    ("ingress", "times", "peers"),
    [
        ((), 0, []),
        (((22, "0.0.0.0/0"),), 0, ["0.0.0.0/0"]),
        (((22, "me"),), 1, ["192.0.2.7/32"]),
        (((22, "me"), (8786, "10.0.0.0/8"), (8787, "me")), 1, ["192.0.2.7/32", "10.0.0.0/8", "192.0.2.7/32"]),
    ],
    ids=["no-rule", "no-me", "once", "twice"],
)
def test_the_address_is_asked_for_once_and_only_if_needed(ingress, times, peers):
    asked = Asked()
    plan = firewall.resolve_me(_plan(*ingress), asked)

    assert asked.times == times
    assert [rule.peer for rule in plan.security.rules if rule.group == firewall.SCHEDULER] == peers


def test_a_caller_who_moves_changes_the_block_and_nothing_else():
    plan = _plan((22, "me"), (8787, "0.0.0.0/0"))
    resolved = firewall.resolve_me(plan, Asked())

    assert [rule.key for rule in resolved.security.rules] == [rule.key for rule in plan.security.rules]
    assert dataclasses.replace(resolved, security=plan.security) == plan


@pytest.mark.parametrize("port", ["22", "8786", "8787", "9000"])
def test_descriptions_are_what_aws_allows(port):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html"""
    allowed = set(" ._-:/()#,@[]+=&;{}!$*")
    security = firewall.plan_security(Tagger("w" * 32, "w" * 32, {}), ((port, "me"),))
    texts = [item.description for item in (*security.groups, *security.rules)]

    assert [text for text in texts if len(text) > 255] == []
    assert {char for text in texts for char in text if not char.isascii() or not char.isalnum()} <= allowed
