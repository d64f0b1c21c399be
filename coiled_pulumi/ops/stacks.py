"""What can be done with a workspace's stack."""

from __future__ import annotations

import json
from pathlib import Path

from coiled_pulumi import outputs
from coiled_pulumi.errors import CoiledPulumiError, NoSuchStackError
from coiled_pulumi.ops.engine_run import OnRows, Result, query, run
from coiled_pulumi.ops.target import Target, forget_secrets


def preview(target: Target, on_rows: OnRows, *, policy_packs: tuple[Path, ...] = ()) -> Result:
    """Ask the engine what `up` would do; a stack that does not exist yet is made, empty."""
    return _or_create(target, ["preview", *_common(target), *_packs(policy_packs)], on_rows)


def up(target: Target, on_rows: OnRows, *, policy_packs: tuple[Path, ...] = ()) -> Result:
    """Make what the workspace file says."""
    return _or_create(
        target, ["up", "--yes", "--skip-preview", *_common(target), *_packs(policy_packs)], on_rows
    )


def refresh(target: Target, on_rows: OnRows, *, preview_only: bool = False) -> Result:
    """Compare the state with AWS and write what was found into the state, or only tell it."""
    how = ["--preview-only"] if preview_only else ["--yes", "--skip-preview"]
    return _run(target, ["refresh", *how, *_common(target)], on_rows)


def destroy(target: Target, on_rows: OnRows, *, preview_only: bool = False) -> Result:
    """Delete everything of the workspace; its stack stays, empty, with its history."""
    how = ["--preview-only"] if preview_only else ["--yes", "--skip-preview"]
    return _run(target, ["destroy", *how, *_common(target)], on_rows)


def read_outputs(target: Target) -> outputs.WorkspaceOutputs:
    """Read the record that the workspace's stack exported.

    Raises:
        NoSuchStackError: it was never brought up on this backend.
    """
    text = query(["stack", "output", "--json", "--stack", target.stack], folder=target.project)
    return outputs.read(json.loads(text))


def _common(target: Target) -> list[str]:
    return ["--stack", target.stack, "--config-file", str(target.config_file), "--non-interactive"]


def _packs(packs: tuple[Path, ...]) -> list[str]:
    return [word for pack in packs for word in ("--policy-pack", str(pack.resolve()))]


def _run(target: Target, arguments: list[str], on_rows: OnRows) -> Result:
    log = target.config_file.with_name("events.jsonl")
    return run(arguments, folder=target.project, on_rows=on_rows, log=log)


def _or_create(target: Target, arguments: list[str], on_rows: OnRows) -> Result:
    if not target.created_here:
        _create(target)
    try:
        return _run(target, arguments, on_rows)
    except NoSuchStackError:
        _create(target)
        return _run(target, arguments, on_rows)


def _create(target: Target) -> None:
    """Make the empty stack, in the project of ours: the user's file is not where Pulumi's salt should go."""
    forget_secrets(target)
    try:
        query(["stack", "init", "--no-select", "--stack", target.stack], folder=target.config_file.parent)
    except CoiledPulumiError as error:
        if "already exists" not in error.what:
            raise
