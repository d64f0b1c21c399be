"""Which workspace a command is about: its file, its stack, and the Pulumi project that brings it up."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from coiled_pulumi.errors import NoSuchStackError, Problem, SpecErrors, UsageError
from coiled_pulumi.ops.engine_run import child_environment
from coiled_pulumi.spec import load, yaml12
from coiled_pulumi.spec.settled import settle

#: Name of the Pulumi project: part of every URN and of where the state is kept.
PROJECT = "coiled"
#: What Pulumi itself writes into a stack file.
_SECRETS = ("secretsprovider", "encryptedkey", "encryptionsalt")

#: What stands in a program folder, in ours and in a project that `init` writes.
PROGRAM = '"""What `pulumi up` runs."""\n\nfrom coiled_pulumi.program import main\n\nmain()\n'
_PROJECT = f"name: {PROJECT}\nruntime: python\nmain: program/\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A stack, and where Pulumi runs for it.

    Attributes:
        workspace: the workspace that it belongs to.
        stack: its name.
        region: of what is in it.
        project: folder with the `Pulumi.yaml` to run: the user's project, or one of ours.
        config_file: our copy of the configuration, with Pulumi's own keys: the user's file is never written to.
        settings: what the copy holds beside Pulumi's keys.
        cluster: the cluster that the stack is about, or empty.
        environ: variables for the program alone: secrets that must stand in no file.
    """

    workspace: str
    stack: str
    region: str
    project: Path
    config_file: Path
    settings: Mapping[str, object]
    cluster: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def created_here(self) -> bool:
        """Whether the stack was made from this machine: then our copy has Pulumi's keys."""
        return any(key in _mapping(self.config_file) for key in _SECRETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Place):
    """The stack of a workspace file that was read and checked."""

    loaded: load.Loaded
    file: Path


def find_file(*, stack: str | None, file: Path | None, folder: Path) -> Path:
    """Find the workspace file that a command means.

    Args:
        stack: name of a workspace of the project around `folder`.
        file: any workspace file; not together with `stack`.
        folder: where the user stands.

    Raises:
        UsageError: both were given, or neither and there is not just one.
        NoSuchStackError: the project has no such workspace.
    """
    if file is not None and stack is not None:
        raise UsageError("--stack and --file exclude each other", "--file names the workspace by its file")
    if file is not None:
        return file
    known = {name: _short(path, folder) for name, path in workspace_files(folder).items()}
    if stack is not None:
        if stack in known:
            return known[stack]
        there = ", ".join(known) or "none"
        msg = f"no workspace '{stack}' here (found: {there})"
        raise NoSuchStackError(msg, f"coiled-pulumi init --name {stack[:32]}")
    if len(known) == 1:
        return next(iter(known.values()))
    if not known:
        raise UsageError("no workspace file here", "coiled-pulumi init writes one; or name it with --file")
    raise UsageError(f"which workspace? found: {', '.join(known)}", "name it with --stack")


def _short(path: Path, folder: Path) -> Path:
    """Name a file as a person who stands in the folder would."""
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def workspace_files(folder: Path) -> dict[str, Path]:
    """Give the workspace files of the project around a folder, by stack."""
    root = project_around(folder)
    if root is None:
        return {}
    files = sorted(stack_folder(root).glob("Pulumi.*.yaml"))
    return {file.name.removeprefix("Pulumi.").removesuffix(".yaml"): file for file in files}


def project_around(folder: Path) -> Path | None:
    """Give the nearest folder upward that holds our Pulumi project."""
    for candidate in (folder, *folder.parents):
        if _mapping(candidate / "Pulumi.yaml").get("name") == PROJECT:
            return candidate
    return None


def stack_folder(root: Path) -> Path:
    """Give the folder of a project's workspace files."""
    return root / str(_mapping(root / "Pulumi.yaml").get("stackConfigDir") or ".")


def require_name(loaded: load.Loaded, stack: str | None) -> None:
    """Refuse a file whose workspace is not the one that was asked for: `destroy` would delete the other one.

    Raises:
        SpecErrors: the names differ.
    """
    name = loaded.workspace.name
    if stack is not None and name != stack:
        line = loaded.lines.get(("config", load.CONFIG_KEY, "name")) or loaded.lines.get(("name",), 0)
        raise SpecErrors(
            loaded.source, (Problem("name", f"must be the stack's name '{stack}', got '{name}'", line),)
        )


def require_backend(made: Target, environ: Mapping[str, str] = os.environ) -> None:
    """Make sure that there is an engine, and that it knows where to keep its state.

    Raises:
        EngineError: there is no engine.
        UsageError: there is no place for the state.
    """
    child = child_environment(environ)
    named = child.get("PULUMI_BACKEND_URL") or child.get("PULUMI_ACCESS_TOKEN")
    if named or _mapping(made.project / "Pulumi.yaml").get("backend"):
        return
    home = Path(child.get("HOME") or Path.home()) / ".pulumi"
    folder = Path(child.get("PULUMI_CREDENTIALS_PATH") or child.get("PULUMI_HOME") or home)
    if not _mapping(folder / "credentials.json").get("current"):
        what = "there is no place for Pulumi's state: PULUMI_BACKEND_URL is not set and nobody is logged in"
        hint = (
            'export PULUMI_BACKEND_URL=s3://BUCKET, or use the local AWS: eval "$(coiled-pulumi local env)"'
        )
        raise UsageError(what, hint)


