"""Ask AWS for what the catalog bundles, and keep the answers as the user's own copies.

Only reads: DescribeRegions, DescribeAvailabilityZones, DescribeInstanceTypeOfferings and DescribeInstanceTypes of
EC2, ListServiceQuotas and ListAWSDefaultServiceQuotas of Service Quotas, GetCallerIdentity of STS.

A copy says what the account that asked can see: which zones a region has differs between accounts.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coiled_pulumi import catalog
from coiled_pulumi.aws import faults, session
from coiled_pulumi.catalog import files, rows
from coiled_pulumi.errors import UsageError, echo

#: Where the list of regions is asked for if nothing else is said: it is on in every account.
_ANYWHERE: Final = "us-east-1"
#: Regions that are asked at once; each takes a handful of calls.
_AT_ONCE: Final = 8
#: Names in one DescribeInstanceTypes.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
_TYPES_AT_ONCE: Final = 100
_SERVICES: Final = ("ec2", "vpc")
#: What a region answers that an account does not use, or may not: the others are asked all the same.
_SHUT: Final = {
    "OptInRequired": "not enabled in this account",
    "AuthFailure": "not enabled in this account",
    "InvalidClientTokenId": "not enabled in this account",
    "UnrecognizedClientException": "not enabled in this account",
    "UnauthorizedOperation": "no right to read it",
    "AccessDenied": "no right to read it",
    "AccessDeniedException": "no right to read it",
}

_HINT: Final = "aws account enable-region --region-name {region}"

#: (service, region) to a client of boto3.
Clients = Callable[[str, str], Any]


@dataclass(frozen=True, slots=True)
class Left:
    """A region whose facts stay as they were, and why."""

    region: str
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """How many facts of a kind are new, gone, or different from those used before."""

    kind: str
    added: int
    removed: int
    changed: int


@dataclass(frozen=True, slots=True)
class Update:
    """What came of asking.

    Attributes:
        asked: regions that answered, by name.
        left: regions that were left as they are.
        without_quotas: regions that answered, but not about quotas.
        changes: one for each kind of facts.
        folder: where the copies are.

    """

    asked: tuple[str, ...]
    left: tuple[Left, ...]
    without_quotas: tuple[str, ...]
    changes: tuple[Change, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a region says: its zones, the zones of each type, quotas by code (None: it does not say)."""

    region: str
    zones: tuple[str, ...]
    types: Mapping[str, frozenset[str]]
    quotas: Mapping[str, float] | None


class _ShutError(Exception):
    """A region does not let this account in."""

    def __init__(self, why: str, error: Exception) -> None:
        super().__init__(why, error)
        self.why = why
        self.error = error


def update(
    regions: tuple[str, ...] = (),
    *,
    today: str,
    tell: Callable[[str], None] = lambda _: None,
    clients: Clients = session.client,
) -> Update:
    """Ask AWS and write the copies; those of a file are written as a whole or not at all.

    Facts about regions that are not asked, or that do not let us in, stay as they are.

    Args:
        regions: which to ask; none for all that are enabled in the account.
        today: the date that the copies carry, as 2026-11-23.
        tell: called with a line for people whenever a region has answered.
        clients: how a client is had.

    Raises:
        UsageError: there is no such region, or none of them is enabled; nothing was written.
        CoiledPulumiError: AWS refuses; nothing was written.

    """
    with session.told():
        home = regions[0] if regions and regions[0] in catalog.regions() else _home()
        account = clients("sts", home).get_caller_identity()["Account"]
        opt_ins = _opt_ins(clients, home)
        _require(regions, opt_ins)
        wanted = [name for name in regions or opt_ins if opt_ins[name] != "not-opted-in"]
        left = [Left(name, _SHUT["OptInRequired"]) for name in (regions or opt_ins) if name not in wanted]
        answers, shut = _ask_all(wanted, clients, tell)
        for one in left + shut:
            tell(f"{one.region}: {one.why}")
        if not answers:
            raise UsageError("no region answered; nothing was written", _HINT.format(region=left[0].region))
        described = _describe(answers, clients)
        defaults = _defaults(answers, clients)
    place = clients("ec2", home).meta.endpoint_url
    source = f"account {account}{_at(place)}, {len(answers)} of {len(opt_ins)} regions"
    made = _documents(answers, opt_ins, described, source=source, today=today)
    made["quotas"] = _quotas(answers, defaults, account, source=source, today=today)
    changes = tuple(_changes(made))
    for name, document in made.items():
        files.write_copy(name, rows.written(name, document))
    files.forget()
    return Update(
        tuple(answer.region for answer in answers),
        tuple(sorted(left + shut, key=lambda one: one.region)),
        tuple(answer.region for answer in answers if answer.quotas is None),
        changes,
        files.copies(),
    )


