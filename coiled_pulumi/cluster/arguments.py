"""From the arguments of `Cluster` to what a cluster of the workspace's file would have, as plain values.

Nothing is judged here that the file's own rules judge: what comes out is checked by them, in their words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final

from coiled_pulumi.errors import UsageError, echo

#: What `spot_policy` comes to.
SPOT: Final[dict[str, dict[str, bool]]] = {
    "on-demand": {"spot": False},
    "spot": {"spot": True, "spot_on_demand_fallback": False},
    "spot_with_fallback": {"spot": True, "spot_on_demand_fallback": True},
}
#: Other names for a key of the backend options; one that is given by argument is not heard there.
_ALIASES: Final = {"region": "region_name", "zone": "zone_name"}
#: What a worker group's keys may be called besides.
_OF_GROUPS: Final = {
    "worker_cpu": "cpu",
    "worker_memory": "memory",
    "worker_gpu": "gpu",
    "worker_types": "instance_type",
    "worker_vm_types": "instance_type",
    "instance_types": "instance_type",
    "types": "instance_type",
    "vm_types": "instance_type",
}
_NEVER: Final = "never"


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


#: For arguments of which None means something.
UNSET: Final[Any] = _Unset()


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What `Cluster` was asked for; None is "says nothing"."""

    n_workers: Any = None
    worker_cpu: Any = None
    worker_memory: Any = None
    worker_types: Any = None
    worker_gpu: Any = None
    worker_disk_size: Any = None
    scheduler_cpu: Any = None
    scheduler_memory: Any = None
    scheduler_types: Any = None
    scheduler_disk_size: Any = None
    worker_groups: Mapping[str, Mapping[str, Any]] | None = None
    spot_policy: str | None = None
    region: str | None = None
    zone: str | None = None
    backend_options: Mapping[str, Any] | None = None
    environ: Mapping[str, Any] | None = None
    dask_config: Mapping[str, Any] | None = None
    tags: Mapping[str, Any] | None = None
    container: str | None = None
    packages: Any = None
    python: str | None = None
    idle_timeout: Any = None
    no_client_timeout: Any = UNSET
    cluster_timeout: Any = None
    shutdown_on_close: bool | None = None

    def wanted(self) -> dict[str, Any]:
        """Give what a cluster of the file would have.

        Raises:
            UsageError: an argument has no such value, or has another form.
        """
        made = _options(self)
        made |= _said(
            n_workers=_plain(self.n_workers),
            worker=_machine(
                self.worker_cpu,
                self.worker_memory,
                self.worker_types,
                self.worker_gpu,
                self.worker_disk_size,
            ),
            scheduler=_machine(
                self.scheduler_cpu,
                self.scheduler_memory,
                self.scheduler_types,
                None,
                self.scheduler_disk_size,
            ),
            worker_groups=_groups(self.worker_groups),
            container=self.container,
            packages=_plain(self.packages),
            python=self.python,
            dask_config=dict(self.dask_config or {}),
            environ={name: str(value) for name, value in (self.environ or {}).items()},
            # As Coiled does: values become text, and empty ones are left out.
            tags={name: str(value) for name, value in (self.tags or {}).items() if value not in (None, "")},
            idle_timeout=_span(self.idle_timeout),
            cluster_timeout=_span(self.cluster_timeout),
            no_client_timeout=self._no_client(),
        )
        return made

    @property
    def sizes(self) -> list[str]:
        """Names of the arguments that say how many workers there are to be; an existing cluster has its own."""
        return [name for name in ("n_workers", "worker_groups") if getattr(self, name) is not None]

    def _no_client(self) -> Any:
        if self.no_client_timeout is None:
            return _NEVER
        if self.no_client_timeout is not UNSET:
            return _span(self.no_client_timeout)
        if self.shutdown_on_close is False:
            return _NEVER
        return _span(self.idle_timeout) or "2 minutes"


NAMES: Final = frozenset(one.name for one in fields(Arguments))


def _options(given: Arguments) -> dict[str, Any]:
    options = given.backend_options or {}
    if not isinstance(options, Mapping):
        raise UsageError("backend_options must be a mapping", 'as {"region": "us-west-2", "spot": True}')
    made = {str(key): _plain(value) for key, value in options.items() if value is not None}
    for key, alias in _ALIASES.items():
        if (value := getattr(given, key)) is not None:
            made.pop(alias, None)
            made[key] = value
    if given.region is not None and given.zone is None:
        # A zone that was said with another region does not count any more.
        made = {key: value for key, value in made.items() if key not in ("zone", _ALIASES["zone"])}
    if given.spot_policy is not None:
        if given.spot_policy not in SPOT:
            known = ", ".join(SPOT)
            raise UsageError(f"spot_policy must be one of {known}, got {echo(given.spot_policy)}")
        made |= SPOT[given.spot_policy]
    return made


def _machine(cpu: Any, memory: Any, types: Any, gpu: Any, disk: Any) -> dict[str, Any]:
    size = {"size": disk} if disk is not None else {}
    return _said(
        cpu=_plain(cpu),
        memory=_plain(memory),
        instance_type=_plain(types),
        gpu=int(gpu) if isinstance(gpu, bool) else gpu,
        disk=size,
    )


def _groups(groups: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    made = {}
    for name, group in (groups or {}).items():
        if not isinstance(group, Mapping):
            raise UsageError(
                f"worker_groups: {name} must be a mapping", 'as {"gpu": {"n_workers": 2, "gpu": 1}}'
            )
        keys: dict[str, Any] = {}
        for key, value in group.items():
            known = _OF_GROUPS.get(key, key)
            if known in keys:
                raise UsageError(f"worker_groups: {name} says {known} twice")
            if key == "worker_disk_size":
                known, value = "disk", {"size": value}
            if value is not None:
                keys[known] = _plain(value)
        made[str(name)] = keys
    return made


def _said(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None and value != {}}


def _plain(value: Any) -> Any:
    """Make lists of tuples, as a file has them."""
    if isinstance(value, tuple | list | set | frozenset):
        parts = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_plain(part) for part in parts]
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return value


def _span(value: Any) -> Any:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return math.ceil(value) if isinstance(value, float) else value


def awaited(wait: Any, total: int) -> int:
    """Tell how many workers of so many are waited for.

    Args:
        wait: True for all, False for none, a number of them, or a fraction below 1.
        total: how many there are to be.

    Raises:
        UsageError: it is neither, or more than there are to be.
    """
    if wait is None or wait is False:
        return 0
    if wait is True:
        return total
    if isinstance(wait, float) and 0 <= wait <= 1:
        return math.ceil(round(wait * total, 9))
    if isinstance(wait, int) and 0 <= wait <= total:
        return wait
    msg = f"wait_for_workers must be true, false, a number up to {total} or a fraction, got {echo(wait)}"
    raise UsageError(msg)


def bounds(n_workers: Any) -> tuple[int, int] | None:
    """Give the bounds of a range of workers; None for a number, or where nobody said anything."""
    if isinstance(n_workers, tuple | list) and len(n_workers) == 2:
        low, high = n_workers
        return (low, high) if low != high else None
    return None
