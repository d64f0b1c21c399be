"""What of this machine's set-up will work, and what to do about the rest."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from coiled_pulumi.engine import locate, toolchain, versions

State = Literal["ok", "warn", "error"]

_INSTALL_HINT = "coiled-pulumi engine install"
#: A local AWS on loopback answers at once or is not there. Seconds.
_CONNECT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        name: what was looked at, one or two words.
        state: `warn` where something will not work that not everybody needs, `error` where nothing will.
        text: what was found, one line.
        hint: what to do, a command where there is one; empty for `ok`.
    """

    name: str
    state: State
    text: str
    hint: str = ""


def examine(environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at everything that an engine needs; changes nothing and talks to loopback only."""
    engine = locate.find(environ)
    checks: list[Callable[[], Finding]] = [
        _python,
        lambda: _package("pulumi", versions.SDK_VERSION),
        lambda: _package("pulumi-aws", versions.PLUGIN_VERSION),
        lambda: _optional("pulumi-policy", "policy packs", "policies"),
        lambda: _optional("moto", "the local AWS", "local"),
        lambda: pulumi(engine, environ),
        lambda: plugin(engine),
        lambda: language_host(engine),
        lambda: go(environ, needed=engine is None),
        lambda: disk(environ, installed=engine is not None),
        lambda: memory(toolchain.total_memory(), needed=engine is None),
        lambda: backend(environ),
        lambda: passphrase(environ),
        lambda: endpoint(environ),
    ]
    return [check() for check in checks]


def pulumi(engine: locate.Engine | None, environ: Mapping[str, str]) -> Finding:
    """Say which CLI is used, or why the one on PATH is not."""
    if engine is not None:
        where = {"path": "on PATH", "download": "official release", "build": "our build"}[engine.source]
        return Finding("pulumi", "ok", f"{engine.version}, {where}: {engine.pulumi}")
    found = shutil.which("pulumi", path=environ.get("PATH", ""))
    if found is None:
        return Finding("pulumi", "error", "not on PATH and not in the cache", _INSTALL_HINT)
    got = locate.cli_version(Path(found)) or "one that does not answer"
    text = f"need {versions.CLI_VERSION} or newer 3.x, got {got}: {found}"
    return Finding("pulumi", "error", text, _INSTALL_HINT)


def plugin(engine: locate.Engine | None) -> Finding:
    """Say whether the AWS plugin of the SDK's version is there."""
    if engine is None:
        return Finding("aws plugin", "error", "no engine to use it", _INSTALL_HINT)
    if engine.plugin is not None:
        return Finding("aws plugin", "ok", f"{versions.PLUGIN_VERSION}: {engine.plugin}")
    command = f"pulumi plugin install resource aws {versions.PLUGIN_VERSION}"
    text = f"{versions.PLUGIN_VERSION} is not there yet; Pulumi fetches it when it is needed"
    return Finding("aws plugin", "warn", text, command)


def language_host(engine: locate.Engine | None) -> Finding:
    """Say whether bare `pulumi up` and policy packs can run."""
    name = "language host"
    if engine is None:
        return Finding(name, "error", "no engine to use it", _INSTALL_HINT)
    if engine.language_host is None:
        return Finding(name, "error", "no pulumi-language-python beside pulumi", "reinstall Pulumi")
    if engine.source == "build" and importlib.util.find_spec("grpc") is None:
        return Finding(name, "error", "our stand-in needs grpcio", "pip install pulumi")
    return Finding(name, "ok", str(engine.language_host))


def go(environ: Mapping[str, str], *, needed: bool) -> Finding:
    """Say whether Go could build the engine; it matters only where there is none."""
    version, minimum = toolchain.go_version(environ), versions.dotted(versions.MIN_GO)
    if version is not None and version >= versions.MIN_GO:
        return Finding("go", "ok", versions.dotted(version))
    got = versions.dotted(version) if version else "none"
    if not needed:
        return Finding("go", "ok", f"{got}; not needed, there is an engine")
    text = f"need {minimum} or newer to build the engine, got {got}"
    return Finding("go", "warn", text, "install Go, or install Pulumi's release")


def disk(environ: Mapping[str, str], *, installed: bool) -> Finding:
    """Say whether the disk of the cache has room for what is still to come."""
    folder = locate.cache_root(environ)
    free = toolchain.free_disk(folder)
    needed = 500_000_000 if installed else versions.MIN_DISK
    text = f"{toolchain.gigabytes(free)} free at {folder}"
    if free >= needed:
        return Finding("disk", "ok", text)
    hint = f"free up to {toolchain.gigabytes(needed)}, or set XDG_CACHE_HOME to a larger disk"
    return Finding("disk", "warn", text, hint)


def memory(total: int | None, *, needed: bool) -> Finding:
    """Say whether there is memory enough to build the engine; `total` in bytes, None where unknown."""
    if total is None:
        return Finding("memory", "ok", "unknown")
    if total >= versions.MIN_MEMORY or not needed:
        return Finding("memory", "ok", toolchain.gigabytes(total))
    text = f"{toolchain.gigabytes(total)}, a build needs {toolchain.gigabytes(versions.MIN_MEMORY)}"
    return Finding("memory", "warn", text, "install Pulumi's release instead of building it")


def backend(environ: Mapping[str, str]) -> Finding:
    """Say where state is kept; without the variable it is what `pulumi login` chose."""
    url = environ.get("PULUMI_BACKEND_URL", "")
    if not url:
        hint = "export PULUMI_BACKEND_URL=s3://BUCKET (or file://~ to try it out)"
        text = "PULUMI_BACKEND_URL is not set: state goes where `pulumi login` says"
        return Finding("backend", "warn", text, hint)
    # Some backends take a password or keys in the address.
    return Finding("backend", "ok", re.sub(r"//[^/@]*@", "//***@", url.split("?", 1)[0]))


def passphrase(environ: Mapping[str, str]) -> Finding:
    """Say whether secrets can be read; never shows the passphrase."""
    file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if file and not os.access(file, os.R_OK):
        return Finding("passphrase", "error", f"cannot read {file}", "fix PULUMI_CONFIG_PASSPHRASE_FILE")
    if file or "PULUMI_CONFIG_PASSPHRASE" in environ:
        return Finding("passphrase", "ok", "set")
    hint = "export PULUMI_CONFIG_PASSPHRASE_FILE=PATH; not needed with a KMS key or Pulumi Cloud"
    return Finding("passphrase", "warn", "not set: stacks with a passphrase cannot be opened", hint)


def endpoint(environ: Mapping[str, str]) -> Finding:
    """Say whether a local AWS that the environment points to is still there."""
    url = environ.get("AWS_ENDPOINT_URL", "")
    if not url:
        return Finding("local aws", "ok", "AWS_ENDPOINT_URL is not set: the real AWS is used")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "localhost" and not host.startswith("127."):
        text = f"AWS_ENDPOINT_URL is {host}, not this machine"
        return Finding("local aws", "warn", text, "unset AWS_ENDPOINT_URL")
    try:
        with socket.create_connection((host, parts.port or 80), timeout=_CONNECT_SECONDS):
            return Finding("local aws", "ok", f"answers at {host}:{parts.port or 80}")
    except (OSError, ValueError):
        hint = "coiled-pulumi local up, or unset AWS_ENDPOINT_URL"
        return Finding("local aws", "error", f"AWS_ENDPOINT_URL is set, but nothing answers at {host}", hint)


def _python() -> Finding:
    version = sys.version_info[:3]
    if version >= versions.MIN_PYTHON:
        return Finding("python", "ok", f"{versions.dotted(version)}: {sys.executable}")
    text = f"need {versions.dotted(versions.MIN_PYTHON)} or newer, got {versions.dotted(version)}"
    return Finding("python", "error", text, "install a newer Python")


def _package(name: str, wanted: str) -> Finding:
    """Check a package that must have exactly one version: it moves together with the engine."""
    got = _installed(name)
    title = f"{name} package"
    if got == wanted:
        return Finding(title, "ok", got)
    text = f"need {wanted}, got {got or 'none'}"
    return Finding(title, "error" if got is None else "warn", text, f"pip install {name}=={wanted}")


def _optional(name: str, purpose: str, extra: str) -> Finding:
    got = _installed(name)
    if got is not None:
        return Finding(name, "ok", got)
    text = f"not installed: {purpose} cannot run"
    return Finding(name, "warn", text, f"pip install 'coiled-pulumi[{extra}]'")


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
