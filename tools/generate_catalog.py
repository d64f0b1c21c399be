"""Write coiled_pulumi/catalog/data/*.json from the AWS describe results that moto ships.

Run by hand: `python tools/generate_catalog.py`. The files carry date and source, and are reviewed like code.
"""

from __future__ import annotations

import datetime
import json
from importlib.metadata import version
from pathlib import Path

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES

TARGET = Path(__file__).parent.parent / "coiled_pulumi" / "catalog" / "data"
#: Partitions other than `aws` need another account, endpoint and ARN form; they are out of scope.
FOREIGN = ("cn-", "us-gov-", "us-iso", "eu-isoe", "eusc-")

#: On in every account without asking: the regions from before 20 March 2019.
#: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
ALWAYS_ON = frozenset(
    [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ]
)


def regions() -> dict[str, object]:
    """Map each commercial region to its zones and whether an account has to opt in to it."""
    found: dict[str, object] = {}
    for region in sorted(RegionsAndZonesBackend.regions, key=lambda r: r.name):
        if region.name.startswith(FOREIGN):
            continue
        zones = sorted(z.name for z in RegionsAndZonesBackend.zones.get(region.name, []))
        if zones:
            found[region.name] = {"opt_in": region.name not in ALWAYS_ON, "zones": zones}
    return found


def instance_types() -> dict[str, list[object]]:
    """Map each current type to [architecture, vCPUs, memory in MiB, GPUs]."""
    found: dict[str, list[object]] = {}
    for name, facts in sorted(INSTANCE_TYPES.items()):
        architectures = facts["ProcessorInfo"]["SupportedArchitectures"]
        arch = next((a for a in ("x86_64", "arm64") if a in architectures), None)
        if arch is None or "hvm" not in facts.get("SupportedVirtualizationTypes", ["hvm"]):
            continue
        gpus = sum(gpu.get("Count", 0) for gpu in facts.get("GpuInfo", {}).get("Gpus", []))
        found[name] = [arch, facts["VCpuInfo"]["DefaultVCpus"], facts["MemoryInfo"]["SizeInMiB"], gpus]
    return found


def write(name: str, key: str, facts: dict) -> None:
    """Write one file, one fact a line so that a diff can be read."""
    source = f"AWS describe calls as shipped with moto {version('moto')}"
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in facts.items())
    text = f'{{"source": {json.dumps(source)}, "date": "{date}", "{key}": {{\n{rows}\n}}}}\n'
    (TARGET / f"{name}.json").write_text(text)


if __name__ == "__main__":
    write("regions", "regions", regions())
    write("instance_types", "instance_types", instance_types())
