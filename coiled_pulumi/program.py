"""The Pulumi program: config in, resources out, one record exported."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws

from coiled_pulumi import me, outputs
from coiled_pulumi.errors import CoiledPulumiError, Problem, SpecErrors
from coiled_pulumi.plan import firewall, model
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import load

if TYPE_CHECKING:
    from coiled_pulumi.components.workspace import Workspace

#: Attempts of one AWS call. The provider's own 25 are up to an hour of silence on a lack of capacity; 8 give up
#: after about 15 seconds, and after about 4 minutes of throttling.
MAX_RETRIES = 8


def main() -> None:
    """Have Pulumi run the entrypoint: what every program folder of ours calls."""
    pulumi.run(entrypoint)


async def entrypoint() -> dict[str, Any]:
    """Render the workspace of the current stack; a mistake in its file ends in its own lines, no traceback."""
    try:
        plan = firewall.resolve_me(build(_spec().workspace), me.address)
    except CoiledPulumiError as error:
        raise pulumi.RunError(str(error)) from None
    return await render(plan)


async def render(plan: model.Workspace) -> dict[str, Any]:
    """Make everything of a plan; give the stack's outputs."""
    provider = pulumi_aws.Provider(
        f"aws-{plan.region}",
        region=plan.region,
        max_retries=MAX_RETRIES,
        allowed_account_ids=[plan.account] if plan.account else None,
    )
    components = await _components()
    workspace = components.Workspace(plan, pulumi.ResourceOptions(providers=[provider]))
    return {outputs.KEY: _record(plan, workspace)}


async def _components() -> ModuleType:
    """Import the components in a thread: the engine starts the plugin for the provider at the same time.

    Either takes most of a second, which is a quarter of an `up` that has nothing to do.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, importlib.import_module, "coiled_pulumi.components.workspace")


def _spec() -> load.Loaded:
    stack = pulumi.get_stack()
    source = f"Pulumi.{stack}.yaml"
    value = pulumi.Config("coiled").get_object("workspace")
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


def _record(plan: model.Workspace, workspace: Workspace) -> dict[str, object]:
    clusters = {
        cluster.name: outputs.ClusterOutputs(
            zone=cluster.zone,
            n_workers=cluster.workers.n_workers,
            scheduler_id=made.scheduler_id,  # type: ignore[arg-type]
            scheduler_address=made.scheduler_public_address,  # type: ignore[arg-type]
            scheduler_private_address=made.scheduler_private_address,  # type: ignore[arg-type]
            worker_group=made.worker_group,  # type: ignore[arg-type]
        )
        for cluster in plan.clusters
        for made in (workspace.clusters[cluster.name],)
    }
    record = outputs.WorkspaceOutputs(
        name=plan.name,
        region=plan.region,
        vpc_id=workspace.network.vpc_id,  # type: ignore[arg-type]
        nat_address=workspace.network.nat_address,  # type: ignore[arg-type]
        subnets=workspace.network.subnet_ids,  # type: ignore[arg-type]
        groups=workspace.security.group_ids,  # type: ignore[arg-type]
        role_arn=workspace.identity.role_arn,  # type: ignore[arg-type]
        instance_profile=workspace.identity.profile_name,  # type: ignore[arg-type]
        log_group=workspace.logs.group_name,  # type: ignore[arg-type]
        clusters=clusters,
    )
    return _plain(record)  # type: ignore[return-value]


def _plain(value: object) -> object:
    """Turn records into mappings without copying the outputs in them, as `dataclasses.asdict` would try to."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
