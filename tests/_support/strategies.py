"""Hypothesis strategies for workspace files, as the plain values that YAML gives."""

from __future__ import annotations

import ipaddress
import string

from hypothesis import strategies as st

from coiled_pulumi import catalog
from coiled_pulumi.catalog import choose
from coiled_pulumi.spec import dask_config, load
from coiled_pulumi.spec.logs import RETENTION_DAYS
from coiled_pulumi.spec.rules import NAT_INSTANCE_TYPE
from coiled_pulumi.spec.workspace import Workspace
from coiled_pulumi.values import RESERVED_PREFIXES, SLUG, region_of, zone_letter

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


def offered_in(zone: str) -> list[str]:
    """Give the types of `INSTANCE_TYPES` that a zone has; all where the catalog does not know."""
    offered = catalog.offered(region_of(zone))
    return [name for name in INSTANCE_TYPES if offered is None or zone_letter(zone) in offered.get(name, "")]


def _has_defaults(zone: str) -> bool:
    return bool(choose.choose(choose.Wish(), region=region_of(zone), zone=zone))


disks = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(8, 16384),
        "throughput": st.integers(125, 750),
        "iops": st.integers(3000, 16000),
    },
)


@st.composite
def machines(draw, zone: str) -> dict:
    """Draw a machine of which anything may be left out, for a zone."""
    named = st.sampled_from([[], *([name] for name in offered_in(zone))])
    types = draw(named)
    return draw(
        st.fixed_dictionaries(
            {"instance_type": st.sampled_from([types, types[0]])} if types else {}, optional={"disk": disks}
        )
    )


@st.composite
def options(draw) -> dict:
    """Draw backend options that say nothing about places; nothing of spot beside what refuses it."""
    said = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "spot": st.booleans(),
                "keypair_name": st.sampled_from(["mine", "Team key 1"]),
                "use_scheduler_public_ip": st.booleans(),
                "ami_version": st.just("AL2023"),
                "ami_id": st.just("ami-0123456789abcdef0"),
                "agent": st.sampled_from(
                    [f"{where}/agent.whl#sha256={'0' * 64}" for where in ("https://h", "s3://b")]
                ),
                "disk": disks,
            },
        )
    )
    if said.get("spot"):
        said |= draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "spot_on_demand_fallback": st.booleans(),
                    "spot_on_demand_base": st.integers(0, 20),
                },
            )
        )
    return said


#: Rules of an ingress, none of them twice.
ingress = st.lists(
    st.tuples(ports.map(str) | port_ranges, sources), max_size=4, unique_by=lambda rule: _rule_identity(rule)
).map(lambda rules: [{"ports": [port], "cidr": source} for port, source in rules])


#: Numbers of workers, and ranges of them.
sizes = st.integers(1, 20) | st.tuples(st.integers(0, 10), st.integers(1, 10)).map(
    lambda pair: [pair[0], pair[0] + pair[1]]
)
spans = st.just("never") | st.builds(
    lambda number, unit: f"{number} {unit}",
    st.integers(5, 365),
    st.sampled_from(["seconds", "minutes", "min", "hours", "h", "days"]),
)


@st.composite
def clusters(draw, zones: list[str], default: str) -> dict:
    """Draw a cluster that fits even the smallest network."""
    zone = draw(st.sampled_from(zones))
    said = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "n_workers": sizes,
                "scheduler": machines(zone),
                "worker": machines(zone),
                "worker_groups": st.dictionaries(
                    slugs.filter(lambda label: label != "workers"),
                    st.builds(lambda machine, size: {**machine, "n_workers": size}, machines(zone), sizes),
                    max_size=2,
                ),
                "idle_timeout": spans,
                "environ": st.dictionaries(
                    st.from_regex(r"[A-Z]{1,8}", fullmatch=True), st.just("x"), max_size=3
                ),
                "rotation": st.integers(0, 3),
                "ingress": ingress,
            },
        )
    )
    return said | draw(options()) | ({} if zone == default else {"zone": zone})


@st.composite
def workspaces(draw) -> dict:
    """Draw a workspace that passes every rule."""
    region = draw(st.sampled_from(REGIONS))
    known = catalog.regions()[region].zones
    zones = draw(st.lists(st.sampled_from(known), min_size=1, unique=True).filter(_any_has_defaults))
    usable = [zone for zone in zones if _has_defaults(zone)]
    zone = draw(st.sampled_from(usable))
    offered = catalog.offered(region)
    small = offered is None or zone[-1] in offered.get(NAT_INSTANCE_TYPE, "")
    ways = ["gateway", "per-zone", "none", *(["instance"] if small else [])]
    return draw(options()) | {
        "name": draw(slugs),
        "region": region,
        "zone": zone,
        "network": {
            "cidr": draw(network_blocks()),
            "zones": zones,
            "nat": draw(st.sampled_from(ways)),
        },
        "ingress": draw(ingress),
        "iam": {"s3": draw(st.sampled_from([[], [{"bucket": "data-lake", "access": "read-write"}]]))},
        "logs": {"retention_days": draw(st.sampled_from(RETENTION_DAYS))},
        "tags": draw(tags),
        "clusters": draw(st.dictionaries(slugs, clusters(usable, zone), max_size=4)),
    }


def _any_has_defaults(zones: list[str]) -> bool:
    return any(map(_has_defaults, zones))


def _rule_identity(rule: tuple[str, str]) -> tuple:
    first, _, last = rule[0].partition("-")
    return int(first), int(last or first), rule[1]


def spec_of(data: dict) -> Workspace:
    """Check drawn values."""
    return load.validate(data, source="drawn", config=dask_config.NOTHING).workspace