def _home() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _ANYWHERE


def _at(endpoint: str) -> str:
    """Name an endpoint that is not AWS's own: what it says is worth a second look."""
    return "" if ".amazonaws.com" in endpoint else f" at {endpoint}"


def _opt_ins(clients: Clients, home: str) -> dict[str, str]:
    """Map every commercial region to AWS's word for whether the account uses it, by name."""
    found = clients("ec2", home).describe_regions(AllRegions=True)["Regions"]
    return {
        one["RegionName"]: one["OptInStatus"]
        for one in sorted(found, key=lambda one: one["RegionName"])
        if not one["RegionName"].startswith(rows.FOREIGN)
    }


def _require(regions: tuple[str, ...], known: Mapping[str, str]) -> None:
    for name in regions:
        if name not in known:
            near = catalog.nearest(name, list(known), most=1)
            hint = f"did you mean {near[0]}" if near else "known are " + ", ".join(known)
            raise UsageError(f"{echo(name)} is no region of AWS", hint)


def _ask_all(
    wanted: list[str], clients: Clients, tell: Callable[[str], None]
) -> tuple[list[_Answer], list[Left]]:
    answers, shut, errors = [], [], []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        tasks = {region: pool.submit(_ask, region, clients) for region in wanted}
        try:
            for region, task in tasks.items():
                try:
                    answer = task.result()
                except _ShutError as error:
                    shut.append(Left(region, error.why))
                    errors.append(error.error)
                else:
                    answers.append(answer)
                    tell(f"{region}: {len(answer.zones)} zones, {len(answer.types)} instance types")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if errors and not answers:
        raise faults.of(errors[0])
    return answers, shut


def _ask(region: str, clients: Clients) -> _Answer:
    from botocore.exceptions import ClientError

    ec2 = clients("ec2", region)
    try:
        zones = ec2.describe_availability_zones()["AvailabilityZones"]
        names = tuple(sorted(zone["ZoneName"] for zone in zones if _is_plain(zone, region)))
        types: dict[str, set[str]] = defaultdict(set)
        pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone"
        )
        for page in pages:
            for one in page["InstanceTypeOfferings"]:
                if one["Location"] in names:
                    types[one["InstanceType"]].add(one["Location"])
    except ClientError as error:
        why = _SHUT.get(error.response["Error"]["Code"])
        if why is None:
            raise
        raise _ShutError(why, error) from None
    if not types:
        why = "it names no zones or no instance types"
        raise _ShutError(why, UsageError(f"{region}: {why}"))
    offered = {name: frozenset(places) for name, places in types.items()}
    return _Answer(region, names, offered, _applied(clients("service-quotas", region)))


def _is_plain(zone: Mapping[str, Any], region: str) -> bool:
    """Tell whether a zone is one of the region's own: no local zone, none in a mobile network."""
    name = zone["ZoneName"]
    return (
        zone.get("ZoneType", "availability-zone") == "availability-zone"
        and name[:-1] == region
        and name[-1].isalpha()
    )


def _applied(client: Any) -> dict[str, float] | None:
    """Read the account's own values of the quotas that the catalog knows; None where they may not be read."""
    return _read_quotas(client, "list_service_quotas")


def _defaults(answers: list[_Answer], clients: Clients) -> dict[str, float]:
    return _read_quotas(clients("service-quotas", answers[0].region), "list_aws_default_service_quotas") or {}


def _read_quotas(client: Any, operation: str) -> dict[str, float] | None:
    from botocore.exceptions import ClientError

    known, found, heard = catalog.quotas(), {}, False
    for service in _SERVICES:
        try:
            for page in client.get_paginator(operation).paginate(ServiceCode=service):
                heard = True
                found |= {
                    one["QuotaCode"]: one["Value"] for one in page["Quotas"] if one["QuotaCode"] in known
                }
        except ClientError:
            continue  # no right to read them, or a service that this place does not know
    return found if heard else None


