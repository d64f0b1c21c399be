"""The Pulumi program: config in, resources out, one record exported.

The key of the stack's config says what is made: `coiled:workspace` a workspace with the clusters of its file,
`coiled:cluster` one cluster beside it, `coiled:region` or `coiled:zone` a network that its file does not list.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import os
from collections.abc import Callable, Coroutine, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws

from coiled_pulumi import me, outputs
from coiled_pulumi.errors import CoiledPulumiError, Problem, SpecErrors
from coiled_pulumi.plan import beside, firewall, model
from coiled_pulumi.plan.build import build
from coiled_pulumi.plan.identity import OWNER_TAG
from coiled_pulumi.spec import load
from coiled_pulumi.spec.software import ENVIRON

if TYPE_CHECKING:
    from coiled_pulumi.components.cluster import Cluster
    from coiled_pulumi.components.workspace import Workspace

#: Attempts of one AWS call. The provider's own 25 are up to an hour of silence on a lack of capacity; 8 give up
#: after about 15 seconds, and after about 4 minutes of throttling.
MAX_RETRIES = 8


def main() -> None:
    """Have Pulumi run the entrypoint: what every program folder of ours calls."""
    pulumi.run(entrypoint)


async def entrypoint() -> dict[str, Any]:
    """Render what the current stack is for; a mistake in its file ends in its own lines, no traceback."""
    config = pulumi.Config("coiled")
    try:
        for key, make in _KINDS.items():
            if (value := config.get_object(key)) is not None:
                return await make(value)
        return await _workspace(config.get_object("workspace"))
    except CoiledPulumiError as error:
        raise pulumi.RunError(str(error)) from None


async def _workspace(value: object) -> dict[str, Any]:
    loaded = _spec(value)
    plan = build(loaded.workspace, declared=loaded.written)
    environ = {name: cluster.environ for name, cluster in loaded.workspace.clusters.items()}
    return await render(firewall.resolve_me(plan, me.address), environ)


async def _region(value: Mapping[str, Any]) -> dict[str, Any]:
    """Make a workspace's network in a further region; it exports the same record as the workspace."""
    spec = load.declared(value)
    return await render(firewall.resolve_me(build(spec, extension=True), me.address))


async def _cluster(value: Mapping[str, Any]) -> dict[str, Any]:
    shared = model.Shared(**value["shared"])
    declared = load.declared(value["declared"])
    name = value["name"]
    spec = load.validate_cluster(name, value["cluster"], workspace=declared)
    plan = beside.build_cluster(shared, declared, name, spec)
    plan = dataclasses.replace(plan, cluster=firewall.resolve_me_of(plan.cluster, me.address))
    return await render_cluster(plan, value, _environ(spec.environ))


async def _zone(value: Mapping[str, Any]) -> dict[str, Any]:
    shared = model.Shared(**value["shared"])
    declared = load.declared(value["declared"])
    return await render_zone(beside.build_zone(shared, declared, value["zone"], value["tables"]))


_KINDS: dict[str, Callable[[Any], Coroutine[Any, Any, dict[str, Any]]]] = {
    "cluster": _cluster,
    "region": _region,
    "zone": _zone,
}


