"""Clusters that nobody closed are closed when the interpreter ends.

A process that is killed closes nothing: then the timer of the cluster's own machines does, `no_client_timeout`.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from typing import Any, Final, Protocol

from coiled_pulumi.errors import CoiledPulumiError
from coiled_pulumi.ops import stopping

#: How long the end of the interpreter waits for the engine, for all clusters together, in seconds.
PATIENCE: Final = 180.0


class Open(Protocol):
    """A cluster that may have to be closed."""

    name: str
    process: int

    @property
    def lives_on(self) -> bool:
        """Whether nothing of it is to be deleted."""

    def delete(self) -> None:
        """Delete it, in this thread."""


_open: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def remember(cluster: Open) -> None:
    """Close a cluster at the end, unless it is closed before."""
    _open.add(cluster)


def forget(cluster: Open) -> None:
    """Leave a cluster alone: it is closed, or nothing was made."""
    _open.discard(cluster)


@atexit.register
def close_all() -> None:
    """Delete what is still open, in the main thread: others cannot be started any more."""
    until = time.monotonic() + PATIENCE
    for cluster in list(_open):
        # A child of this process is not who made it.
        if cluster.lives_on or cluster.process != os.getpid():
            continue
        print(
            f"deleting cluster {cluster.name}; Ctrl-C leaves it to its own timers",
            file=sys.stderr,
            flush=True,
        )
        try:
            with stopping.stoppable(stopping.Stop(until)):
                cluster.delete()
        except (CoiledPulumiError, KeyboardInterrupt) as error:
            said = str(error).splitlines()[0] if str(error) else "stopped"
            print(
                f"cluster {cluster.name} is not deleted: {said}\n"
                f"hint: coiled-pulumi cluster stop {cluster.name}",
                file=sys.stderr,
                flush=True,
            )
        finally:
            _open.discard(cluster)
