"""Where the agent reads and writes, below one root: `/` on a machine, a folder where several share one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = "COILED_PULUMI_ROOT"
#: Names the run folder to the process of Dask.
RUN = "COILED_PULUMI_RUN"


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of one machine."""

    root: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Paths:
        """Take the root that the environment names, else `/`."""
        return cls(Path(environ.get(ROOT) or "/"))

    @property
    def identity(self) -> Path:
        """What user data wrote."""
        return self.root / "etc/coiled-pulumi/node.json"

    @property
    def run(self) -> Path:
        """Between agent and Dask; `/run` is in memory, so that keys never reach a disk."""
        return self.root / "run/coiled-pulumi"

    @property
    def package(self) -> Path:
        """A folder with nothing but our package, for a Python that does not have it."""
        return self.root / "run/coiled-pulumi-package"

    @property
    def environment(self) -> Path:
        """The virtual environment that is made where the image's does not do."""
        return self.root / "opt/coiled-pulumi/environment"

    @property
    def scratch(self) -> Path:
        """Where Dask spills to; `/tmp` is in memory on Amazon Linux."""
        return self.root / "var/lib/coiled-pulumi/dask"


def make_private(folder: Path) -> Path:
    """Make a folder that only its owner may look into."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, so that a reader sees the old one or the new one, never half."""
    beside = file.with_name(f".{file.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        target.write(text.encode())
    beside.replace(file)