async def render(
    plan: model.Workspace, environ: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """Make everything of a workspace; give the stack's outputs.

    Args:
        plan: the workspace.
        environ: the values of the clusters' variables, by cluster.
    """
    provider = _provider(plan.region, plan.account)
    components = await _components("workspace")
    workspace = components.Workspace(plan, provider, environ=environ)
    return {outputs.KEY: _plain(_record(plan, workspace))}


def _environ(named: Mapping[str, str]) -> Mapping[str, str]:
    """Give the values of a cluster's variables; its config has only their names, since it is in no secret place."""
    if not named:
        return {}
    given = json.loads(os.environ.get(ENVIRON) or "{}")
    if missing := sorted(named.keys() - given.keys()):
        msg = f"the values of {', '.join(missing)} are not given"
        raise CoiledPulumiError(msg, "coiled-pulumi cluster start and scale give them")
    return {name: given[name] for name in named}


async def render_cluster(
    plan: model.ClusterStack, config: Mapping[str, Any], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Make one cluster on what its workspace made; give the stack's outputs, its config among them.

    Args:
        plan: the cluster.
        config: what it was started with.
        environ: the values of its variables.
    """
    shared = plan.shared
    provider = _provider(shared.region, shared.account)
    components = await _components("beside")
    made = components.ClusterBeside(plan, provider, environ=environ).cluster
    record = outputs.ClusterStackOutputs(
        workspace=shared.workspace,
        region=shared.region,
        name=plan.cluster.name,
        cluster=_cluster_record(plan.cluster, made),
        config=config,
        environ=pulumi.Output.secret(environ),  # type: ignore[arg-type]
    )
    return {outputs.CLUSTER_KEY: _plain(record)}


async def render_zone(plan: model.ZoneStack) -> dict[str, Any]:
    """Make the subnets of one zone; give the stack's outputs, their ids by key."""
    provider = _provider(plan.region, plan.account)
    components = await _components("zone")
    made = components.ZoneNetwork(f"{plan.workspace}-{plan.zone}", plan, provider)
    return {outputs.ZONE_KEY: made.subnet_ids}


def _provider(region: str, account: str | None) -> pulumi.ResourceOptions:
    provider = pulumi_aws.Provider(
        f"aws-{region}",
        region=region,
        max_retries=MAX_RETRIES,
        allowed_account_ids=[account] if account else None,
        # Set by a resource of its own, after the group: the group must not take it away again.
        ignore_tags={"keys": [OWNER_TAG]},
    )
    return pulumi.ResourceOptions(providers=[provider])


async def _components(module: str) -> ModuleType:
    """Import components in a thread: the engine starts the plugin for the provider at the same time.

    Either takes most of a second, which is a quarter of an `up` that has nothing to do.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, importlib.import_module, f"coiled_pulumi.components.{module}")


def _spec(value: object) -> load.Loaded:
    stack = pulumi.get_stack()
    source = f"Pulumi.{stack}.yaml"
    if value is None:
        problem = Problem(
            "config", f"must have the key '{load.CONFIG_KEY}'", hint="coiled-pulumi init writes one"
        )
        raise SpecErrors(source, (problem,))
    loaded = load.validate_given(value, source)
    if loaded.workspace.name != stack:
        problem = Problem("name", f"must be the stack's name '{stack}', got '{loaded.workspace.name}'")
        raise SpecErrors(source, (problem,))
    return loaded


def _cluster_record(plan: model.Cluster, made: Cluster) -> outputs.ClusterOutputs:
    return outputs.ClusterOutputs(
        zone=plan.zone,
        n_workers=plan.workers.n_workers,
        scheduler_id=made.scheduler_id,  # type: ignore[arg-type]
        scheduler_address=made.scheduler_public_address,  # type: ignore[arg-type]
        scheduler_private_address=made.scheduler_private_address,  # type: ignore[arg-type]
        worker_group=made.worker_groups[plan.workers.label],  # type: ignore[arg-type]
        groups={
            group.label: outputs.GroupOutputs(
                made.worker_groups[group.label],  # type: ignore[arg-type]
                group.n_workers,
                group.most,
                group.runtime,
            )
            for group in plan.groups
        },
        rotation=plan.node.rotation,
        security=made.security,  # type: ignore[arg-type]
    )


def _record(plan: model.Workspace, workspace: Workspace) -> outputs.WorkspaceOutputs:
    return outputs.WorkspaceOutputs(
        name=plan.name,
        region=plan.region,
        zone=plan.zone,
        vpc_id=workspace.ground.vpc_id,  # type: ignore[arg-type]
        nat_addresses=workspace.nat_addresses,  # type: ignore[arg-type]
        subnets=workspace.ground.subnet_ids,  # type: ignore[arg-type]
        route_tables=workspace.route_table_ids,  # type: ignore[arg-type]
        groups=workspace.ground.group_ids,  # type: ignore[arg-type]
        role_arn=workspace.identity.role_arn,  # type: ignore[arg-type]
        instance_profile=workspace.identity.profile_name,  # type: ignore[arg-type]
        log_group=workspace.logs.group_name,  # type: ignore[arg-type]
        declared=plan.declared,
        clusters={one.name: _cluster_record(one, workspace.clusters[one.name]) for one in plan.clusters},
    )


def _plain(value: object) -> Any:
    """Turn records into mappings without copying the outputs in them, as `dataclasses.asdict` would try to."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
