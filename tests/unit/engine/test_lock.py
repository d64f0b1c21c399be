from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coiled_pulumi.engine.lock import exclusive
from coiled_pulumi.errors import EngineError

HOLDER = """
import sys
from pathlib import Path
from coiled_pulumi.engine.lock import exclusive
with exclusive(Path(sys.argv[1]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


def silent(text: str) -> None:
    raise AssertionError(f"unexpected report: {text}")


def test_lock_is_free_again_after_use(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "new" / "lock", silent):
            assert (tmp_path / "new" / "lock").read_text() == str(os.getpid())


def test_lock_file_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("4194305")
    with exclusive(tmp_path / "lock", silent):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_second_installer_waits_and_says_for_whom_until_the_first_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        reports: list[str] = []
        waiting = threading.Event()

        def report(text: str) -> None:
            reports.append(text)
            waiting.set()

        def second() -> None:
            with exclusive(lock, report):
                reports.append("got it")

        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        holder.kill()
        thread.join(10)
        assert reports == [f"another install is running (process {holder.pid}), waiting for it", "got it"]


def test_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EngineError, match="set XDG_CACHE_HOME"),
        exclusive(tmp_path / "file" / "lock", silent),
    ):
        pass
