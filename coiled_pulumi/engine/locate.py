"""What engine there is on this machine, and the environment in which a child finds it.

A fitting `pulumi` on PATH always wins: it is the user's choice. Then comes our cache, laid out as

    <cache>/engine/<key>/bin/pulumi                   and pulumi-language-python
    <cache>/engine/<key>/home/plugins/resource-aws-v<version>/pulumi-resource-aws

The plugin is not in `bin`: the engine warns about any plugin that it finds on PATH, and takes one from the
plugin folder of its home silently.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from coiled_pulumi.engine import versions
from coiled_pulumi.errors import EngineError

Source = Literal["path", "download", "build"]

#: `pulumi version` answers in well under a second; a broken one must not hang us. Seconds.
_VERSION_TIMEOUT = 20


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that can be used.

    Attributes:
        pulumi: the CLI.
        plugin: the AWS plugin; None where the CLI gets its own when it needs one.
        language_host: `pulumi-language-python`; None where there is none, then only inline programs run.
        source: where it is from.
        version: of the CLI, without a `v`.
        bin_dirs: what belongs at the front of PATH, in this order.
        home: folder for PULUMI_HOME; None for the user's own.
    """

    pulumi: Path
    plugin: Path | None
    language_host: Path | None
    source: Source
    version: str
    bin_dirs: tuple[Path, ...]
    home: Path | None = None


def find(environ: Mapping[str, str] = os.environ) -> Engine | None:
    """Find the engine to use, without network and without changing anything; None where there is none."""
    return on_path(environ) or in_cache(environ)


def environment(
    engine: Engine, environ: Mapping[str, str] = os.environ, *, disable_metadata: bool = False
) -> dict[str, str]:
    """Make the variables that a child needs on top of `environ` to use this engine and nothing else.

    Args:
        engine: what `find` or `install` returned.
        environ: the environment that the child will inherit.
        disable_metadata: also keep AWS clients from asking an instance metadata service, for the local AWS.
    """
    front = [str(folder) for folder in engine.bin_dirs]
    rest = [entry for entry in environ.get("PATH", "").split(os.pathsep) if entry and entry not in front]
    variables = {
        "PATH": os.pathsep.join([*front, *rest]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "COILED_PULUMI_PYTHON": sys.executable,
    }
    if engine.home is not None:
        variables["PULUMI_HOME"] = str(engine.home)
        # The home of ours holds plugins only; who is logged in where stays the user's.
        own = environ.get("PULUMI_CREDENTIALS_PATH") or str(_user_home(environ))
        variables["PULUMI_CREDENTIALS_PATH"] = own
    if engine.source == "build":
        variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    if disable_metadata:
        variables["AWS_EC2_METADATA_DISABLED"] = "true"
    return variables


def on_path(environ: Mapping[str, str] = os.environ) -> Engine | None:
    """Find a fitting CLI on PATH that is not from our cache; None where there is none or it is too old."""
    found = shutil.which("pulumi", path=environ.get("PATH", ""))
    if found is None:
        return None
    pulumi = Path(found).absolute()
    # Inside a child of ours PATH leads to the cache: then `in_cache` knows more about it.
    if pulumi.resolve().is_relative_to(cache_root(environ).resolve()):
        return None
    version = cli_version(pulumi)
    if version is None or not versions.fits_cli(version):
        return None
    host = shutil.which("pulumi-language-python", path=environ.get("PATH", ""))
    # The CLI looks beside itself too, and through links.
    beside = pulumi.resolve().parent / "pulumi-language-python"
    plugin = plugin_in(_user_home(environ))
    return Engine(
        pulumi=pulumi,
        plugin=plugin if plugin.is_file() else None,
        language_host=Path(host) if host else beside if beside.is_file() else None,
        source="path",
        version=version,
        bin_dirs=(pulumi.parent,),
    )


def in_cache(environ: Mapping[str, str] = os.environ) -> Engine | None:
    """Find a complete engine in our cache, a release before a build; None where there is none."""
    return _complete(release_folder(environ), "download") or _complete(build_folder(environ), "build")


def cli_version(pulumi: Path) -> str | None:
    """Ask a CLI for its version, without a `v`; None where it cannot be run or says something else."""
    quiet = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [str(pulumi), "version"],
            capture_output=True, text=True, timeout=_VERSION_TIMEOUT, env=quiet, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = answer.stdout.strip().removeprefix("v")
    return text if answer.returncode == 0 and versions.parse(text) else None


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of all engines that we got: `$XDG_CACHE_HOME` or `~/.cache`, below it ours."""
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "coiled-pulumi" / "engine"


def release_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the official release of our versions."""
    return cache_root(environ) / f"{versions.CLI_VERSION}-aws{versions.PLUGIN_VERSION}-release"


def build_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of our own build; its name changes with anything that goes into the build."""
    key = f"{versions.CLI_VERSION}-aws{versions.PLUGIN_VERSION}-{recipe_hash(recipe_folder())}"
    return cache_root(environ) / key


def recipe_folder() -> Path:
    """Return the folder with the Go recipe: inside an installed package, else in the checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "recipe", here.parents[1] / "engine"):
        if (folder / "cli" / "go.mod").is_file():
            return folder
    raise EngineError("the recipe for building the engine is missing", "reinstall coiled-pulumi")


def recipe_hash(folder: Path) -> str:
    """Hash everything that decides what is built, 8 hex digits: the recipe and the narrowing."""
    digest = hashlib.sha256()
    files = [file for part in ("cli", "provider") for file in sorted((folder / part).iterdir())]
    for file in [*files, Path(__file__).with_name("narrow.py")]:
        digest.update(f"{file.parent.name}/{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def plugin_in(home: Path) -> Path:
    """Return where the AWS plugin of our version is in a Pulumi home."""
    return home / "plugins" / f"resource-aws-v{versions.PLUGIN_VERSION}" / "pulumi-resource-aws"


def _complete(folder: Path, source: Source) -> Engine | None:
    home, bin_dir = folder / "home", folder / "bin"
    pulumi, host, plugin = bin_dir / "pulumi", bin_dir / "pulumi-language-python", plugin_in(home)
    has_plugin = os.access(plugin, os.X_OK)
    # A release without a plugin is complete: its CLI gets the plugin when a program first needs it.
    if not (os.access(pulumi, os.X_OK) and os.access(host, os.X_OK) and (has_plugin or source == "download")):
        return None
    found = plugin if has_plugin else None
    return Engine(pulumi, found, host, source, versions.CLI_VERSION, (bin_dir,), home)


def _user_home(environ: Mapping[str, str]) -> Path:
    """Return the user's own Pulumi home; inside a child of ours PULUMI_HOME is not the user's."""
    chosen = environ.get("PULUMI_HOME")
    if chosen and not Path(chosen).is_relative_to(cache_root(environ)):
        return Path(chosen)
    return Path(environ.get("HOME") or Path.home()) / ".pulumi"
