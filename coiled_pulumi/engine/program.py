"""Run one Pulumi program in this process, started by the language host.

`python -m coiled_pulumi.engine.program SETTINGS ENTRY [ARGUMENT ...]`, SETTINGS as JSON; config comes in the
environment. The exit code says whether the user has seen what went wrong.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

#: Exit code that tells the host: the error was shown, add nothing. The number is Pulumi's own for this.
ALREADY_SHOWN: Final = 32
#: Threads per operation that may run at once, as in Pulumi's own host: each waits for the engine.
_THREADS_PER_OPERATION: Final = 4


def run(settings: dict[str, Any], entry: str, arguments: list[str]) -> int:
    """Run the program at `entry` (a file, or a folder with `__main__.py`) and return the exit code."""
    import pulumi
    from pulumi import runtime

    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    runtime.configure(runtime.Settings(**settings))
    sys.argv = [entry, *arguments]
    # What is left of the graph after a failure is never awaited, and asyncio would list it at length.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(1, settings["parallel"]) * _THREADS_PER_OPERATION)
    loop.set_default_executor(executor)
    try:
        loop.run_until_complete(runtime.run_in_stack(lambda: _execute(entry)))
    except pulumi.RunError as err:
        pulumi.log.error(str(err))
        return ALREADY_SHOWN
    except Exception as err:
        pulumi.log.error(f"Program failed with an unhandled exception:\n{user_traceback(err, entry)}")
        return ALREADY_SHOWN
    finally:
        executor.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _execute(entry: str) -> None:
    path = Path(entry)
    if path.is_dir() and not (path / "__main__.py").is_file():
        from pulumi import RunError

        raise RunError(f"there is no __main__.py in {path.resolve()}")
    runpy.run_path(entry, run_name="__main__")


def user_traceback(err: BaseException, entry: str) -> str:
    """Format an error from the program's own first frame on; whole where it is from somewhere else."""
    path = Path(entry)
    main = os.path.abspath(path / "__main__.py" if path.is_dir() else path)
    frames = traceback.extract_tb(err.__traceback__)
    for number, frame in enumerate(frames):
        if os.path.abspath(frame.filename) == main:
            return "".join(traceback.format_exception(err, limit=number - len(frames)))
    return "".join(traceback.format_exception(err))


if __name__ == "__main__":
    sys.exit(run(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]))
