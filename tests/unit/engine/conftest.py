"""A machine of its own per test: home, cache and PATH below the test's folder, with fake programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coiled_pulumi.engine import locate


class World:
    """A made-up machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "path"
        self.path.mkdir()
        self.environ = {
            "HOME": str(root / "home"),
            "XDG_CACHE_HOME": str(root / "cache"),
            "PATH": os.pathsep.join([str(self.path), "/usr/bin", "/bin"]),
        }

    def program(self, path: Path, body: str) -> Path:
        """Write an executable shell script."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        path.chmod(0o755)
        return path

    def on_path(self, name: str, body: str) -> Path:
        """Put a program on PATH."""
        return self.program(self.path / name, body)

    def engine(self, folder: Path) -> None:
        """Lay out a complete engine of fake programs in a folder of the cache."""
        self.program(folder / "bin" / "pulumi", "echo v3.259.0")
        self.program(folder / "bin" / "pulumi-language-python", "exit 0")
        self.program(locate.plugin_in(folder / "home"), "exit 0")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
