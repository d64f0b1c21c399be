"""What a build needs of the machine, and one clear line for each thing that is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coiled_pulumi.engine import versions
from coiled_pulumi.errors import EngineError

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True)
class Machine:
    """What a build would run on.

    Attributes:
        go: version of Go on PATH; None where there is none.
        disk: free bytes where the cache is.
        memory: bytes that this machine or container has; None where it cannot be said.
        cores: processors that we may use.
    """

    go: tuple[int, ...] | None
    disk: int
    memory: int | None
    cores: int


def examine(folder: Path, environ: Mapping[str, str] = os.environ) -> Machine:
    """Look at the machine; `folder` is where the result will be and need not exist yet."""
    return Machine(
        go=go_version(environ), disk=free_disk(folder), memory=total_memory(), cores=os.cpu_count() or 1
    )


def check(machine: Machine, folder: Path) -> None:
    """Refuse what cannot end well, before anything is downloaded.

    Raises:
        EngineError: Go is missing or too old, or there is too little disk or memory.
    """
    needed = versions.dotted(versions.MIN_GO)
    if machine.go is None:
        raise EngineError(
            "building the engine needs Go, and there is no go on PATH",
            f"install Go {needed} or newer, or put Pulumi {versions.CLI_VERSION} or newer on PATH",
        )
    if machine.go < versions.MIN_GO:
        raise EngineError(
            f"building the engine needs Go {needed} or newer, got {versions.dotted(machine.go)}",
            "install a newer Go, or let Go get it: export GOTOOLCHAIN=auto",
        )
    if machine.disk < versions.MIN_DISK:
        raise EngineError(
            f"building the engine needs {gigabytes(versions.MIN_DISK)} of free disk at {folder}, "
            f"got {gigabytes(machine.disk)}",
            "free some, or set XDG_CACHE_HOME to a larger disk",
        )
    if machine.memory is not None and machine.memory < versions.MIN_MEMORY:
        raise EngineError(
            f"building the engine needs {gigabytes(versions.MIN_MEMORY)} of memory, "
            f"got {gigabytes(machine.memory)}",
            "build on a larger machine and copy the cache folder, or install Pulumi's release",
        )


def go_version(environ: Mapping[str, str] = os.environ) -> tuple[int, ...] | None:
    """Ask the Go on PATH for its version; None where there is none."""
    go = shutil.which("go", path=environ.get("PATH", ""))
    if go is None:
        return None
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"], capture_output=True, text=True, timeout=20, env={**environ}, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return versions.parse(answer.stdout)


def free_disk(folder: Path) -> int:
    """Return the free bytes on the disk that would hold `folder`."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def total_memory() -> int | None:
    """Return the bytes of memory that we may use: the machine's, or the container's where that is less."""
    try:
        limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (ValueError, OSError, AttributeError):
        return None
    for path in _CGROUP_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            limits.append(int(text))
    return min(limits)


def gigabytes(number: int) -> str:
    """Write bytes as GB with one digit."""
    return f"{number / 1e9:.1f} GB"
