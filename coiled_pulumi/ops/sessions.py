"""Clusters by name, for who has neither the repository nor the workspace's file: found, started, changed, stopped.

What the CLI and `coiled_pulumi.Cluster` have in common. The workspace is known by its name alone: the record of its
stack says the rest, and the backend comes from the environment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import json
import os
import platform
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from coiled_pulumi import outputs
from coiled_pulumi.aws import machines
from coiled_pulumi.errors import CoiledPulumiError, NoSuchStackError, UsageError
from coiled_pulumi.ops import clusters, preflight, stacks, target
from coiled_pulumi.ops.clusters import Perform, Tell
from coiled_pulumi.ops.engine_run import query
from coiled_pulumi.plan import model
from coiled_pulumi.plan.build import cluster_stack
from coiled_pulumi.values import SLUG, WORKERS

#: Where the name of the workspace is looked for when nobody says it.
VARIABLE: Final = "COILED_PULUMI_WORKSPACE"
SCHEDULER_PORT, DASHBOARD_PORT = 8786, 8787
#: States of an instance that comes back no more.
_GONE: Final = frozenset({"shutting-down", "terminated"})


@dataclass(frozen=True, slots=True)
class Security:
    """What a client shows and trusts: certificates and a key as PEM text, and the token of the dashboard."""

    ca: str = field(repr=False)
    cert: str = field(repr=False)
    key: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A cluster that is up, and all that it takes to talk with it.

    Attributes:
        address: of the scheduler, for a client: the public one where it has one.
        groups: its groups of workers by label; `workers` is the one that every cluster has.
        declared: whether it stands in the workspace's file, and is changed there alone.
    """

    workspace: str
    name: str
    region: str
    zone: str
    scheduler_id: str
    address: str
    groups: Mapping[str, outputs.GroupOutputs]
    security: Security
    rotation: int
    declared: bool = False

    @property
    def scheduler(self) -> str:
        """Address of the scheduler for Dask."""
        return f"tls://{self.address}:{SCHEDULER_PORT}"

    @property
    def dashboard(self) -> str:
        """Link to the dashboard, which its token opens."""
        return f"https://{self.address}:{DASHBOARD_PORT}/status?token={self.security.token}"

    @property
    def workers(self) -> outputs.GroupOutputs:
        """The group that every cluster has."""
        return self.groups[WORKERS]


def workspace(name: str = "", *, backend: str = "", environ: Mapping[str, str] = os.environ) -> target.Place:
    """Give a workspace by its name: that given, that of the environment, or the only one on the backend.

    Args:
        name: as given; may be empty.
        backend: where Pulumi keeps its state, where the environment does not say it; it is set for this process.
        environ: where names are looked for.

    Raises:
        UsageError: there are several, the name cannot be one, or there is no place for Pulumi's state.
        NoSuchStackError: there is none.
    """
    if backend and not environ.get("PULUMI_BACKEND_URL"):
        # For all parts that ask for it, the engine's own process among them.
        os.environ["PULUMI_BACKEND_URL"] = backend
    name = name or environ.get(VARIABLE, "")
    place = _place(name or "workspaces")
    target.require_backend(place)
    if not name:
        return _place(_only(place))
    if not SLUG.fullmatch(name):
        raise UsageError(f"no workspace is called '{name[:40]}'", "lower-case letters, digits and hyphens")
    return place


def new_name() -> str:
    """Make a name for a cluster that its user recognises and nobody else has."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    slug = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-0123456789")[:20].strip("-")
    return f"{slug or 'cluster'}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Known:
    """What is written of a cluster.

    Attributes:
        declared: whether it stands in the workspace's file.
        config: what one beside the file was started with.
    """

    region: str
    cluster: outputs.ClusterOutputs
    declared: bool
    config: Mapping[str, Any]


def written(place: target.Place, name: str, *, secrets: bool = False) -> Known | None:
    """Give what is written of a cluster, beside the workspace's file or in it; None where there is none or a part.

    Raises:
        CoiledPulumiError: the stack's outputs cannot be read.
    """
    with contextlib.suppress(NoSuchStackError):
        stack = cluster_stack(place.workspace, name)
        record = outputs.read_cluster(stacks.outputs_of(stack, place.project, secrets=secrets))
        return record and Known(record.region, record.cluster, declared=False, config=record.config)
    with contextlib.suppress(NoSuchStackError):
        shared = outputs.read(stacks.outputs_of(place.stack, place.project, secrets=secrets))
        if name in shared.clusters:
            return Known(shared.region, shared.clusters[name], declared=True, config={})
    return None


def find(place: target.Place, name: str) -> Session | None:
    """Give a cluster that is up, one beside the workspace's file or one of it; None where there is none or a part.

    Raises:
        CoiledPulumiError: the secrets of its stack cannot be read.
    """
    known = written(place, name, secrets=True)
    return known and _session(place.workspace, name, known)


def attach(place: target.Place, name: str) -> Session:
    """Give a cluster that is up.

    Raises:
        NoSuchStackError: there is none of that name.
        CoiledPulumiError: it never came up whole, or its secrets cannot be read.
    """
    found = find(place, name)
    if found is None:
        clusters.require(place, name)
        raise NoSuchStackError(f"no cluster '{name}' in {place.workspace}")
    return found


def start(
    place: target.Place,
    name: str,
    wanted: Mapping[str, Any],
    *,
    perform: Perform,
    tell: Tell,
    examine: bool = True,
) -> Session:
    """Bring a cluster up beside the workspace's file; see `clusters.start`.

    Args:
        place: the workspace.
        name: of the cluster.
        wanted: what a cluster of the file may have, as plain values.
        perform: runs the engine.
        tell: says what is waited for.
        examine: whether AWS is asked before what would go wrong.

    Raises:
        NoSuchStackError: the workspace was never brought up.
        UsageError: what was asked for cannot be.
        DeploymentError: AWS refused, or would have.
    """

    def check(plan: model.Workspace) -> None:
        found = preflight.examine(plan)
        preflight.require(found, undone="no machine was started")
        for one in found:
            if one.level == "warning":
                tell(f"warning: {one.what}")

    order = clusters.order(place, name, _like_here(wanted))
    there = dataclasses.replace(place, region=order.record.region)
    checks = {"check": check} if examine and not os.environ.get("COILED_PULUMI_NO_PREFLIGHT") else {}
    clusters.start(there, order, perform=perform, tell=tell, **checks)
    return attach(place, name)


def _like_here(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for the Dask and the Python of whoever starts the cluster, where nothing else is said.

    The two ends have to understand each other: https://docs.dask.org/en/stable/deployment-considerations.html
    """
    if any(key in wanted for key in ("packages", "python", "container", "ami_id")):
        return dict(wanted)
    here = [f"{name}=={metadata.version(name)}" for name in ("dask", "distributed")]
    return {**wanted, "packages": here, "python": ".".join(platform.python_version_tuple()[:2])}