def target(file: Path, *, state: Path) -> Target:
    """Read a workspace file and prepare where Pulumi runs.

    Args:
        file: any workspace file.
        state: folder for what we keep about it; `state_home()` outside tests.

    Raises:
        UsageError: the file cannot be read or is wrong.
    """
    loaded = load.load(file)
    name = loaded.workspace.name
    own = _own_project(state, name)
    config_file = own / f"Pulumi.{name}.yaml"
    settings = _settings(loaded, file)
    _write_config(settings, config_file)
    around = project_around(file.resolve().parent)
    project = (
        around if around and file.resolve() in map(Path.resolve, workspace_files(around).values()) else own
    )
    return Target(
        workspace=name,
        stack=name,
        region=settle(loaded.workspace).region,
        project=project,
        config_file=config_file,
        settings=settings,
        loaded=loaded,
        file=file,
    )


def beside(
    workspace: str,
    stack: str,
    *,
    region: str,
    key: str,
    value: object,
    state: Path,
    cluster: str = "",
    environ: Mapping[str, str] | None = None,
) -> Place:
    """Prepare where Pulumi runs for a stack beside a workspace's.

    Args:
        workspace: its name.
        stack: name of the stack.
        region: of what is in it.
        key: of the program's config, without `coiled:`.
        value: for that key.
        state: folder for what we keep about it.
        cluster: the cluster that it is about, or empty.
        environ: variables for the program alone.
    """
    own = _own_project(state, stack)
    config_file = own / f"Pulumi.{stack}.yaml"
    settings = {"config": {f"{PROJECT}:{key}": value}}
    _write_config(settings, config_file)
    return Place(workspace, stack, region, own, config_file, settings, cluster, environ or {})


def _own_project(state: Path, stack: str) -> Path:
    """Make a project of ours for a stack."""
    # What is below holds settings and logs of runs: nobody else's business. mkdir's mode is for the last folder only.
    (state / "projects").mkdir(parents=True, exist_ok=True)
    (state / "projects").chmod(0o700)
    own = state / "projects" / backend_key() / stack
    (own / "program").mkdir(parents=True, exist_ok=True)
    (own / "program" / "__main__.py").write_text(PROGRAM)
    (own / "Pulumi.yaml").write_text(_PROJECT)
    return own


def lock_of(stack: str, *, state: Path) -> Path:
    """Give the lock of a stack on this machine: for who holds it, the configuration is theirs to write."""
    return _own_project(state, stack) / "lock"


def forget_secrets(made: Place) -> None:
    """Drop the keys of a stack that is gone: a new one of that name gets new ones."""
    made.config_file.unlink(missing_ok=True)
    _write_config(made.settings, made.config_file)


def backend_key(environ: Mapping[str, str] = os.environ) -> str:
    """Tell backends apart: the same workspace may live on several, each with its own keys."""
    return hashlib.sha256(environ.get("PULUMI_BACKEND_URL", "").encode()).hexdigest()[:8]


def _settings(loaded: load.Loaded, file: Path) -> dict[str, object]:
    # With the reader that checked it: others take a date for a date, and `yes` for true.
    written = yaml12.read(file.read_text(encoding="utf-8-sig")).value
    # A bare workspace may have no key `config`, so that is what tells the two forms apart.
    settings = written if isinstance(written, dict) and "config" in written else {"config": {}}
    settings["config"][load.CONFIG_KEY] = loaded.raw
    return settings


def _write_config(settings: Mapping[str, object], config_file: Path) -> None:
    kept = dict(settings)
    if not any(key in kept for key in _SECRETS):
        before = _mapping(config_file)
        kept |= {key: before[key] for key in _SECRETS if key in before}
    # Values of variables may stand in it.
    handle = os.open(config_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as stream:
        config_file.chmod(0o600)
        stream.write(json.dumps(kept, indent=2) + "\n")


def _mapping(file: Path) -> dict[str, object]:
    """Read one of Pulumi's own files; what is not there or of another form says nothing."""
    try:
        value = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return value if isinstance(value, dict) else {}


def forget_backend(url: str, *, state: Path | None = None) -> None:
    """Remove what we keep about a backend that is gone with all its stacks: projects of ours, and notifications."""
    state = state_home() if state is None else state
    for kind in ("projects", "notifications"):
        shutil.rmtree(state / kind / backend_key({"PULUMI_BACKEND_URL": url}), ignore_errors=True)
        with contextlib.suppress(OSError):  # that of another backend is in it
            (state / kind).rmdir()


def state_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder where we keep what is not in the user's files: `$XDG_STATE_HOME/coiled-pulumi`."""
    base = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME") or Path.home()) / ".local" / "state"
    return Path(base) / "coiled-pulumi"
