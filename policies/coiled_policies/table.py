"""The rules of the pack: the name of each, how it is enforced, and the function that knows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from coiled_policies import rules, stack_rules
from coiled_policies.resource import Finding, Resource

_EC2_CONTROLS: Final = "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as the pack declares it."""

    name: str
    summary: str
    level: Literal["mandatory", "advisory"]
    """How it is enforced unless a file in `config/` says otherwise."""
    severity: Literal["low", "medium", "high", "critical"]
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRule(Rule):
    """A rule about each resource by itself, judged before it is made."""

    check: Callable[[Resource], Iterable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRule(Rule):
    """A rule about all resources together, judged at the end of a preview and of an update."""

    check: Callable[[Sequence[Resource]], Iterable[Finding]]


RULES: Final[tuple[ResourceRule | StackRule, ...]] = (
    ResourceRule(
        name="imdsv2-required",
        summary="Instance metadata answers only to a session token (IMDSv2).",
        level="mandatory",
        severity="high",
        url=f"{_EC2_CONTROLS}#ec2-8",
        check=rules.imdsv2_required,
    ),
    ResourceRule(
        name="disks-encrypted",
        summary="Every disk of an instance is encrypted, the root disk included.",
        level="mandatory",
        severity="high",
        url=f"{_EC2_CONTROLS}#ec2-3",
        check=rules.disks_encrypted,
    ),
    ResourceRule(
        name="workers-have-no-public-address",
        summary="Workers have no public address, and no subnet hands them out.",
        level="mandatory",
        severity="high",
        url=f"{_EC2_CONTROLS}#ec2-25",
        check=rules.workers_have_no_public_address,
    ),
    ResourceRule(
        name="required-tags",
        summary="Every resource carries the tags that say whose it is.",
        level="mandatory",
        severity="medium",
        url="https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html",
        check=rules.required_tags,
    ),
    StackRule(
        name="ssh-not-open-to-the-world",
        summary="SSH is reachable from chosen addresses only.",
        level="advisory",
        severity="high",
        url=f"{_EC2_CONTROLS}#ec2-13",
        check=stack_rules.ssh_not_open_to_the_world,
    ),
)
