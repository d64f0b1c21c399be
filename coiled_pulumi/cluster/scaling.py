"""The sizes of a cluster: set by hand or by load, by AWS at once or by the engine."""

from __future__ import annotations

import asyncio
import datetime
import warnings
from collections.abc import Iterable
from typing import Any

from distributed.deploy import cluster as deploy

from coiled_pulumi.cluster.adaptive import DEFAULTS, MAXIMUM, MINIMUM, Adaptive
from coiled_pulumi.cluster.start import Start
from coiled_pulumi.cluster.tally import Cut, Tally, down_to, named
from coiled_pulumi.cluster.threads import in_thread
from coiled_pulumi.errors import UsageError
from coiled_pulumi.ops import sessions, watching
from coiled_pulumi.ops.sessions import Session
from coiled_pulumi.values import WORKERS


class Scaling(deploy.Cluster):
    """What of a cluster has to do with how many workers there are."""

    _start_of: Start
    _session: Session | None
    _fleets: dict[str, watching.Fleet]

    def scale(self, n: int) -> Any:
        """Bring the group of workers that every cluster has to a size; returns when that is asked for.

        A number of workers that Pulumi keeps is changed by the engine, one within bounds at once.

        Raises:
            UsageError: the cluster may not have as many.
        """
        if self._session is not None:
            self._require_size(n)  # what is refused changes nothing, adaptive scaling neither
        if self._adaptive is not None and self._adaptive.state in ("starting", "running"):
            warnings.warn("scale(n) ends adaptive scaling; cluster.adapt() begins it again", stacklevel=2)
            self._adaptive.stop(reason="scaled by hand")
        return self.sync(self._scale, n)

    scale_up = scale

    def scale_down(self, workers: Iterable[str]) -> Any:
        """Let workers go, by name or address: they hand over what they have, then their machines end."""
        return self.sync(self.leave, list(workers))

    async def _scale(self, n: int) -> None:
        group = self._known().workers
        self._require_size(n)
        await self.look_again()
        before = len(self.plan)
        if n < before:
            closing_ones = await self._scheduler().workers_to_close(n=before - n, attribute="name")
            await self._cut(down_to(self._tally(), n, closing_ones), force=True)
        if not group.runtime and n != group.least:
            await self._by_engine(n)
        elif group.runtime and n > before:
            await self.grow(n)
        else:
            await self.look_again()

    async def grow(self, n: int) -> None:
        """Have the group of workers bring itself to a size, within its bounds."""
        session = self._known()
        self._require_size(n)
        if not session.workers.runtime:
            await self._by_engine(n)
            return
        await in_thread(lambda: watching.grow(session, WORKERS, n))
        await self.look_again()

    async def leave(self, workers: Iterable[str]) -> None:
        """Let workers go. One whose data has no other place stays."""
        addresses = {address: one["name"] for address, one in self.scheduler_info["workers"].items()}
        await self.look_again()
        await self._cut(named(self._tally(), [addresses.get(name, name) for name in workers]), force=False)

    async def _cut(self, cut: Cut, *, force: bool) -> None:
        if not cut:
            return
        session, end, known = self._known(), cut.end, self._tally().members
        if working := [name for name in end if name in self.observed]:
            retired = await self._scheduler().retire_workers(names=working, remove=True, close_workers=True)
            kept = set(working) - {one["name"] for one in retired.values()}
            if kept and not force:
                self._tell(f"{len(kept)} workers stay: what they hold has no other place")
                end = tuple(name for name in end if name not in kept)
        await in_thread(lambda: watching.shrink(session, WORKERS, end, fewer=cut.fewer, known=known))
        await self.look_again()

    async def look_again(self) -> None:
        """Look at what workers there are."""
        session = self._known()
        self._fleets = await in_thread(lambda: watching.look(session))

    def adapt(
        self,
        Adaptive: type[Adaptive] = Adaptive,  # noqa: N803 distributed's name
        *,
        minimum: int | None = None,
        maximum: int | None = None,
        **options: Any,
    ) -> Adaptive:
        """Scale by load, between two bounds; a group that may not have as many workers is given these bounds first.

        Args:
            Adaptive: what decides.
            minimum: as few workers as there may be, by default 1.
            maximum: as many as there may be; by default what the group has as its bound, else 200.
            options: for `distributed.deploy.Adaptive`.

        Raises:
            UsageError: the bounds make no sense.
        """
        group = self._known().workers
        low = MINIMUM if minimum is None else int(minimum)
        high = (group.most if group.runtime else MAXIMUM) if maximum is None else int(maximum)
        if not 0 <= low <= high or high < 1:
            raise UsageError(
                f"adapt takes a minimum and a maximum that is not below it, got {low} and {high}"
            )
        prepared = None
        if not (group.runtime and high <= group.most):
            change = lambda: self._by_engine([min(low, high - 1), high])  # noqa: E731
            if self.asynchronous:
                prepared = asyncio.ensure_future(change())
            else:
                self.sync(change)
        made = super().adapt(Adaptive=Adaptive, minimum=low, maximum=high, **{**DEFAULTS, **options})
        made.prepared = prepared
        return made

    async def _by_engine(self, n_workers: int | list[int]) -> None:
        start = self._start_of
        session = await in_thread(
            lambda: sessions.scale(start.place, self.name, n_workers, perform=start.perform, tell=self._tell)
        )
        self._session = session
        await self.look_again()

    def _require_size(self, n: int) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise UsageError(f"a cluster has a whole number of workers, got {n!r}")
        group = self._known().workers
        if group.runtime and n > group.most:
            raise UsageError(
                f"cluster {self.name} may have {group.most} workers, and not {n}",
                f"cluster.adapt(minimum={group.least}, maximum={n}) raises the bound",
            )
        if not group.runtime and n < 1:
            raise UsageError(
                f"cluster {self.name} has a fixed number of workers, at least 1",
                f"n_workers=(0, {group.least}), or cluster.adapt(minimum=0), lets it have none",
            )

    def _tally(self) -> Tally:
        fleet = self._fleets.get(WORKERS)
        if fleet is None:
            return Tally()
        staying = fleet.staying
        return Tally(fleet.desired, staying, frozenset(self.observed) & frozenset(staying))

    @property
    def plan(self) -> set[str]:
        """Names of the workers of the group that should be; those without a machine go by names of ours."""
        return self._tally().plan

    @property
    def requested(self) -> set[str]:
        """The same: what should be is asked of AWS at once."""
        return self.plan

    @property
    def others(self) -> int:
        """How many workers there are that adaptive scaling leaves alone: those of further groups."""
        return len(self.observed - self._tally().observed)

    def _tell(self, text: str) -> None:
        """Keep a line for `get_logs`, and show it; from any thread."""
        # As distributed's `_log`, which prints to stdout too.
        self._cluster_manager_logs.append((datetime.datetime.now(), text))
        self._start_of.stages.notes.append(text)

    def _known(self) -> Session:
        if self._session is None:
            raise UsageError(f"cluster {self.name} is not up")
        return self._session

    def _scheduler(self) -> Any:
        if self.scheduler_comm is None:
            raise UsageError(f"cluster {self.name} is not connected")
        return self.scheduler_comm
