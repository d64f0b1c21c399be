"""The machines of a cluster."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from coiled_pulumi import catalog
from coiled_pulumi.catalog import choose
from coiled_pulumi.errors import echo
from coiled_pulumi.spec.base import NEW_MACHINES, NEW_TYPE, NEW_WORKERS, Refusal, Spec, suggest
from coiled_pulumi.spec.disk import Disk

#: Most instance types of one auto scaling group that AWS takes as overrides.
#: https://docs.aws.amazon.com/autoscaling/ec2/userguide/mixed-instances-groups-set-up-overview.html
MAX_TYPES = 40
_MEMORY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>GiB|GB|MiB|MB|TiB|TB)")
_GIB = {"MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "MB": 10**6, "GB": 10**9, "TB": 10**12}
#: No machine of EC2 has more: u7inh-32tb.480xlarge.
MAX_CPU, MAX_MEMORY = 1920, 32768


def check_instance_type(name: str) -> str:
    """Accept an instance type that the catalog knows.

    Raises:
        Refusal: unknown, with up to three near names.
    """
    if catalog.instance_type(name) is None:
        shape = "" if re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", name) else " as m6i.xlarge"
        msg = f"must be an EC2 instance type{shape}, got {echo(name)}"
        raise Refusal(msg, lambda: suggest(catalog.nearest_instance_types(name)))
    return name


def _read_types(value: object) -> object:
    names = value if isinstance(value, list | tuple) else [value]
    if not names:
        msg = "must name at least one EC2 instance type"
        raise Refusal(msg, "leave it out, or give cpu and memory")
    if len(names) > MAX_TYPES:
        msg = f"must name at most {MAX_TYPES} instance types, got {len(names)}"
        raise Refusal(msg, "AWS's limit for one group")
    for name in names:
        if not isinstance(name, str):
            msg = "must be an EC2 instance type or a list of them"
            raise Refusal(msg if value is name else f"{msg}, got {echo(name)}")
        check_instance_type(name)
        if names.count(name) > 1:
            msg = f"must name each instance type once, {echo(name)} is there twice"
            raise Refusal(msg)
    return tuple(names)


def _number(value: object) -> float:
    """Read a number of vCPUs."""
    if isinstance(value, bool) or not isinstance(value, int):
        msg = "must be a whole number of vCPUs or a range as [2, 8]"
        raise Refusal(msg)
    if not 1 <= value <= MAX_CPU:
        msg = f"must lie between 1 and {MAX_CPU} vCPUs"
        raise Refusal(msg)
    return value


def parse_memory(value: object) -> float:
    """Read an amount of memory, as `16 GiB` or `16GB`; give GiB.

    Raises:
        Refusal: it has no unit that we know, or is beyond what EC2 has.
    """
    match = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        msg = "must be an amount of memory with its unit, as 16 GiB, or a range as [8 GiB, 32 GiB]"
        raise Refusal(msg)
    amount = float(match["number"]) * _GIB[match["unit"]] / 2**30
    if not 0.4 <= amount <= MAX_MEMORY:
        msg = f"must lie between 0.5 GiB and {MAX_MEMORY // 1024} TiB"
        raise Refusal(msg)
    return amount


def _range(read: Any) -> Any:
    """Make the reader of one value or of a pair of bounds."""

    def validate(value: object) -> object:
        if not isinstance(value, list | tuple):
            number = read(value)
            return (number, number)
        if len(value) != 2:
            msg = f"must be one value or a range of two, got {len(value)} values"
            raise Refusal(msg)
        low, high = (read(part) for part in value)
        if low > high:
            msg = f"must have the smaller bound first, got [{value[0]}, {value[1]}]"
            raise Refusal(msg)
        return (low, high)

    return validate


_CPU_SCHEMA = {"type": "integer", "minimum": 1, "maximum": MAX_CPU}
_MEMORY_SCHEMA = {
    "type": "string",
    "pattern": f"^{_MEMORY.pattern.replace('?P<number>', '').replace('?P<unit>', '')}$",
}


def _or_pair(one: dict) -> dict:
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 2, "maxItems": 2}]}


InstanceTypes = Annotated[
    tuple[str, ...],
    BeforeValidator(_read_types),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_TYPES},
            ]
        }
    ),
]
Cpu = Annotated[tuple[int, int], BeforeValidator(_range(_number)), WithJsonSchema(_or_pair(_CPU_SCHEMA))]
Memory = Annotated[
    tuple[float, float], BeforeValidator(_range(parse_memory)), WithJsonSchema(_or_pair(_MEMORY_SCHEMA))
]


def _check_gpu(count: int) -> int:
    if count < 0:
        msg = "must be 0 or 1"
        raise Refusal(msg)
    if count > 1:
        near = ", ".join(choose.single_gpu_types())
        msg = "must be at most 1, a worker uses one GPU"
        raise Refusal(msg, f"more workers with one each do the same: {near} have one")
    return count


Gpu = Annotated[
    int, AfterValidator(_check_gpu), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 1})
]


class Machine(Spec):
    """One kind of machine: named by its types, or by what it should have."""

    instance_type: Annotated[InstanceTypes | None, NEW_TYPE] = None
    """EC2 instance type, x86 or ARM, or a list of them in order of preference; the image follows. Not together with cpu
    and memory. Default: m6i.xlarge or m5.xlarge, 4 vCPUs and 16 GiB."""

    cpu: Annotated[Cpu | None, NEW_TYPE] = None
    """Number of vCPUs, or a range as [2, 8]; the fitting instance types are chosen."""

    memory: Annotated[Memory | None, NEW_TYPE] = None
    """Memory as 16 GiB, or a range as [8 GiB, 32 GiB]; one value is met within 11 % below and 10 % above."""

    gpu: Annotated[Gpu | None, NEW_WORKERS] = None
    """Number of GPUs, 0 or 1: a worker uses one. Default: as many as the instance type has, else 0."""

    architecture: Annotated[Literal["x86_64", "arm64"] | None, NEW_MACHINES] = None
    """Processor, x86_64 or arm64 (Graviton). Default: the instance type's, else x86_64."""

    disk: Disk = Disk()
    """The root disk."""
