from __future__ import annotations

from pathlib import Path

import pytest

from coiled_pulumi.engine import build, toolchain, versions
from coiled_pulumi.errors import EngineError

GOOD = toolchain.Machine(go=(1, 26, 8), disk=50_000_000_000, memory=8_000_000_000, cores=2)


def test_a_good_machine_passes() -> None:
    toolchain.check(GOOD, Path("/cache"))


def test_unknown_memory_passes() -> None:
    toolchain.check(toolchain.Machine(GOOD.go, GOOD.disk, None, 2), Path("/cache"))


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        pytest.param(
            toolchain.Machine(None, GOOD.disk, GOOD.memory, 2),
            "building the engine needs Go, and there is no go on PATH\n"
            "hint: install Go 1.25.11 or newer, or put Pulumi 3.259.0 or newer on PATH",
            id="no go",
        ),
        pytest.param(
            toolchain.Machine((1, 22, 3), GOOD.disk, GOOD.memory, 2),
            "building the engine needs Go 1.25.11 or newer, got 1.22.3\n"
            "hint: install a newer Go, or let Go get it: export GOTOOLCHAIN=auto",
            id="old go",
        ),
        pytest.param(
            toolchain.Machine(GOOD.go, 5_900_000_000, GOOD.memory, 2),
            "building the engine needs 6.0 GB of free disk at /cache, got 5.9 GB\n"
            "hint: free some, or set XDG_CACHE_HOME to a larger disk",
            id="disk",
        ),
        pytest.param(
            toolchain.Machine(GOOD.go, GOOD.disk, 2_000_000_000, 2),
            "building the engine needs 4.0 GB of memory, got 2.0 GB\n"
            "hint: build on a larger machine and copy the cache folder, or install Pulumi's release",
            id="memory",
        ),
    ],
)
def test_each_lack_is_one_sentence_with_a_hint(machine: toolchain.Machine, expected: str) -> None:
    with pytest.raises(EngineError) as caught:
        toolchain.check(machine, Path("/cache"))
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("body", "expected"), [("echo go1.25.0", (1, 25, 0)), ("echo hm", None), ("exit 1", None)]
)
def test_go_version_is_asked_of_the_go_on_path(world, body: str, expected: tuple[int, ...] | None) -> None:
    world.on_path("go", body)
    assert toolchain.go_version(world.environ) == expected


def test_free_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert toolchain.free_disk(tmp_path / "a" / "b") == toolchain.free_disk(tmp_path)


@pytest.mark.parametrize(
    ("memory", "cores", "parallel"),
    [(4_100_000_000, 16, 2), (64_000_000_000, 2, 2), (64_000_000_000, 16, 16), (None, 8, 2)],
)
def test_parallel_compilers_fit_into_memory(memory: int | None, cores: int, parallel: int) -> None:
    machine = toolchain.Machine(versions.MIN_GO, GOOD.disk, memory, cores)
    assert build.go_environment(machine, {})["GOFLAGS"].endswith(f" -p={parallel}")
