"""What can be done with a workspace's stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from coiled_pulumi import outputs
from coiled_pulumi.errors import CoiledPulumiError, NoSuchStackError, UsageError
from coiled_pulumi.ops import backends, run_record
from coiled_pulumi.ops.engine_run import OnRows, Result, query, run
from coiled_pulumi.ops.target import Place, forget_secrets


def preview(target: Place, on_rows: OnRows, *, policy_packs: tuple[Path, ...] = ()) -> Result:
    """Ask the engine what `up` would do; a stack that does not exist yet is made, empty.

    Raises:
        UsageError: the stack is up in another region.
    """
    require_region(target)
    return _or_create(target, ["preview", *_common(target), *_packs(policy_packs)], on_rows)


def up(target: Place, on_rows: OnRows, *, policy_packs: tuple[Path, ...] = (), anew: bool = False) -> Result:
    """Make what the stack's configuration says.

    Args:
        target: the stack.
        on_rows: told what happens.
        policy_packs: folders of policy packs.
        anew: look first at what is there: a cluster that ended itself is gone without the engine's doing.

    Raises:
        UsageError: the stack is up in another region.
    """
    require_region(target)
    looked = ["--refresh"] if anew else []
    arguments = ["up", "--yes", "--skip-preview", *looked, *_common(target), *_packs(policy_packs)]
    return _recorded(target, "up", on_rows, lambda on: _or_create(target, arguments, on))


def refresh(target: Place, on_rows: OnRows, *, preview_only: bool = False) -> Result:
    """Compare the state with AWS and write what was found into the state, or only tell it."""
    how = ["--preview-only"] if preview_only else ["--yes", "--skip-preview"]
    arguments = ["refresh", *how, *_common(target)]
    if preview_only:
        return _run(target, arguments, on_rows)
    return _recorded(target, "refresh", on_rows, lambda on: _run(target, arguments, on))


def destroy(target: Place, on_rows: OnRows, *, preview_only: bool = False) -> Result:
    """Delete everything of a stack; it stays itself, empty, with its history."""
    how = ["--preview-only"] if preview_only else ["--yes", "--skip-preview"]
    arguments = ["destroy", *how, *_common(target)]
    if preview_only:
        return _run(target, arguments, on_rows)
    return _recorded(target, "destroy", on_rows, lambda on: _run(target, arguments, on))


def read_outputs(target: Place) -> outputs.WorkspaceOutputs:
    """Read the record that the workspace's stack exported.

    Raises:
        NoSuchStackError: it was never brought up on this backend.
    """
    return outputs.read(outputs_of(target.stack, target.project))


def stacks_of(target: Place) -> list[str]:
    """Give the stacks beside a workspace's: its clusters' and its further networks'."""
    listed = json.loads(query(["stack", "ls", "--json"], folder=target.project))
    # With a backend that knows organizations a name is `organization/coiled/stack`.
    names = (one["name"].rpartition("/")[2] for one in listed)
    return sorted(name for name in names if name.startswith(f"{target.workspace}."))


def outputs_of(stack: str, folder: Path, *, secrets: bool = False) -> dict[str, object]:
    """Give the outputs of a stack.

    Args:
        stack: its name.
        folder: of a project of ours.
        secrets: with the values of secrets, for who may open them; else they read `[secret]`.

    Raises:
        NoSuchStackError: there is none.
    """
    shown = ["--show-secrets"] if secrets else []
    return json.loads(query(["stack", "output", "--json", *shown, "--stack", stack], folder=folder))


def require_region(target: Place) -> None:
    """Refuse to bring up in one region what is up in another: the engine would take the one for the other.

    It compares names and settings, not regions: what it knows would count as there, and be left behind where it is.

    Raises:
        UsageError: the stack is up in another region.
    """
    elsewhere = regions_of(target.stack, target.project) - {target.region}
    if not elsewhere:
        return
    there = min(elsewhere)
    if target.cluster:
        what = f"cluster {target.cluster} of {target.workspace} is up in {there}, and does not move"
        hint = f"add --region {there}; or coiled-pulumi cluster stop {target.cluster}, and start it again"
    else:
        what = f"{target.stack} is up in {there}, and does not move to {target.region}"
        hint = f"put region: {there} back; or coiled-pulumi destroy, and then coiled-pulumi up"
    raise UsageError(what, hint)


def regions_of(stack: str, folder: Path) -> set[str]:
    """Give the regions of what is in a stack; none where nothing is, or no such stack."""
    try:
        state = json.loads(query(["stack", "export", "--stack", stack], folder=folder))
    except NoSuchStackError:
        return set()
    resources = (state.get("deployment") or {}).get("resources") or ()
    providers = (one for one in resources if one["type"] == "pulumi:providers:aws")
    return {region for one in providers if (region := (one.get("inputs") or {}).get("region"))}


def remove(target: Place) -> None:
    """Forget an empty stack."""
    query(["stack", "rm", "--yes", "--stack", target.stack], folder=target.config_file.parent)
    # The lock stays: whoever waits for it has to wait for the same file as whoever comes after.
    for left in (target.config_file, target.config_file.with_name("events.jsonl")):
        left.unlink(missing_ok=True)


def _common(target: Place) -> list[str]:
    return ["--stack", target.stack, "--config-file", str(target.config_file), "--non-interactive"]


def _packs(packs: tuple[Path, ...]) -> list[str]:
    return [word for pack in packs for word in ("--policy-pack", str(pack.resolve()))]


def _recorded(target: Place, verb: str, on_rows: OnRows, operation: Callable[[OnRows], Result]) -> Result:
    """Run what changes something, and leave a record of it for `notifications`."""
    with run_record.recorded(
        workspace=target.workspace, cluster=target.cluster, verb=verb, region=target.region
    ) as run:
        result = operation(run.watching(on_rows))
        run.finished(result.progress)
    return result


def _run(target: Place, arguments: list[str], on_rows: OnRows) -> Result:
    log = target.config_file.with_name("events.jsonl")
    return run(arguments, folder=target.project, on_rows=on_rows, log=log, more=target.environ)


def _or_create(target: Place, arguments: list[str], on_rows: OnRows) -> Result:
    if not target.created_here:
        _create(target)
    try:
        return _run(target, arguments, on_rows)
    except NoSuchStackError:
        _create(target)
        return _run(target, arguments, on_rows)


def _create(target: Place) -> None:
    """Make the empty stack, in the project of ours: the user's file is not where Pulumi's salt should go."""
    forget_secrets(target)
    try:
        query(
            ["stack", "init", "--no-select", "--stack", target.stack, *_sealed()],
            folder=target.config_file.parent,
        )
    except CoiledPulumiError as error:
        # Made on another machine: what seals its secrets is in its state.
        if not backends.adopt(target) and "already exists" not in error.what:
            raise


def _sealed() -> list[str]:
    provider = backends.secrets_provider()
    return ["--secrets-provider", provider] if provider else []
