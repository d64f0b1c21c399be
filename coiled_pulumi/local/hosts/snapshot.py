"""What the API server says that there is: one whole picture per line, of which only the newest counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a security group: with whom, about what."""

    protocol: str
    """`-1` for all of them, `tcp`, `udp`, `icmp` or a number."""
    first: int | None
    """First port, or the type of an ICMP message; None (or -1) for all."""
    last: int | None
    """Last port, or the code of an ICMP message."""
    cidr: str | None
    """Exactly one of `cidr` and `group` is set."""
    group: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """A security group."""

    vpc: str
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet, with what its route table and its VPC give it."""

    vpc: str
    way_out: str | None
    """`igw`, or the public address of a NAT, or none."""
    endpoints: bool
    """Endpoints let it reach the API without a way out."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that runs."""

    id: str
    vpc: str
    subnet: str
    private: str
    public: str | None
    groups: tuple[str, ...]
    user_data: str
    region: str
    """May be empty: then nobody said."""
    told: Mapping[str, Any]
    """All of it, for the metadata service."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that there is, of all accounts and regions."""

    version: int
    api: int
    """Port of the API on 127.0.0.1."""
    home: Path
    """Has a folder per instance."""
    vpcs: Mapping[str, tuple[str, ...]]
    """Each VPC's blocks."""
    subnets: Mapping[str, Subnet]
    groups: Mapping[str, Group]
    instances: Mapping[str, Instance]


def read(line: str | bytes) -> Snapshot:
    """Read a line; what it says beyond the known is left alone."""
    told = json.loads(line)
    return Snapshot(
        version=told["version"],
        api=told["api"],
        home=Path(told["home"]),
        vpcs={key: tuple(vpc["cidrs"]) for key, vpc in told["vpcs"].items()},
        subnets={
            key: Subnet(subnet["vpc"], subnet["way_out"], subnet["endpoints"])
            for key, subnet in told["subnets"].items()
        },
        groups={
            key: Group(group["vpc"], _rules(group["ingress"]), _rules(group["egress"]))
            for key, group in told["groups"].items()
        },
        instances={key: _instance(key, one) for key, one in told["instances"].items()},
    )


def _rules(told: list[dict[str, Any]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(str(rule["protocol"]), rule["from"], rule["to"], rule["cidr"], rule["group"]) for rule in told
    )


def _instance(key: str, told: dict[str, Any]) -> Instance:
    return Instance(
        id=key,
        vpc=told["vpc"],
        subnet=told["subnet"],
        private=told["private"],
        public=told["public"],
        groups=tuple(told["groups"]),
        user_data=told["user_data"],
        region=_region(told["metadata"]),
        told=told,
    )


def _region(metadata: Mapping[str, str]) -> str:
    placement = "meta-data/placement/"
    zone = metadata.get(placement + "availability-zone", "")
    return metadata.get(placement + "region", "") or zone[:-1]
