"""One run of the `pulumi` CLI: started, listened to, and turned into a result or an error.

The Automation API would start six processes for one `up` (each deriving the passphrase's key anew) and lose the
CLI's exit code; so the CLI is run directly, with the same event log that the Automation API reads.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from coiled_pulumi.engine import locate
from coiled_pulumi.errors import (
    CancelledError,
    EngineError,
)
from coiled_pulumi.ops import stopping
from coiled_pulumi.ops.events import Progress, Row, reduce
from coiled_pulumi.ops.failures import failure

#: How often the event log is looked at, in seconds.
_TICK = 0.05
OnRows = Callable[[Progress, list[Row]], None]


@dataclass(frozen=True, slots=True)
class Result:
    """A run that ended well."""

    progress: Progress
    seconds: float


def require_engine(environ: Mapping[str, str] = os.environ) -> locate.Engine:
    """Give the engine to use.

    Raises:
        EngineError: there is none.
    """
    return _engine(tuple(sorted(environ.items())))


@functools.lru_cache(maxsize=1)
def _engine(environ: tuple[tuple[str, str], ...]) -> locate.Engine:
    """Look once per environment: a CLI on PATH is asked for its version, and a command runs it several times."""
    engine = locate.find(dict(environ))
    if engine is None:
        raise EngineError("there is no Pulumi on this machine", "coiled-pulumi engine install")
    return engine


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the whole environment of a `pulumi` that we start."""
    return {
        **environ,
        **locate.environment(require_engine(environ), environ),
        "PULUMI_DEBUG_COMMANDS": "true",
    }


def run(
    arguments: list[str],
    *,
    folder: Path,
    on_rows: OnRows,
    log: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Result:
    """Run an operation of the engine and report its events as they come.

    Args:
        arguments: of the CLI, without `pulumi` and without `--event-log`.
        folder: of the Pulumi project.
        on_rows: called with the picture and the rows that changed, also when nothing did (for a clock).
        log: where the events are kept; a temporary file if not given.
        more: variables for the program beside our own.

    Raises:
        CoiledPulumiError: of the kind that fits how the engine ended.
    """
    progress, stopped = Progress(), 0
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        if log is None:
            log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "events.jsonl"
        log.unlink(missing_ok=True)
        log.touch(mode=0o600)
        output = stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
        command = ["pulumi", "-C", str(folder), "--color", "never", *arguments, "--event-log", str(log)]
        stop = stack.enter_context(stopping.current().run())
        child = _start(command, output, more or {})
        with _interrupts(child) as interrupted:
            for event in _events(log, child):
                for _ in range((asked := stop.asked) - stopped):
                    interrupted.append(signal.SIGINT)
                    child.send_signal(signal.SIGINT)
                stopped = asked
                progress.stopping = bool(interrupted)
                at = time.monotonic() - began
                on_rows(progress, reduce(progress, event, at) if event else [])
        output.seek(0)
        text = output.read()
    if interrupted:
        planned = arguments[0] == "preview" or "--preview-only" in arguments
        hint = "" if planned else f"the next `coiled-pulumi {arguments[0]}` goes on from here"
        raise CancelledError("stopped by you", hint)
    if child.returncode:
        raise failure(child.returncode, progress, text, verb=arguments[0])
    return Result(progress, time.monotonic() - began)


def query(arguments: list[str], *, folder: Path) -> str:
    """Run a short command of the CLI and give what it printed.

    Raises:
        CoiledPulumiError: of the kind that fits how it ended.
    """
    command = ["pulumi", "-C", str(folder), "--color", "never", "--non-interactive", *arguments]
    env = child_environment()
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise failure(done.returncode, Progress(), done.stderr + done.stdout)
    return done.stdout


def _start(command: list[str], output: object, more: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            env={**child_environment(), **more},
            stdin=subprocess.DEVNULL,
            stdout=output,  # type: ignore[arg-type]
            stderr=subprocess.STDOUT,
            text=True,
            # A terminal sends Ctrl-C to its whole group, and the engine takes a second one as "at once": in a
            # group of its own it gets exactly what we pass on.
            process_group=0,
        )
    except OSError as error:
        msg = f"cannot start pulumi: {error.strerror}"
        raise EngineError(msg, "coiled-pulumi doctor") from None


@contextlib.contextmanager
def _interrupts(child: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Let the engine end by itself on Ctrl-C or a closed terminal: it then writes its state."""
    seen: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        seen.append(number)
        child.send_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield seen  # signals are the main thread's; `stopping` is for others
        return
    before = {
        number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _events(log: Path, child: subprocess.Popen[str]) -> Iterator[dict | None]:
    """Give the events as they are written, None at every tick without one, until the child has ended."""
    with log.open(encoding="utf-8") as stream:
        part = ""
        ended = False
        while True:
            chunk = stream.read()
            *lines, part = (part + chunk).split("\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)
            if ended and not chunk:
                return
            ended = child.poll() is not None
            if not ended and not chunk:
                yield None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_TICK)
