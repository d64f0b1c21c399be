"""What the agent tells a process of Dask: the run folder, and Dask's configuration that follows from it.

Only the standard library and `dask.config` are imported here, so that the configuration stands before `distributed`
is imported: some of its values are read then and never again.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import dask.config

from coiled_pulumi.values import certificate_unit

#: Names the run folder, and where it is otherwise.
RUN, FOLDER = "COILED_PULUMI_RUN", "/run/coiled-pulumi"
#: A whole configuration for child processes, in `dask.config`'s own form.
_INHERIT: Final = "DASK_INTERNAL_INHERIT_CONFIG"
#: What the scheduler's web server answers. `distributed.http.scheduler.api`, which retires workers, is not here.
ROUTES: Final = tuple(
    f"distributed.http.{name}"
    for name in ("scheduler.prometheus", "scheduler.info", "scheduler.json", "health", "proxy", "statics")
)
#: Better values than distributed's own, where the user says nothing: it would write http.
_BETTER: Final = {"distributed": {"dashboard": {"link": "https://{host}:{port}/status"}}}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds after which the cluster ends; none of them where it is null.

    Attributes:
        idle: without a task or anything else that a client asked for.
        no_client: without a client.
        lost_scheduler: of a worker, without its scheduler.
        lifetime: since the scheduler started.
    """

    idle: float | None = None
    no_client: float | None = None
    lost_scheduler: float | None = 300.0
    lifetime: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The run folder as one value; ports and host are there for tests, 0 is any free port."""

    folder: Path
    name: str
    address: str
    workspace: str
    cluster: str
    scheduler: str = ""
    vpc_cidrs: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    nthreads: int | None = None
    memory_limit: str | float | None = None
    local_directory: str | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    dask: Mapping[str, Any] = field(default_factory=dict)
    host: str | None = None
    port: int = 8786
    dashboard_port: int = 8787
    worker_ports: str | int = "40000:40099"
    nanny_ports: str | int = "40100:40199"

    @property
    def unit(self) -> str:
        """The cluster as certificates name it."""
        return certificate_unit(self.workspace, self.cluster)


def begin() -> Run:
    """Do what a process of Dask does first: read the run folder, and make its configuration count."""
    # Until there is something to renew, the signal means nothing: the files are read later than this.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    log_to_stderr()
    run = load()
    configure(run)
    return run


def load(environ: Mapping[str, str] = os.environ) -> Run:
    """Read `run.json` of the run folder. Keys that this version does not know are left alone."""
    return read(Path(environ.get(RUN) or FOLDER))


def read(folder: Path) -> Run:
    """Read `run.json` of a folder."""
    said = json.loads((folder / "run.json").read_text())
    known = {each.name for each in fields(Run)} - {"folder", "limits"}
    values = {name: value for name, value in said.items() if name in known and value is not None}
    timers, limits = said.get("timers") or {}, {each.name for each in fields(Limits)}
    resources = dict(said.get("resources") or {})
    if said.get("gpu"):
        resources.setdefault("GPU", said["gpu"])
    return Run(
        **values
        | {
            "folder": folder,
            "resources": resources,
            "vpc_cidrs": tuple(said.get("vpc_cidrs") or ()),
            "limits": Limits(**{name: timers[name] for name in limits if name in timers}),
        }
    )


def forced(folder: Path) -> dict[str, Any]:
    """Give what no configuration of a user may change: encryption, certificates, web routes, and our own timers."""
    leaf = {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    tls = {
        f"{role}.{what}": file for role in ("client", "scheduler", "worker") for what, file in leaf.items()
    }
    return {
        "distributed.comm.require-encryption": True,
        "distributed.comm.default-scheme": "tls",
        "distributed.comm.tls.ca-file": str(folder / "ca.pem"),
        "distributed.comm.tls.ciphers": None,
        "distributed.comm.tls.min-version": 1.3,
        "distributed.comm.tls.max-version": None,
        **{f"distributed.comm.tls.{key}": file for key, file in tls.items()},
        "distributed.scheduler.idle-timeout": None,
        "distributed.scheduler.contact-address": None,
        "distributed.scheduler.http.routes": list(ROUTES),
        "distributed.worker.http.routes": [],
        # The certificate is handed over as a context that can be renewed; the door checks the origin.
        **{f"distributed.scheduler.dashboard.tls.{key}": None for key in ("ca-file", "cert", "key")},
        "distributed.scheduler.dashboard.bokeh-application.allow_websocket_origin": ["*"],
    }


def configure(run: Run) -> None:
    """Make the run's Dask configuration count, here and in the processes that this one starts."""
    dask.config.update(dask.config.config, run.dask, priority="new")
    dask.config.update(dask.config.config, _BETTER, priority="old")
    for key, value in forced(run.folder).items():
        if (said := dask.config.get(key, default=value, config=dict(run.dask))) != value:
            _log.warning("dask configuration %s is not for clusters to choose: %r does not count", key, said)
        dask.config.set({key: value})
    try:
        inherited = base64.urlsafe_b64encode(json.dumps(dask.config.config).encode()).decode()
    except TypeError:  # a date, say: the nanny hands the configuration over later anyway
        return
    os.environ[_INHERIT] = inherited


def log_to_stderr() -> None:
    """Show our own log lines as distributed shows its."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
    ours = logging.getLogger("coiled_pulumi")
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    ours.propagate = False
