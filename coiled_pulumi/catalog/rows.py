"""How AWS's answers become the catalog's rows, for the bundled files and for refreshed copies alike."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

#: Partitions other than `aws` need another account, endpoint and ARN form; they are out of scope.
FOREIGN = ("cn-", "us-gov-", "us-iso", "eu-isoe", "eusc-")
#: Architectures that there are images for, the first that a type supports counts.
_ARCHITECTURES = ("x86_64", "arm64")


def region(zones: Iterable[str], *, opt_in: bool) -> dict[str, Any]:
    """Make the row of a region."""
    return {"opt_in": opt_in, "zones": sorted(zones)}


def instance_type(facts: Mapping[str, Any]) -> list[Any] | None:
    """Make the row of an instance type from DescribeInstanceTypes; None for one that our images cannot run on.

    Architecture, vCPUs, memory in MiB, whole GPUs, local disks in GB, the GPU's name, its maker.
    """
    supported = facts["ProcessorInfo"]["SupportedArchitectures"]
    architecture = next((name for name in _ARCHITECTURES if name in supported), None)
    if architecture is None or "hvm" not in facts.get("SupportedVirtualizationTypes", ["hvm"]):
        return None
    gpus = facts.get("GpuInfo", {}).get("Gpus", [])
    first = gpus[0] if gpus else {}
    return [
        architecture,
        facts["VCpuInfo"]["DefaultVCpus"],
        facts["MemoryInfo"]["SizeInMiB"],
        sum(gpu.get("Count", 0) for gpu in gpus),
        facts.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0),
        first.get("Name", ""),
        first.get("Manufacturer", ""),
    ]


def offerings(zones: Mapping[str, Iterable[str]], known: Iterable[str]) -> dict[str, str]:
    """Make the row of a region's offerings from the zones of each type.

    Types that are offered in the same zones stand together: `{"abc": "m5:large,xlarge m6i:large"}`. Zones are given
    by their last letter; types that are not `known` are left out.
    """
    together: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    known = set(known)
    for name in sorted(zones):
        if name in known:
            letters = "".join(sorted({zone[-1] for zone in zones[name]}))
            family, _, size = name.partition(".")
            together[letters][family].append(size)
    return {
        letters: " ".join(f"{family}:{','.join(sizes)}" for family, sizes in families.items())
        for letters, families in sorted(together.items())
    }


def offered(row: Mapping[str, str]) -> dict[str, str]:
    """Read the row of a region's offerings: map each type to the letters of its zones, as `abd`."""
    return {
        f"{family}.{size}": letters
        for letters, types in row.items()
        for family, _, sizes in (word.partition(":") for word in types.split())
        for size in sizes.split(",")
    }


def written(name: str, document: Mapping[str, Any]) -> str:
    """Write a document as JSON, one row a line so that a difference can be read."""
    head = "".join(f"{json.dumps(key)}: {json.dumps(document[key])}, " for key in document if key != name)
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in document[name].items())
    return f"{{{head}{json.dumps(name)}: {{\n{lines}\n}}}}\n"