def _describe(answers: list[_Answer], clients: Clients) -> dict[str, list[Any]]:
    """Give the row of every type that some region offers; each type is asked for in one region only."""
    seen: set[str] = set()
    batches = []
    for answer in answers:
        names = sorted(answer.types.keys() - seen)
        seen.update(names)
        starts = range(0, len(names), _TYPES_AT_ONCE)
        batches += [(answer.region, names[start : start + _TYPES_AT_ONCE]) for start in starts]

    def ask(batch: tuple[str, list[str]]) -> list[dict[str, Any]]:
        region, names = batch
        return clients("ec2", region).describe_instance_types(InstanceTypes=names)["InstanceTypes"]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [facts for answer in pool.map(ask, batches) for facts in answer]
    made = {facts["InstanceType"]: rows.instance_type(facts) for facts in found}
    return {name: row for name, row in sorted(made.items()) if row}


def _documents(
    answers: list[_Answer],
    opt_ins: Mapping[str, str],
    described: Mapping[str, list[Any]],
    *,
    source: str,
    today: str,
) -> dict[str, dict[str, Any]]:
    """Put what was heard over what was known; a region that AWS no longer lists goes."""
    regions = {name: row for name, row in files.document("regions")["regions"].items() if name in opt_ins}
    for name in regions:
        regions[name] = regions[name] | {"opt_in": opt_ins[name] != "opt-in-not-required"}
    offerings = {
        name: row for name, row in files.document("offerings")["offerings"].items() if name in opt_ins
    }
    for answer in answers:
        opt_in = opt_ins[answer.region] != "opt-in-not-required"
        regions[answer.region] = rows.region(answer.zones, opt_in=opt_in)
        offerings[answer.region] = rows.offerings(answer.types, described)
    still = {name for row in offerings.values() for name in rows.offered(row)}
    known = files.document("instance_types")["instance_types"]
    types = {name: row for name, row in known.items() if name in still} | dict(described)
    contents = {"regions": regions, "instance_types": types, "offerings": offerings}
    head = {"version": files.VERSION, "source": source, "date": today}
    return {name: {**head, name: dict(sorted(content.items()))} for name, content in contents.items()}


def _quotas(
    answers: list[_Answer], defaults: Mapping[str, float], account: str, *, source: str, today: str
) -> dict[str, Any]:
    """Put defaults and the account's own values over the known ones; another account's values go."""
    old = files.document("quotas")
    kept = old.get("applied", {}) if old.get("account") == account else {}
    heard = {answer.region: dict(sorted(answer.quotas.items())) for answer in answers if answer.quotas}
    return {
        "version": files.VERSION,
        "source": source,
        "date": today,
        "account": account,
        "applied": dict(sorted((kept | heard).items())),
        "quotas": {
            code: row | {"default": defaults.get(code, row["default"])} for code, row in old["quotas"].items()
        },
    }


def _changes(made: Mapping[str, Mapping[str, Any]]) -> Iterator[Change]:
    """Count what differs between the documents in use and the new ones."""
    for kind, facts in _FACTS.items():
        name = {"zones": "regions"}.get(kind, kind)
        old, new = facts(files.document(name)), facts(made[name])
        both = old.keys() & new.keys()
        different = sum(old[key] != new[key] for key in both)
        yield Change(kind, len(new.keys() - old.keys()), len(old.keys() - new.keys()), different)


def _zones(document: Mapping[str, Any]) -> dict[Any, Any]:
    return {zone: None for row in document["regions"].values() for zone in row["zones"]}


def _offers(document: Mapping[str, Any]) -> dict[Any, Any]:
    """Every type in every zone where it is offered."""
    return {
        (region, name, letter): None
        for region, row in document["offerings"].items()
        for name, letters in rows.offered(row).items()
        for letter in letters
    }


def _limits(document: Mapping[str, Any]) -> dict[Any, Any]:
    """Every default, and every value of the account's own."""
    own = {
        (region, code): value
        for region, values in document.get("applied", {}).items()
        for code, value in values.items()
    }
    return own | {code: row["default"] for code, row in document["quotas"].items()}


_FACTS: Final[dict[str, Callable[[Mapping[str, Any]], dict[Any, Any]]]] = {
    "regions": lambda document: {name: row["opt_in"] for name, row in document["regions"].items()},
    "zones": _zones,
    "instance_types": lambda document: document["instance_types"],
    "offerings": _offers,
    "quotas": _limits,
}
