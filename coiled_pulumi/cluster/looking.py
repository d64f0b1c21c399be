"""What a cluster shows of itself: its dashboard, the logs of its machines, and how it looks in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from distributed.core import Status
from distributed.utils import Log, Logs

from coiled_pulumi.cluster import display
from coiled_pulumi.cluster.scaling import Scaling
from coiled_pulumi.cluster.threads import in_thread
from coiled_pulumi.ops import watching


class Looking(Scaling):
    """What of a cluster is for people to look at."""

    @property
    def dashboard_link(self) -> str:
        """Link to the dashboard, with the token that opens it."""
        return self._session.dashboard if self._session else ""

    def details(self) -> Any:
        """Tell what and where it is, and how its machines are, as plain values."""
        return self.sync(self._details)

    async def _details(self) -> dict[str, Any]:
        session = self._known()
        return watching.as_data(await in_thread(lambda: watching.status(session)))

    async def _get_logs(self, cluster: bool = True, scheduler: bool = True, workers: Any = True) -> Logs:  # noqa: FBT001, FBT002 distributed's form
        logs, session = Logs(), self._known()
        if cluster:
            logs["Cluster"] = Log("\n".join(line for _, line in self._cluster_manager_logs))
        role = "" if scheduler and workers else "scheduler" if scheduler else "worker"
        lines = await in_thread(lambda: watching.logs(session, role=role)) if scheduler or workers else []
        chosen = None if isinstance(workers, bool) else self._named(workers)
        for line in lines:
            of_scheduler = f"/scheduler/{line.instance}" in line.stream
            if of_scheduler or (chosen is None or line.instance in chosen):
                key = "Scheduler" if of_scheduler else line.instance
                logs[key] = Log(f"{logs[key]}\n{line.text}" if key in logs else line.text)
        return logs

    def _named(self, workers: Iterable[str]) -> set[str]:
        addresses = {address: one["name"] for address, one in self.scheduler_info["workers"].items()}
        return {addresses.get(name, name) for name in workers}

    def _repr_html_(self, cluster_status: str | None = None) -> str:
        start = self._start_of
        stages = "" if self.status == Status.closed else display.as_html(start.snapshot(self.observed))
        return super()._repr_html_(cluster_status=f"{cluster_status or ''}{stages}")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}
