"""The quotas that a workspace can run into: used, allowed, needed, and a value to ask for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from coiled_pulumi.aws import discover, quotas, session
from coiled_pulumi.errors import CoiledPulumiError, CredentialsError
from coiled_pulumi.ops import demand
from coiled_pulumi.ops.preflight_checks import missing_launches, vcpus_needed
from coiled_pulumi.plan import model

#: AWS takes any number; round ones are what people recognise in a bill and in the console.
_STEPS: Final = (1, 2, 5, 10, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_LARGE: Final = 512


@dataclass(frozen=True, slots=True)
class Row:
    """One quota.

    Attributes:
        quota: which.
        used: in this region, by everybody; None where it could not be seen.
        limit: what is allowed; None where it could not be read, and `why` says the reason.
        needed: what this workspace needs beyond what it runs, 0 without a workspace file.
        pending: the value that was asked for and not answered yet, None where there is none.
        status: of that request.
    """

    quota: quotas.Quota
    used: float | None
    limit: float | None
    needed: float
    pending: float | None = None
    status: str = ""
    why: str = ""

    @property
    def low(self) -> bool:
        """Whether the workspace does not fit in."""
        return self.limit is not None and (self.used or 0) + self.needed > self.limit and self.needed > 0

    @property
    def suggested(self) -> float:
        """The value to ask for: the next comfortable one that everything fits in."""
        return comfortable((self.used or 0) + self.needed)


def comfortable(value: float) -> float:
    """Round up to a value that somebody would ask for; beyond 1024 to the next 512."""
    return next((float(step) for step in _STEPS if step >= value), float(math.ceil(value / _LARGE) * _LARGE))


def review(plan: model.Workspace | None, *, region: str) -> tuple[Row, ...]:
    """Look at the quotas that matter, and at those that the plan needs beside them.

    Raises:
        CredentialsError: nobody may ask.
    """
    for service in ("ec2", "service-quotas"):  # one after the other: see `preflight.gather`
        session.client(service, region)
    with ThreadPoolExecutor(8) as pool:
        machines = pool.submit(_attempt, discover.machines, region=region)
        counts = pool.submit(_attempt, discover.counts, region=region)
        pending = {
            name: pool.submit(_attempt, quotas.pending, name, region=region) for name in ("ec2", "vpc")
        }
        asked = {name: future.result() for name, future in pending.items()}
        needed = _needed(plan, machines.result(), counts.result())
        listed = dict.fromkeys((*quotas.SHOWN, *needed, quotas.VPCS, quotas.ADDRESSES, quotas.NAT_GATEWAYS))
        limits = {quota: pool.submit(_attempt, quotas.limit, quota, region=region) for quota in listed}
        used = _used(machines.result(), counts.result())
        return tuple(
            _row(quota, limits[quota].result(), used, needed.get(quota, 0), asked[quota.service])
            for quota in listed
        )


def ask(row: Row, value: float, *, region: str) -> quotas.Request:
    """Ask AWS for a higher value.

    Raises:
        CoiledPulumiError: it was refused; the hint is where to do it by hand.
    """
    try:
        return quotas.raise_to(row.quota, value, region=region)
    except CoiledPulumiError as error:
        raise type(error)(error.what, f"ask for it at {row.quota.link}") from None


def _attempt(call: Any, *args: Any, **options: Any) -> Any:
    try:
        return call(*args, **options)
    except CredentialsError:
        raise
    except CoiledPulumiError as error:
        return error


def _row(quota: quotas.Quota, limit: Any, used: dict[str, float] | None, needed: float, asked: Any) -> Row:
    request = asked.get(quota.code) if isinstance(asked, dict) else None
    why = limit.what.splitlines()[0] if isinstance(limit, CoiledPulumiError) else ""
    return Row(
        quota,
        None if used is None else used.get(quota.code, 0),
        None if why else limit,
        needed,
        request.wanted if request else None,
        request.status if request else "",
        why,
    )


def _used(machines: Any, counts: Any) -> dict[str, float] | None:
    if isinstance(machines, CoiledPulumiError) or isinstance(counts, CoiledPulumiError):
        return None
    gateways = counts.nat_gateways
    return dict(quotas.used(machines)) | {
        quotas.VPCS.code: counts.vpcs,
        quotas.ADDRESSES.code: counts.addresses,
        quotas.NAT_GATEWAYS.code: max((gateways.count(zone) for zone in gateways), default=0),
    }


def _needed(plan: model.Workspace | None, machines: Any, counts: Any) -> dict[quotas.Quota, float]:
    if plan is None:
        return {}
    found: dict[quotas.Quota, float] = dict(vcpus_needed(missing_launches(plan, machines)))
    # A network that is up has its own already.
    if not demand.existing_vpc(plan) and not _is_up(plan, machines, counts):
        found[quotas.VPCS] = 1
        found[quotas.ADDRESSES] = len(demand.held_addresses(plan))
        found[quotas.NAT_GATEWAYS] = min(1, len(demand.nat_zones(plan)))
    return found


def _is_up(plan: model.Workspace, machines: Any, counts: Any) -> bool:
    running: Iterable[discover.Machine] = machines if isinstance(machines, tuple) else ()
    named = counts.workspaces if isinstance(counts, discover.Counts) else ()
    return plan.name in named or any(machine.workspace == plan.name for machine in running)
