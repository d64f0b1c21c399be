"""Clusters beside their workspace's file: each a stack of its own, so that many people start them at once."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coiled_pulumi import outputs
from coiled_pulumi.engine.lock import exclusive
from coiled_pulumi.errors import CoiledPulumiError, NoSuchStackError, UsageError
from coiled_pulumi.ops import grounds, stacks, target
from coiled_pulumi.ops.engine_run import OnRows, Result
from coiled_pulumi.plan import beside, model
from coiled_pulumi.plan.build import cluster_stack
from coiled_pulumi.spec import dask_config, load
from coiled_pulumi.spec.settled import settle, with_config

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
        msg = f"cluster {name} stands in the file of {record.name}"
        raise UsageError(msg, "change it there, and bring it up with: coiled-pulumi up")
    made = load.validate(dict(record.declared), source=f"workspace {record.name}", config=dask_config.NOTHING)
    declared = with_config(made.workspace, dask_config.read().options)
    cluster = load.validate_cluster(name, dict(wanted), workspace=declared)
    settled = settle(declared, cluster)
    return Order(
        name=name,
        record=record,
        cluster=wanted,
        declared=declared.declared() | {"region": record.region},
        region=settled.region,
        zone=settled.zone,
        public=settled.use_scheduler_public_ip,
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
        DeploymentError: AWS refused; a network that could not be made is gone again.
    """
    shared, declared = grounds.stand(workspace, wanted, perform=perform, tell=tell)
    check(_planned(shared, declared, wanted))
    place = _place(
        workspace, wanted.name, shared.region, _config(shared, declared, wanted.name, wanted.cluster)
    )
    with _alone(place, tell):
        return place, perform(f"start {wanted.name}", lambda on: stacks.up(place, on))


def scale(
    workspace: target.Place, name: str, n_workers: int, *, perform: Perform, tell: Tell
) -> tuple[target.Place, Result]:
    """Give a cluster another number of workers.

    Raises:
        NoSuchStackError: no such cluster was started.
        SpecErrors: the number cannot be.
    """
    record = require(workspace, name)
    config = dict(record.config)
    config["cluster"] = {**config["cluster"], "n_workers": n_workers}
    declared = load.validate(dict(config["declared"]), source="the workspace", config=dask_config.NOTHING)
    load.validate_cluster(name, config["cluster"], workspace=declared.workspace)
    place = _place(workspace, name, record.region, config)
    with _alone(place, tell):
        return place, perform(f"scale {name}", lambda on: stacks.up(place, on))


def stop(workspace: target.Place, name: str, *, perform: Perform, tell: Tell) -> tuple[target.Place, Result]:
    """Delete everything of a cluster, and its stack.

    Raises:
        NoSuchStackError: no such cluster was started.
    """
    if cluster_stack(workspace.workspace, name) not in stacks.stacks_of(workspace):
        raise _unknown(workspace, name)
    record = _read(workspace, name)
    place = _place(
        workspace, name, record.region if record else workspace.region, dict(record.config) if record else {}
    )
    with _alone(place, tell):
        result = perform(f"stop {name}", lambda on: stacks.destroy(place, on))
        stacks.remove(place)
    return place, result


def names(workspace: target.Place) -> list[str]:
    """Give the names of the clusters that were started beside the file."""
    return [name for stack in stacks.stacks_of(workspace) if (name := _name(workspace, stack))]


def clear(workspace: target.Place, *, perform: Perform, tell: Tell) -> None:
    """Delete every cluster beside the file, and every network that was made for them."""
    for name in names(workspace):
        stop(workspace, name, perform=perform, tell=tell)
    for stack in stacks.stacks_of(workspace):
        rest = stack.removeprefix(f"{workspace.workspace}.")
        kind, _, where = rest.partition(".")
        region = where if kind == "region" else workspace.region
        place = target.beside(
            workspace.workspace, stack, region=region, key=kind, value={}, state=target.state_home()
        )
        with _alone(place, tell):
            perform(f"destroy {stack}", lambda on, place=place: stacks.destroy(place, on))
            stacks.remove(place)


def listed(workspace: target.Place) -> dict[str, outputs.ClusterStackOutputs | None]:
    """Give the clusters that were started beside the file, by name; None for one that never came up whole."""
    known = names(workspace)
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(known, pool.map(lambda name: _read(workspace, name), known), strict=True))


def require(workspace: target.Place, name: str) -> outputs.ClusterStackOutputs:
    """Give the record of a cluster that was started beside the file.

    Raises:
        NoSuchStackError: there is none.
    """
    try:
        record = _read(workspace, name)
    except NoSuchStackError:
        raise _unknown(workspace, name) from None
    if record is None:
        msg = f"cluster {name} of {workspace.workspace} never came up whole"
        raise CoiledPulumiError(msg, f"coiled-pulumi cluster stop {name}, and start it again")
    return record


def _unknown(workspace: target.Place, name: str) -> NoSuchStackError:
    there = ", ".join(names(workspace)) or "none"
    msg = f"no cluster '{name}' was started beside the file of {workspace.workspace} (found: {there})"
    return NoSuchStackError(
        msg, f"if it is new: coiled-pulumi cluster start {name}; if it stands in the file: change it there, and "
        "coiled-pulumi up"
    )  # fmt: skip


def _name(workspace: target.Place, stack: str) -> str:
    """Give the cluster that a stack is about; empty for a network's."""
    rest = stack.removeprefix(f"{workspace.workspace}.")
    return "" if "." in rest else rest


def _read(workspace: target.Place, name: str) -> outputs.ClusterStackOutputs | None:
    return outputs.read_cluster(
        stacks.outputs_of(cluster_stack(workspace.workspace, name), workspace.project)
    )


def _planned(shared: grounds.Shared, declared: Mapping[str, Any], wanted: Order) -> model.Workspace:
    made = load.validate(dict(declared), source="the workspace", config=dask_config.NOTHING).workspace
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


def _place(workspace: target.Place, name: str, region: str, config: Mapping[str, Any]) -> target.Place:
    return target.beside(
        workspace.workspace,
        cluster_stack(workspace.workspace, name),
        region=region,
        key="cluster",
        value=config,
        state=target.state_home(),
        cluster=name,
    )


@contextlib.contextmanager
def _alone(place: target.Place, tell: Tell) -> Iterator[None]:
    """Let one process of this machine at a time work on a stack; Pulumi's own lock is for other machines."""
    with exclusive(_lock(place), lambda _: tell(f"another run is at work on {place.stack}, waiting for it")):
        yield


def _lock(place: target.Place) -> Path:
    return place.config_file.with_name("lock")
