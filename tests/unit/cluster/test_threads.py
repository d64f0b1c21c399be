"""Who stops waiting for the engine has it end: signals reach the main thread alone, and clusters use others."""

import asyncio
import os
import threading
import time

import pytest
from _support import fake_pulumi

from coiled_pulumi.cluster.threads import in_thread
from coiled_pulumi.errors import CancelledError
from coiled_pulumi.ops import stopping
from coiled_pulumi.ops.engine_run import run


@pytest.fixture
def pulumi(tmp_path, monkeypatch):
    fake = fake_pulumi.write(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return fake


def _when_it_works(begun):
    """Give what is told of rows: the engine has written some, and so is ready for signals."""
    return lambda progress, _: begun.set() if progress.rows else None


def test_a_result_and_an_error_come_back():
    async def both():
        assert await in_thread(lambda: threading.current_thread().name) == "coiled-pulumi"
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 / 0)

    asyncio.run(both())


def test_who_cancels_has_the_engine_end_by_itself_and_waits_for_it(pulumi, tmp_path):
    pulumi.does("up", stream="stopped", wait=True, linger=0.3, code=1)
    ended = []

    def work(begun):
        try:
            run(["up"], folder=tmp_path, on_rows=_when_it_works(begun))
        except CancelledError as error:
            ended.append(error.what)
            raise

    async def cancelled():
        begun = threading.Event()
        task = asyncio.ensure_future(in_thread(lambda: work(begun)))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert (pulumi.interruptions(), ended) == (1, ["stopped by you"])


def test_who_cancels_twice_has_it_end_at_once(pulumi, tmp_path):
    pulumi.does("up", stream="stopped", wait=True, linger=1, code=1)

    async def cancelled():
        begun = threading.Event()
        task = asyncio.ensure_future(
            in_thread(lambda: run(["up"], folder=tmp_path, on_rows=_when_it_works(begun)))
        )
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        async with asyncio.timeout(20):
            while not pulumi.interruptions():
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert pulumi.interruptions() == 2


def test_who_is_stopped_begins_nothing(pulumi, tmp_path):
    stop = stopping.Stop()
    stop.ask()
    with stopping.stoppable(stop), pytest.raises(CancelledError):
        run(["up"], folder=tmp_path, on_rows=lambda *_: None)
    assert pulumi.calls() == []


def test_a_deadline_stops_a_run(pulumi, tmp_path):
    pulumi.does("destroy", stream="stopped", wait=True, code=1)
    with stopping.stoppable(stopping.Stop(time.monotonic() + 2)), pytest.raises(CancelledError):
        run(["destroy"], folder=tmp_path, on_rows=lambda *_: None)
    assert pulumi.interruptions() == 1


def test_a_thread_that_only_waits_is_left_behind_after_a_while():
    leave = threading.Event()

    async def cancelled():
        task = asyncio.ensure_future(in_thread(lambda: leave.wait(30), grace=0.2))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    asyncio.run(cancelled())
    leave.set()
    assert time.monotonic() - began < 5
