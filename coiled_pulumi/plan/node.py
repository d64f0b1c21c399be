"""What the machines of a cluster are told after they have booted: the plan of their configuration.

A machine reads it from the parameter store, because user data is open to everyone who may describe an instance, and
because it can change without a new machine.
"""

from __future__ import annotations

import re
from typing import Any

from coiled_pulumi.plan.identity import parameter_path
from coiled_pulumi.plan.model import Node, Parameter
from coiled_pulumi.plan.tagging import Tagger
from coiled_pulumi.spec.cluster import Cluster as ClusterSpec
from coiled_pulumi.values import WORKERS

#: Version of the configuration; a machine refuses one that it does not know.
VERSION = 1
#: What a machine cannot do without.
ALWAYS = ("bokeh", "dask", "distributed")


def plan_node(tagger: Tagger, name: str, spec: ClusterSpec, region: str, gpus: dict[str, int]) -> Node:
    """Plan what machines are told.

    Args:
        tagger: makes the items.
        name: the cluster's name.
        spec: what was asked for.
        region: where it is.
        gpus: GPUs of a worker by group.
    """
    base = f"{parameter_path(tagger.workspace)}/{name}"

    def parameter(kind: str, path: str) -> Parameter:
        item = tagger.item(f"cluster-{name}-{kind}", cluster=name)
        return Parameter(item.key, item.name, item.tags, path=f"{base}/{path}")

    return Node(
        config=_config(tagger.workspace, name, spec, region, gpus),
        environ=tuple(sorted(spec.environ)),
        text=parameter("config", "config"),
        scheduler=parameter("scheduler-secrets", "scheduler"),
        worker=parameter("worker-secrets", "worker"),
        authority=tagger.item(f"cluster-{name}-authority", cluster=name),
        certificates=tagger.item(f"cluster-{name}-certificates-{spec.rotation}", cluster=name),
        rotation=spec.rotation,
    )


def _config(
    workspace: str, name: str, spec: ClusterSpec, region: str, gpus: dict[str, int]
) -> dict[str, Any]:
    resources = {WORKERS: {}} | {label: dict(group.resources) for label, group in spec.worker_groups.items()}
    return {
        "version": VERSION,
        "workspace": workspace,
        "cluster": name,
        "region": region,
        "log_group": workspace,
        "environment": {
            "container": spec.container,
            "packages": _packages(spec),
            "python": spec.python,
        },
        "timers": {
            "idle": spec.idle_timeout or None,
            "no_client": spec.no_client_timeout or None,
            "lost_scheduler": spec.scheduler_timeout or None,
            "lifetime": spec.cluster_timeout or None,
        },
        "dask": spec.dask_config,
        "groups": {
            label: {
                "nthreads": None,
                "memory_limit": None,
                "gpu": gpus[label],
                "resources": resources[label],
            }
            for label in sorted(resources)
        },
    }


def _packages(spec: ClusterSpec) -> list[str]:
    """Give what has to be installed; Dask itself and its dashboard are, unless they are asked for otherwise."""
    if spec.container is not None:
        return []
    asked = list(spec.packages or ())
    named = {re.split(r"[^A-Za-z0-9._-]", one)[0].lower() for one in asked}
    return asked + [one for one in ALWAYS if one not in named]
