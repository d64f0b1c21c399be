"""From a name to a cluster that works: found or made, reached, and with enough workers."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from distributed.comm import connect

from coiled_pulumi.cluster.failure import ClusterCreationError, hint_of, listed
from coiled_pulumi.cluster.stages import Snapshot, Stages
from coiled_pulumi.cluster.threads import in_thread
from coiled_pulumi.errors import DeploymentError
from coiled_pulumi.ops import clusters, sessions, watching
from coiled_pulumi.ops.sessions import Session

#: Between two looks at what the threads have found, in seconds; and how long one attempt to connect may take.
TICK: Final = 0.2
_ATTEMPT: Final = 5.0
#: Says of what AWS refused that it stays: here it does not.
_STAYS: Final = "what was made of it stays"


class Start:
    """One cluster on its way up.

    Attributes:
        stages: how far its machines have come.
        made: whether the engine has begun to make it, so that there is something to delete.
        place: its workspace, once known.
        session: the cluster, once it is made.
        begins: called when the engine begins something, in the engine's thread: it may be over before anybody looks.
    """

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self.name = name
        self.stages = Stages()
        self.made = False
        self.place: Any = None
        self.session: Session | None = None
        self.begins: Callable[[], object] = lambda: None
        self.reached = False
        self.awaited = 0
        self.title = f"cluster {name}"
        self._tell = tell
        self._work: tuple[int, int] | None = None
        self._began = time.monotonic()
        self._over = threading.Event()
        self._watching: asyncio.Task[None] | None = None
        self._looked = False

    def perform(self, title: str, operation: Callable[[Any], Any]) -> Any:
        """Run the engine, and count what it makes; in the thread that it is called in."""
        if title == f"start {self.name}":
            self.made = True

        def on_rows(progress: Any, rows: list[Any]) -> None:
            if rows:
                self._work = _counted(progress)

        self.title, self._work = title, (0, 0)
        self.begins()
        try:
            return operation(on_rows)
        finally:
            self.title, self._work = f"cluster {self.name}", None

    async def locate(self, workspace: str, backend: str) -> Any:
        """Find the workspace."""
        if self.place is None:
            self.place = await in_thread(lambda: sessions.workspace(workspace, backend=backend))
        return self.place

    async def find(self) -> Session | None:
        """Find the cluster; what is left of one that ended itself is deleted."""
        found = await in_thread(lambda: sessions.find(self.place, self.name))
        if found is None or not await in_thread(lambda: sessions.has_ended(found, found.region)):
            return found
        if found.declared:
            what = f"cluster {self.name} has ended itself, and stands in the file of {found.workspace}"
            raise ClusterCreationError(what, "coiled-pulumi up brings it back", name=self.name)
        self._tell(f"cluster {self.name} has ended itself: what is left of it is deleted")
        await self.delete()
        return None

    async def make(self, wanted: Mapping[str, Any]) -> Session:
        """Have the engine make it.

        Raises:
            ClusterCreationError: AWS refused.
            CoiledPulumiError: what was asked for cannot be, or the engine failed.
        """
        try:
            return await in_thread(
                lambda: sessions.start(self.place, self.name, wanted, perform=self.perform, tell=self._tell)
            )
        except DeploymentError as error:
            hint = "\n".join(line for line in error.hint.splitlines() if not line.startswith(_STAYS))
            raise ClusterCreationError(error.what, hint, name=self.name) from error

    async def delete(self) -> None:
        """Have it deleted, its workers at once."""
        await in_thread(self.delete_now)

    def delete_now(self) -> None:
        """Have it deleted, in this thread."""
        clusters.stop(self.place, self.name, perform=self.perform, tell=self._tell)

    def look_on(self, session: Session) -> None:
        """Look at it from now on, in a thread of its own."""
        self.session, self.stages.scheduler_id = session, session.scheduler_id
        loop, ago = asyncio.get_running_loop(), time.monotonic() - self._began

        def looked(look: watching.Look) -> None:
            loop.call_soon_threadsafe(self._take, look)

        self._watching = asyncio.ensure_future(
            in_thread(lambda: watching.watch(session, looked, self._over, ago=ago))
        )

    async def look_away(self) -> None:
        """Look at it no more."""
        self._over.set()
        if self._watching is not None:
            await asyncio.wait([self._watching])
            if not self._watching.cancelled():
                self._watching.exception()  # whoever waited has seen it

    async def reach(self, session: Session, connection: Mapping[str, Any]) -> None:
        """Wait until the scheduler answers.

        Raises:
            ClusterCreationError: its machine has ended, or somebody else answers at its address.
        """
        while True:
            try:
                comm = await connect(session.scheduler, timeout=_ATTEMPT, **connection)
            # A connection that ends before it is encrypted is a ValueError of tornado's: nobody listens behind it yet.
            except (OSError, TimeoutError, ValueError) as error:
                if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                    what = f"at {session.scheduler} answers another one than the scheduler of cluster {self.name}"
                    raise ClusterCreationError(
                        f"{what}: its certificate is not of this cluster", name=self.name
                    ) from error
                await self._require_alive(session)
                await asyncio.sleep(TICK)
            else:
                await comm.close()
                self.reached = True
                return

    async def workers(
        self, session: Session, count: Callable[[int], int], ready: Callable[[], Collection[str]]
    ) -> None:
        """Wait for workers.

        Args:
            session: the cluster.
            count: gives how many are waited for, of how many there are to be.
            ready: gives those that the scheduler knows.

        Raises:
            ClusterCreationError: so many do not come, for now.
        """
        while True:
            total = self.stages.desired if self._looked else sum(one.least for one in session.groups.values())
            self.awaited = count(total)
            there = ready()
            # How many there are to be is known when somebody has looked: a group may have another size than at first.
            if len(there) >= self.awaited and (self._looked or not self.awaited):
                return
            await self._require_alive(session)
            if self._looked and self.stages.possible(there) < self.awaited:
                what = f"cluster {self.name}: {len(there)} of {total} workers came, waited for {self.awaited}"
                raise await self.failure(what, there)
            await asyncio.sleep(TICK)

    async def failure(self, what: str, ready: Collection[str] = ()) -> ClusterCreationError:
        """Make the error that says why it did not come up: AWS's reasons, or the last lines of a machine's log."""
        reasons = self.stages.reasons
        lines = listed(reasons)
        if not lines and (session := self.session) is not None:
            role, name = self.stages.latest(ready) if self.reached else ("scheduler", session.scheduler_id)
            words = (
                await in_thread(lambda: watching.last_words(session, role=role, instance=name))
                if name
                else []
            )
            lines = [line for line in (self.stages.failed.get(name, ""), *words) if line]
        hint = hint_of(reasons) or ("ask for fewer workers, or lower wait_for_workers" if reasons else "")
        return ClusterCreationError("\n".join([what, *lines]), hint, name=self.name, reasons=reasons)

    async def late(self, seconds: float, ready: Collection[str]) -> ClusterCreationError:
        """Make the error of a cluster that took too long."""
        counts = self.stages.counts(ready).items()
        workers = ", ".join(f"{count} {name.lower()}" for name, count in counts if count) or "none"
        stage = self.stages.scheduler(reached=self.reached).lower()
        what = f"cluster {self.name} did not come up within {seconds:.0f} s"
        return await self.failure(f"{what}: scheduler {stage}, workers: {workers}", ready)

    def snapshot(self, ready: Collection[str] = ()) -> Snapshot:
        """Give what to show."""
        stages, session = self.stages, self.session
        return Snapshot(
            title=self.title,
            wanted=stages.desired,
            awaited=self.awaited,
            counts=stages.counts(ready),
            scheduler=stages.scheduler(reached=self.reached),
            work=self._work,
            reasons=stages.reasons,
            notes=tuple(stages.notes),
            dashboard=session.dashboard if session and self.reached else "",
            seconds=time.monotonic() - self._began,
        )

    def _take(self, look: watching.Look) -> None:
        self.stages.take(look)
        self._looked = True

    async def _require_alive(self, session: Session) -> None:
        if self._watching is not None and self._watching.done():
            self._watching.result()  # AWS could not be asked
        if self.stages.has_ended:
            what = f"the scheduler of cluster {self.name} ended before the cluster was up ({session.scheduler_id})"
            raise await self.failure(what)


def _counted(progress: Any) -> tuple[int, int]:
    """Count what exists in AWS, and not what only groups it in Pulumi."""
    ours = ("coiled:", "pulumi:pulumi:", "pulumi:providers:")
    rows = [row for row in progress.rows.values() if not row.type.startswith(ours)]
    return sum(row.state == "done" for row in rows), len(rows)
