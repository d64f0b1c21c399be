"""Hypothesis strategies for workspace files, as the plain values that YAML gives."""

from __future__ import annotations

import ipaddress
import string

from hypothesis import strategies as st

from coiled_pulumi import catalog
from coiled_pulumi.spec import load
from coiled_pulumi.spec.logs import RETENTION_DAYS
from coiled_pulumi.spec.workspace import Workspace
from coiled_pulumi.values import RESERVED_PREFIXES, SLUG

REGIONS = sorted(catalog.regions())
INSTANCE_TYPES = ("t3.large", "m6i.large", "m6i.xlarge", "m7g.xlarge", "c7g.large")
PRIVATE = tuple(ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))

slugs = st.from_regex(SLUG, fullmatch=True).filter(lambda name: not name.startswith(RESERVED_PREFIXES))
ports = st.integers(1, 65535)
port_ranges = st.tuples(ports, ports).map(lambda pair: f"{min(pair)}-{max(pair)}")
sources = st.just("me") | st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: str(ipaddress.IPv4Network(pair, strict=False))
)
instance_types = st.sampled_from(INSTANCE_TYPES)
#: What no rule on tags refuses.
tag_text = st.text(string.ascii_letters + string.digits + " _.:/=+-@üß中", max_size=12)
tag_keys = tag_text.filter(lambda key: key and key.lower() != "name" and not key.lower().startswith("aws:"))
tags = st.dictionaries(tag_keys, tag_text, max_size=4).filter(
    lambda tags: len({key.casefold() for key in tags}) == len(tags)
)


@st.composite
def network_blocks(draw) -> str:
    """Draw a private block of /16 to /22."""
    private = draw(st.sampled_from(PRIVATE))
    prefix = draw(st.integers(16, 22))
    count = 2 ** (prefix - private.prefixlen) if prefix >= private.prefixlen else 1
    index = draw(st.integers(0, count - 1))
    return str(ipaddress.IPv4Network((int(private.network_address) + index * 2 ** (32 - prefix), prefix)))


@st.composite
def machines(draw) -> dict:
    """Draw a machine of which anything may be left out."""
    return draw(
        st.fixed_dictionaries(
            {},
            optional={
                "instance_type": instance_types,
                "disk": st.fixed_dictionaries({}, optional={"size": st.integers(8, 16384)}),
            },
        )
    )


@st.composite
def workspaces(draw) -> dict:
    """Draw a workspace that passes every rule; a cluster fits even the smallest network."""
    region = draw(st.sampled_from(REGIONS))
    known = catalog.regions()[region].zones
    zones = draw(st.lists(st.sampled_from(known), min_size=1, unique=True))
    cluster = st.fixed_dictionaries(
        {},
        optional={
            "n_workers": st.integers(1, 20),
            "zone": st.sampled_from(zones),
            "scheduler": machines(),
            "worker": machines(),
        },
    )
    rules = draw(
        st.lists(st.tuples(ports.map(str) | port_ranges, sources), max_size=4, unique_by=_rule_identity)
    )
    return {
        "name": draw(slugs),
        "region": region,
        "zone": draw(st.sampled_from(zones)),
        "network": {"cidr": draw(network_blocks()), "zones": zones},
        "ingress": [{"ports": [port], "cidr": source} for port, source in rules],
        "logs": {"retention_days": draw(st.sampled_from(RETENTION_DAYS))},
        "tags": draw(tags),
        "clusters": draw(st.dictionaries(slugs, cluster, max_size=4)),
    }


def _rule_identity(rule: tuple[str, str]) -> tuple:
    first, _, last = rule[0].partition("-")
    return int(first), int(last or first), rule[1]


def spec_of(data: dict) -> Workspace:
    """Check drawn values."""
    return load.validate(data, source="drawn").workspace