def scale(
    place: target.Place, name: str, n_workers: int | list[int], *, perform: Perform, tell: Tell
) -> Session:
    """Give a cluster another number of workers, or another range, by the engine.

    Raises:
        NoSuchStackError: no such cluster was started.
        UsageError: the number cannot be.
    """
    clusters.scale(place, name, n_workers, perform=perform, tell=tell)
    return attach(place, name)


def rotate(place: target.Place, name: str, *, perform: Perform, tell: Tell) -> Session:
    """Give a cluster new certificates, which its machines take while they run.

    Raises:
        NoSuchStackError: no such cluster was started.
    """
    clusters.rotate(place, name, perform=perform, tell=tell)
    return attach(place, name)


def has_ended(cluster: Session | outputs.ClusterOutputs, region: str) -> bool:
    """Tell whether a cluster has ended itself: its scheduler's machine is gone.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    machine = cluster.scheduler_id
    return bool(machine) and is_gone(machines.state_of(machine, region))


def is_gone(state: str) -> bool:
    """Tell whether a machine in that state, empty where AWS knows none, comes back no more."""
    return not state or state in _GONE


def reap(place: target.Place, *, perform: Perform, tell: Tell) -> list[str]:
    """Delete what is left of clusters that ended themselves; give their names.

    One that is being changed meanwhile, or that cannot be deleted, is told and left for the next time.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    records = {name: record for name, record in clusters.listed(place).items() if record is not None}
    gone = []
    for name, record in records.items():
        if not has_ended(record.cluster, record.region):
            continue
        try:
            clusters.stop(dataclasses.replace(place, region=record.region), name, perform=perform, tell=tell)
        except CoiledPulumiError as error:
            tell(f"cluster {name} has ended, but what is left of it stays for now: {error.what}")
        else:
            gone.append(name)
    return gone


def _place(name: str) -> target.Place:
    # The folder of the lock is a project of ours. Nothing is written over: the workspace's own `up` may be at work.
    folder = target.lock_of(name, state=target.state_home()).parent
    return target.Place(name, name, "", folder, folder / f"Pulumi.{name}.yaml", {})


def _only(place: target.Place) -> str:
    listed = json.loads(query(["stack", "ls", "--json"], folder=place.project))
    # With a backend that knows organizations a name is `organization/coiled/stack`.
    names = sorted({one["name"].rpartition("/")[2] for one in listed})
    found = [name for name in names if "." not in name]
    if not found:
        raise NoSuchStackError(
            "there is no workspace on this backend",
            "coiled-pulumi up makes one; PULUMI_BACKEND_URL says where",
        )
    if len(found) > 1:
        hint = f'workspace="{found[0]}", or {VARIABLE}={found[0]}'
        raise UsageError(f"which workspace? found: {', '.join(found)}", hint)
    return found[0]


def _session(workspace: str, name: str, known: Known) -> Session:
    record = known.cluster
    if not isinstance(record.security, Mapping):
        msg = f"the certificates of cluster {name} are sealed"
        raise CoiledPulumiError(
            msg, "PULUMI_CONFIG_PASSPHRASE, or the right to use the key of Pulumi's state"
        )
    return Session(
        workspace=workspace,
        name=name,
        region=known.region,
        zone=record.zone,
        scheduler_id=record.scheduler_id,
        address=record.scheduler_address or record.scheduler_private_address,
        groups=dict(record.groups),
        security=Security(**{key: record.security[key] for key in ("ca", "cert", "key", "token")}),
        rotation=record.rotation,
        declared=known.declared,
    )
