"""Work that waits for others, in threads of its own: the engine's runs and the calls of AWS."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from coiled_pulumi.ops import stopping

Result = TypeVar("Result")

#: How long a thread that was asked to end is waited for when it runs no engine, in seconds.
GRACE: Final = 5.0
_TICK: Final = 0.1


async def in_thread(
    call: Callable[[], Result], *, stop: stopping.Stop | None = None, grace: float = GRACE
) -> Result:
    """Run a call in a thread of its own, which never keeps the process from ending.

    Who stops waiting for it, by Ctrl-C or by cancelling, has the engine in it asked to end, and waits until it has
    written its state; a second time has it end at once.

    Args:
        call: what to run.
        stop: asked when the waiting is cancelled.
        grace: how long a thread that runs no engine is waited for then, in seconds.
    """
    loop = asyncio.get_running_loop()
    stop = stop or stopping.Stop()
    done: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def run() -> None:
        try:
            with stopping.stoppable(stop):
                result, error = call(), None
        except BaseException as caught:
            result, error = None, caught
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=context.run, args=(run,), name="coiled-pulumi", daemon=True).start()
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        await _ended(done, stop, grace)
        raise


async def _ended(done: asyncio.Future, stop: stopping.Stop, grace: float) -> None:
    stop.ask()
    until = time.monotonic() + grace
    while not done.done() and (stop.running or time.monotonic() < until):
        try:
            await asyncio.wait([done], timeout=_TICK)
        except asyncio.CancelledError:
            stop.ask()  # at once, then
    if done.done() and not done.cancelled():
        done.exception()  # seen, if it is one
