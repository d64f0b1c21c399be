"""The network that a cluster stands on: the workspace's, or one that is made on demand and then shared by all.

A zone or a region that the workspace's file does not list gets a stack of its own. Whoever needs it brings it up: for
all but the first there is nothing to do. Pulumi's lock makes sure that only one makes it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from coiled_pulumi import outputs
from coiled_pulumi.engine.lock import exclusive
from coiled_pulumi.errors import (
    CoiledPulumiError,
    DeadlineError,
    DeploymentError,
    NoSuchStackError,
    UsageError,
)
from coiled_pulumi.ops import stacks, target
from coiled_pulumi.ops.engine_run import Result
from coiled_pulumi.plan.build import region_stack, zone_stack
from coiled_pulumi.plan.model import Shared
from coiled_pulumi.plan.network import subnet_key
from coiled_pulumi.spec import load

if TYPE_CHECKING:
    from coiled_pulumi.ops.clusters import Order, Perform, Tell

#: How long another machine's work on the same network is waited for, in seconds; a network takes a minute or three.
PATIENCE: Final = 900
#: Between two looks at a lock, in seconds; spread, so that those who wait do not meet again.
_PAUSE: Final = (1.0, 3.0)
#: How often a run that broke after somebody was waited for is begun again.
_BROKEN: Final = 3


def stand(
    workspace: target.Place, wanted: Order, *, perform: Perform, tell: Tell
) -> tuple[Shared, Mapping[str, Any]]:
    """Give what the cluster stands on, making what is not there; with what is declared for its region.

    Raises:
        UsageError: the network is an existing one, to which nothing is added.
        DeploymentError: AWS refused; nothing of what was begun is left.
    """
    record, declared = wanted.record, dict(wanted.declared)
    if wanted.region != record.region:
        declared = load.declared(declared).elsewhere(wanted.region)
        record = _region(workspace, wanted, declared, perform, tell)
    shared = _shared(record, declared)
    if not _has(shared.subnets, wanted):
        subnets = _zone(workspace, wanted, record, shared, declared, perform, tell)
        shared.subnets.update(subnets)
    return shared, declared


def _has(subnets: Mapping[str, str], wanted: Order) -> bool:
    tiers = ("private", "public") if wanted.public else ("private",)
    return all(subnet_key(tier, wanted.zone) in subnets for tier in tiers)


def _shared(record: outputs.WorkspaceOutputs, declared: Mapping[str, Any]) -> Shared:
    return Shared(
        workspace=record.name,
        region=record.region,
        account=declared.get("account"),
        vpc_id=record.vpc_id,
        subnets=dict(record.subnets),
        groups=dict(record.groups),
        profile=record.instance_profile,
    )


def _region(
    workspace: target.Place, wanted: Order, declared: Mapping[str, Any], perform: Perform, tell: Tell
) -> outputs.WorkspaceOutputs:
    name, region = workspace.workspace, wanted.region
    missing = _Missing(
        stack=region_stack(name, region),
        key="region",
        output=outputs.KEY,
        lack=f"region {region} has no network of {name}",
        rights=f"`coiled-pulumi iam setup --region {region}`",
        ways=f"start it in {wanted.record.region}",
    )
    return outputs.read(_made(workspace, missing, region, declared, perform, tell))


def _zone(
    workspace: target.Place, wanted: Order, record: outputs.WorkspaceOutputs, shared: Shared,
    declared: Mapping[str, Any], perform: Perform, tell: Tell,
) -> Mapping[str, str]:  # fmt: skip
    name, zone = workspace.workspace, wanted.zone
    known = ", ".join(sorted({key.partition("-")[2] for key in shared.subnets}))
    if not record.route_tables:
        msg = f"zone {zone} has no subnets in the existing network of {name}"
        raise UsageError(msg, f"add network.existing.subnets.{zone}, or take one of {known}")
    missing = _Missing(
        stack=zone_stack(name, zone),
        key="zone",
        output=outputs.ZONE_KEY,
        lack=f"zone {zone} has no subnets in {name}",
        rights="`coiled-pulumi iam setup`",
        ways=f"start it in one of {known}",
    )
    tables = dict(record.route_tables)
    value = {"shared": dataclasses.asdict(shared), "declared": declared, "zone": zone, "tables": tables}
    made = _made(workspace, missing, shared.region, value, perform, tell)
    return made[outputs.ZONE_KEY]  # type: ignore[return-value]


@dataclasses.dataclass(frozen=True, slots=True)
class _Missing:
    """A network that the workspace's file does not list.

    Attributes:
        stack: that makes it.
        key: of the program's config.
        output: of the stack, there once it was made whole.
        lack: what is said as long as it is not there.
        rights: the command that prints the rights to make it.
        ways: what to do without it.
    """

    stack: str
    key: str
    output: str
    lack: str
    rights: str
    ways: str


def _made(
    workspace: target.Place, missing: _Missing, region: str, value: object, perform: Perform, tell: Tell
) -> dict[str, object]:
    """Bring a network up, or find that it is up, and give its stack's outputs; without the right to, leave nothing."""
    state = target.state_home()
    lock = target.lock_of(missing.stack, state=state)
    with exclusive(lock, lambda _: tell(f"{missing.lack} yet; another start makes it, waiting")):
        place = target.beside(
            workspace.workspace, missing.stack, region=region, key=missing.key, value=value, state=state
        )

        def bring_up() -> Result:
            return perform(f"up {place.stack}", lambda on: stacks.up(place, on))

        try:
            _patiently(bring_up, missing.lack, tell)
        except DeploymentError as error:
            # Others stand on a network that was made whole once: whatever failed now, it stays.
            if _outputs(place).get(missing.output) is None:
                _take_back(place, perform)
            denied = [fault.what for fault in error.faults if fault.kind == "rights"]
            if not denied:
                raise
            what = f"{missing.lack}, and making it is not allowed: {denied[0]}"
            hint = f"attach what {missing.rights} prints, or {missing.ways}"
            raise DeploymentError(what, hint) from error
        return _outputs(place)


def _outputs(place: target.Place) -> dict[str, object]:
    """Give the outputs of a stack, none if there is no such stack."""
    try:
        return stacks.outputs_of(place.stack, place.project)
    except NoSuchStackError:
        return {}


def _patiently(run: Callable[[], Result], lack: str, tell: Tell) -> Result:
    """Run when nobody else does."""
    until = time.monotonic() + PATIENCE
    told, broken = False, 0
    while True:
        try:
            return run()
        except CoiledPulumiError as error:
            if "currently locked by" not in error.what:
                # Who was waited for may be taking the stack back, and Pulumi breaks on one that goes under its hands.
                broken += 1
                if not told or type(error) is not CoiledPulumiError or broken > _BROKEN:
                    raise
            if time.monotonic() > until:
                raise DeadlineError(
                    f"{lack}: whoever makes them does not come to an end", error.hint
                ) from None
        if not told:
            tell(f"{lack} yet; another machine makes them, waiting")
            told = True
        time.sleep(random.uniform(*_PAUSE))  # noqa: S311 no secret


def _take_back(place: target.Place, perform: Perform) -> None:
    """Leave nothing of a network that could not be made whole."""
    with contextlib.suppress(CoiledPulumiError):
        perform(f"take back {place.stack}", lambda on: stacks.destroy(place, on))
        stacks.remove(place)
