"""Clusters beside their workspace's file: each a stack of its own, so that many people start them at once."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from coiled_pulumi import outputs
from coiled_pulumi.aws import fleet
from coiled_pulumi.engine.lock import exclusive
from coiled_pulumi.errors import (
    CancelledError,
    CoiledPulumiError,
    DeploymentError,
    NoSuchStackError,
    UsageError,
)
from coiled_pulumi.ops import grounds, stacks, target
from coiled_pulumi.ops.engine_run import OnRows, Result
from coiled_pulumi.plan import beside, model
from coiled_pulumi.plan.build import cluster_stack, region_stack
from coiled_pulumi.spec import aliases, dask_config, load
from coiled_pulumi.spec.settled import settle, with_config
from coiled_pulumi.spec.software import ENVIRON
from coiled_pulumi.values import WORKERS

#: Runs an operation of the engine under a title, in whatever view the caller has.
Perform = Callable[[str, Callable[[OnRows], Result]], Result]
Tell = Callable[[str], None]
Check = Callable[[model.Workspace], None]


@dataclass(frozen=True, slots=True)
class Order:
    """A cluster to be brought up: checked, but not made, and nothing asked of AWS."""

    name: str
    record: outputs.WorkspaceOutputs
    cluster: Mapping[str, Any]
    declared: Mapping[str, Any]
    region: str
    zone: str
    public: bool
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


def order(workspace: target.Place, name: str, wanted: Mapping[str, Any]) -> Order:
    """Check what was asked for against the workspace's record.

    Args:
        workspace: its stack.
        name: of the cluster.
        wanted: what a cluster of the file may have, as plain values.

    Raises:
        NoSuchStackError: the workspace was never brought up.
        UsageError: the cluster is one of the file's, or what was asked for cannot be.
    """
    record = stacks.read_outputs(workspace)
    if name in record.clusters:
        raise _of_the_file(name, record.name)
    # The region of what is up, and not of whoever asks: a silent file leaves it to the configuration of who ran `up`.
    said = dict(record.declared) | {"region": record.region}
    made = load.declared(said, source=f"workspace {record.name}")
    declared = with_config(made, dask_config.read().options)
    cluster = load.validate_cluster(name, dict(wanted), workspace=declared)
    settled = settle(declared, cluster)
    return Order(
        name=name,
        record=record,
        cluster=_without_values(wanted),
        declared=declared.declared(),
        region=settled.region,
        zone=settled.zone,
        public=settled.use_scheduler_public_ip,
        environ=cluster.environ,
    )


def start(
    workspace: target.Place, wanted: Order, *, perform: Perform, tell: Tell, check: Check = lambda _: None
) -> tuple[target.Place, Result]:
    """Bring a cluster up, and before it the network that it needs and that is not there yet.

    Args:
        workspace: its stack.
        wanted: the cluster.
        perform: runs the engine.
        tell: says what is waited for.
        check: looks at the plan, once there is a network to launch into, and raises if AWS would refuse it.

    Raises:
        UsageError: a cluster of that name is up in another zone or region.
        DeploymentError: AWS refused; a network that could not be made is gone again.
    """
    name = wanted.name
    known = _is_up(workspace, wanted)
    with _told(
        "the same start goes on from here; what there is of the network is deleted with the workspace"
    ):
        shared, declared = grounds.stand(workspace, wanted, perform=perform, tell=tell)
    check(_planned(shared, declared, wanted))
    with (
        _told(f"the same start goes on from here; coiled-pulumi cluster stop {name} deletes what is there"),
        _alone(cluster_stack(workspace.workspace, name), tell),
    ):
        if known or _is_up(workspace, wanted):
            tell(f"cluster {name} is up already; what is missing of it is made")
        config = _config(shared, declared, name, wanted.cluster)
        place = _place(workspace, name, shared.region, config, wanted.environ)
        try:
            return place, perform(f"start {name}", lambda on: stacks.up(place, on))
        except DeploymentError as error:
            left = f"what was made of it stays and costs: coiled-pulumi cluster stop {name} deletes it"
            raise type(error)(error.what, "\n".join((*_of_a_cluster(error.hint), left))) from error


def scale(
    workspace: target.Place,
    name: str,
    n_workers: int | list[int],
    *,
    perform: Perform,
    tell: Tell,
    group: str = WORKERS,
) -> tuple[target.Place, Result]:
    """Give a group of workers of a cluster another number, or another range.

    Raises:
        NoSuchStackError: no such cluster was started.
        SpecErrors: the number cannot be.
    """
    change: dict[str, Any] = {"n_workers": n_workers}
    if group != WORKERS:
        groups = require(workspace, name).config["cluster"]["worker_groups"]
        change = {"worker_groups": {**groups, group: {**groups[group], **change}}}
    return _changed(workspace, name, change, verb="scale", perform=perform, tell=tell)


def rotate(
    workspace: target.Place, name: str, *, perform: Perform, tell: Tell
) -> tuple[target.Place, Result]:
    """Give a cluster new certificates; its machines take them while they run.

    Raises:
        NoSuchStackError: no such cluster was started.
    """
    before = require(workspace, name).config["cluster"].get("rotation", 0)
    return _changed(workspace, name, {"rotation": before + 1}, verb="rotate", perform=perform, tell=tell)


def _changed(
    workspace: target.Place,
    name: str,
    change: Mapping[str, Any],
    *,
    verb: str,
    perform: Perform,
    tell: Tell,
) -> tuple[target.Place, Result]:
    """Bring a cluster up with something of what it was started with changed."""
    record = require(workspace, name, secrets=True)
    config = dict(record.config)
    config["cluster"] = {**config["cluster"], **change}
    load.validate_cluster(name, config["cluster"], workspace=load.declared(config["declared"]))
    with (
        _told("the same command goes on from here"),
        _alone(cluster_stack(workspace.workspace, name), tell),
    ):
        environ = record.environ if isinstance(record.environ, Mapping) else {}
        place = _place(workspace, name, record.region, config, environ)
        return place, perform(f"{verb} {name}", lambda on: stacks.up(place, on))


def stop(workspace: target.Place, name: str, *, perform: Perform, tell: Tell) -> tuple[target.Place, Result]:
    """Delete everything of a cluster, and its stack; its workers at once, the rest when the engine comes to it.

    Raises:
        NoSuchStackError: no such cluster was started.
    """
    stack, there = cluster_stack(workspace.workspace, name), stacks.stacks_of(workspace)
    if stack not in there:
        raise _unknown(workspace, name)
    with _told("the same command goes on from here"), _alone(stack, tell):
        try:
            record = _read(workspace, name)
        except NoSuchStackError:  # another stop was faster
            raise _unknown(workspace, name) from None
        empty(record)
        region = record.region if record else _region_of(workspace, stack)
        place = _place(workspace, name, region, dict(record.config) if record else {})
        result = perform(f"stop {name}", lambda on: stacks.destroy(place, on))
        stacks.remove(place)
    if region_stack(workspace.workspace, region) in there:
        tell(
            f"the network of {workspace.workspace} in {region} stays for the next start there, its way out costs; "
            "coiled-pulumi destroy deletes it with the workspace"
        )
    return place, result


def empty(record: outputs.ClusterStackOutputs | None) -> None:
    """Have all workers of a cluster end: the engine first looks at everything, which takes a while."""
    # What cannot be done so is done by the engine, a minute later.
    with contextlib.suppress(CoiledPulumiError):
        if record is not None:
            fleet.empty([group.name for group in record.cluster.groups.values()], record.region)


def names(workspace: target.Place) -> list[str]:
    """Give the names of the clusters that were started beside the file."""
    return [name for stack in stacks.stacks_of(workspace) if (name := _name(workspace, stack))]


def clear(workspace: target.Place, *, perform: Perform, tell: Tell) -> None:
    """Delete every cluster beside the file, and every network that was made for them."""
    there = stacks.stacks_of(workspace)
    for name in filter(None, (_name(workspace, stack) for stack in there)):
        stop(workspace, name, perform=perform, tell=tell)
    for stack in (one for one in there if not _name(workspace, one)):
        rest = stack.removeprefix(f"{workspace.workspace}.")
        kind, _, where = rest.partition(".")
        region = where if kind == "region" else workspace.region
        with _alone(stack, tell):
            place = target.beside(
                workspace.workspace, stack, region=region, key=kind, value={}, state=target.state_home()
            )
            perform(f"destroy {stack}", lambda on, place=place: stacks.destroy(place, on))
            stacks.remove(place)


def listed(workspace: target.Place) -> dict[str, outputs.ClusterStackOutputs | None]:
    """Give the clusters that were started beside the file, by name; None for one that never came up whole."""
    known = names(workspace)
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(known, pool.map(lambda name: _read(workspace, name), known), strict=True))


def require(workspace: target.Place, name: str, *, secrets: bool = False) -> outputs.ClusterStackOutputs:
    """Give the record of a cluster that was started beside the file, with its secrets if they are asked for.

    Raises:
        NoSuchStackError: there is none.
    """
    try:
        record = _read(workspace, name, secrets=secrets)
    except NoSuchStackError:
        raise _unknown(workspace, name) from None
    if record is None:
        msg = f"cluster {name} of {workspace.workspace} never came up whole"
        hint = f"coiled-pulumi cluster start {name} goes on, coiled-pulumi cluster stop {name} deletes it"
        raise CoiledPulumiError(msg, hint)
    return record


def _unknown(workspace: target.Place, name: str) -> CoiledPulumiError:
    if isinstance(workspace, target.Target) and name in workspace.loaded.workspace.clusters:
        return _of_the_file(name, workspace.workspace)
    there = ", ".join(names(workspace)) or "none"
    msg = f"no cluster '{name}' was started beside the file of {workspace.workspace} (found: {there})"
    return NoSuchStackError(
        msg, f"if it is new: coiled-pulumi cluster start {name}; if it stands in the file: change it there, and "
        "coiled-pulumi up"
    )  # fmt: skip


def _of_the_file(name: str, workspace: str) -> UsageError:
    msg = f"cluster {name} stands in the file of {workspace}"
    return UsageError(msg, "change it there, and bring it up with: coiled-pulumi up")


def _name(workspace: target.Place, stack: str) -> str:
    """Give the cluster that a stack is about; empty for a network's."""
    rest = stack.removeprefix(f"{workspace.workspace}.")
    return "" if "." in rest else rest


