"""Which workspace file `setup` is about: the one that is there, or the one that it will write."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from coiled_pulumi.cli import init, options
from coiled_pulumi.errors import CoiledPulumiError, UsageError

if TYPE_CHECKING:
    from coiled_pulumi.ops.setup import Place
    from coiled_pulumi.spec.load import Loaded
    from coiled_pulumi.spec.workspace import Workspace


def existing(name: str | None, file: Path | None, region: str | None) -> Loaded | None:
    """Read the workspace that is meant; None where there is none yet.

    Raises:
        UsageError: there are several, or the file is about another region.
    """
    from coiled_pulumi.ops.target import workspace_files

    known = workspace_files(Path.cwd())
    if file is None and (name not in known if name else not known):
        return None
    loaded = options.load(name, file)
    found = region_of(loaded)
    if region and region != found:
        raise UsageError(
            f"{loaded.source} says {found}, not {region}", "leave --region out, or edit the file"
        )
    return loaded


def region_of(loaded: Loaded) -> str:
    """Give the region of a workspace, also where its file leaves it to the default."""
    from coiled_pulumi.spec.settled import settle

    return settle(loaded.workspace).region


def new(name: str, region: str) -> Loaded:
    """Give the workspace that `init` would write."""
    from coiled_pulumi.spec.load import load

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        file = Path(folder) / "workspace.yaml"
        init.init(name=name, region=region, file=file, yes=True, as_json=True)
        return load(file)


def lacks_agent(workspace: Workspace) -> bool:
    """Tell whether some machines have neither an image of one's own nor an agent to install: they would power off."""
    from coiled_pulumi.spec.settled import settle

    settled = [settle(workspace, cluster) for cluster in workspace.clusters.values() or [None]]
    return any(not (one.ami_id or one.agent) for one in settled)


def name_agent(name: str, file: Path | None, address: str) -> None:
    """Write into a workspace's file which agent its machines install."""
    from coiled_pulumi.ops.backend_options import set_backend_options

    set_backend_options(workspace=None if file else name, file=file, agent=address)


def refuse_other_backend(loaded: Loaded, where: Place) -> None:
    """Refuse to make a workspace a second time because its state is kept elsewhere.

    Raises:
        UsageError: it is up on the backend that the environment names.
    """
    from coiled_pulumi.ops import stacks
    from coiled_pulumi.ops import target as ops

    url = os.environ.get("PULUMI_BACKEND_URL", "")
    if not url or url == where.url:
        return
    try:
        stacks.read_outputs(ops.target(Path(loaded.source), state=ops.state_home()))
    except CoiledPulumiError:
        return  # it was never brought up there, or is down again
    what = f"{loaded.workspace.name} is up already, and its state is kept at {url}"
    raise UsageError(what, "destroy it there first, or set up another --workspace")
