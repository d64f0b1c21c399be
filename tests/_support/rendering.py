"""Small workspaces rendered into what Pulumi is asked for."""

from _support import monitor
from coiled_pulumi import program
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import dask_config, load

ONE_ZONE = {"zones": ["us-east-1a"]}


def rendered(**values) -> monitor.Recorded:
    """Render a workspace `dev` of one zone, if nothing else is said."""
    said = {"name": "dev", "network": ONE_ZONE, **values}
    plan = build(load.validate(said, source="f", config=dask_config.NOTHING).workspace)
    return monitor.record(lambda: program.render(plan))


def machines(*, at_workspace: dict | None = None, **cluster) -> tuple[dict, dict, dict]:
    """Render one cluster `main`; give the properties of its scheduler, its launch template and its group."""
    recorded = rendered(**(at_workspace or {}), clusters={"main": cluster})
    return (
        recorded.named("dev-cluster-main-scheduler", "Instance").props,
        recorded.named("dev-cluster-main-worker", "LaunchTemplate").props,
        recorded.named("dev-cluster-main-workers", "Group").props,
    )