def _read(workspace: target.Place, name: str, *, secrets: bool = False) -> outputs.ClusterStackOutputs | None:
    stack = cluster_stack(workspace.workspace, name)
    return outputs.read_cluster(stacks.outputs_of(stack, workspace.project, secrets=secrets))


def _without_values(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the names of variables alone: what a cluster is started with stands in plain files and outputs."""
    named = wanted.get("environ")
    return dict(wanted) | ({"environ": dict.fromkeys(sorted(named), "")} if named else {})


def _is_up(workspace: target.Place, wanted: Order) -> bool:
    """Tell whether there is a cluster of that name, whole or not.

    Raises:
        UsageError: there is, elsewhere or with other settings: nobody who names a cluster means to lose it.
    """
    stack = cluster_stack(workspace.workspace, wanted.name)
    try:
        record = _read(workspace, wanted.name)
    except NoSuchStackError:
        return False
    region = record.region if record else _region_of(workspace, stack, wanted.region)
    zone = record.cluster.zone if record else wanted.zone
    if (region, zone) == (wanted.region, wanted.zone):
        if record and _settings(record.config["cluster"]) != _settings(wanted.cluster):
            raise UsageError(
                f"cluster {wanted.name} of {workspace.workspace} is up with other settings",
                f"coiled-pulumi cluster scale {wanted.name} N gives it more or fewer workers; else take another name, "
                f"or first: coiled-pulumi cluster stop {wanted.name}",
            )
        return bool(record)
    there, asked = (zone, wanted.zone) if region == wanted.region else (region, wanted.region)
    flags = f"--region {region} --zone {zone}" if record and region != workspace.region else f"--zone {zone}"
    if not record:
        flags = f"--region {region}"
    raise UsageError(
        f"cluster {wanted.name} of {workspace.workspace} is in {there} and does not move to {asked}",
        f"add {flags}, take another name, or first: coiled-pulumi cluster stop {wanted.name}",
    )


def _settings(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Give what was asked for besides where: that is compared by what it comes to."""
    made = aliases.options(cluster, (), aliases.Normal(None))
    return {key: value for key, value in made.items() if key not in ("region", "zone")}


def _region_of(workspace: target.Place, stack: str, otherwise: str = "") -> str:
    """Give the region of a stack that may not have come up whole; empty where nobody knows it."""
    if found := stacks.regions_of(stack, workspace.project):
        return min(found)
    with contextlib.suppress(CoiledPulumiError):  # a workspace that is known by its name alone
        return otherwise or workspace.region or stacks.read_outputs(workspace).region
    return ""


def _planned(shared: grounds.Shared, declared: Mapping[str, Any], wanted: Order) -> model.Workspace:
    made = load.declared(declared)
    spec = load.validate_cluster(wanted.name, dict(wanted.cluster), workspace=made)
    return beside.as_workspace(beside.build_cluster(shared, made, wanted.name, spec))


def _config(
    shared: grounds.Shared, declared: Mapping[str, Any], name: str, cluster: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "shared": dataclasses.asdict(shared),
        "declared": declared,
        "name": name,
        "cluster": dict(cluster),
    }


def _place(
    workspace: target.Place,
    name: str,
    region: str,
    config: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
) -> target.Place:
    return target.beside(
        workspace.workspace,
        cluster_stack(workspace.workspace, name),
        region=region,
        key="cluster",
        value=config,
        state=target.state_home(),
        cluster=name,
        environ={ENVIRON: json.dumps(dict(environ))} if environ else None,
    )


@contextlib.contextmanager
def _alone(stack: str, tell: Tell) -> Iterator[None]:
    """Let one process of this machine at a time work on a stack; Pulumi's own lock is for other machines."""
    lock = target.lock_of(stack, state=target.state_home())
    with exclusive(lock, lambda _: tell(f"another run is at work on {stack}, waiting for it")):
        yield


@contextlib.contextmanager
def _told(how: str) -> Iterator[None]:
    """Say how to go on after Ctrl-C: `coiled-pulumi up`, which the engine's run names, is for the workspace."""
    try:
        yield
    except CancelledError as error:
        raise CancelledError(error.what, how) from error


def _of_a_cluster(hint: str) -> list[str]:
    """Give the lines of a hint that hold for a cluster beside the file, which other verbs know nothing of."""
    others = ("coiled-pulumi up", "coiled-pulumi refresh")
    return [line for line in hint.splitlines() if not any(verb in line for verb in others)]
