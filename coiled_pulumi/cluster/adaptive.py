"""Adaptive scaling of the group of workers that every cluster has; further groups stay as they are."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterable
from typing import Any, Final

from distributed.deploy import adaptive

#: Coiled's: machines take a minute to come, so that workers are not let go for a moment's quiet.
#: https://docs.coiled.io/user_guide/clusters/adaptive.html
DEFAULTS: Final[dict[str, Any]] = {"target_duration": "3m", "wait_count": 24, "interval": "5s"}
MINIMUM, MAXIMUM = 1, 200


class Adaptive(adaptive.Adaptive):
    """Dask's own, of which the workers are machines of one group.

    Attributes:
        prepared: until it is done nothing is scaled: the group is being given its bounds.
    """

    prepared: asyncio.Future[None] | None = None

    async def adapt(self) -> None:
        """Look at what there is, and scale."""
        if self.prepared is not None:
            waited, self.prepared = self.prepared, None
            try:
                await waited
            except Exception:
                self.stop(reason="the group has no such bounds")
                raise
        await self.cluster.look_again()
        await super().adapt()

    async def target(self) -> int:
        """Tell how many workers the group should have: what all should have, without those of other groups."""
        return max(await super().target() - self.cluster.others, 0)

    async def workers_to_close(self, target: int) -> list[str]:
        """Give workers of the group that the scheduler can spare, no more than are too many."""
        names = await self.scheduler.workers_to_close(
            target=target + self.cluster.others,
            key=pickle.dumps(self.worker_key) if self.worker_key else None,
            attribute="name",
            **self._workers_to_close_kwargs,
        )
        return spared(names, self.cluster.plan, target)

    async def scale_down(self, workers: Iterable[str]) -> None:
        """Let workers go: they hand over what they have, then their machines end."""
        await self.cluster.leave(workers)

    async def scale_up(self, n: int) -> None:
        """Have the group bring itself to a size."""
        await self.cluster.grow(n)


def spared(names: Iterable[str], plan: set[str], target: int) -> list[str]:
    """Give those of the names that are of the group, so many at most that `target` stay."""
    return [name for name in names if name in plan][: max(len(plan) - target, 0)]
