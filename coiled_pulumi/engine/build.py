"""Build the CLI and the AWS plugin from the Go module proxy into our cache.

Every part is put in place by one rename when it is whole, so a build that was stopped goes on with what is
missing. Both parts share the user's Go cache, in which most of their packages are the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from coiled_pulumi.engine import locate, toolchain, versions
from coiled_pulumi.engine.gorun import Go
from coiled_pulumi.engine.lock import exclusive
from coiled_pulumi.engine.narrow import narrow
from coiled_pulumi.errors import EngineError

#: `-P` keeps a `pulumi.py` in the user's project from being imported in place of the SDK.
_HOST_SCRIPT = """#!/bin/sh
exec "${COILED_PULUMI_PYTHON:-python3}" -P -m coiled_pulumi.engine.language_host "$@"
"""
#: How much memory one compiler may take before its garbage collector works harder, bytes. Below the 3.4 GB
#: that linking the plugin takes when nothing holds it back.
_COMPILER_MEMORY = 3_000_000_000


def build(report: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> locate.Engine:
    """Build what is missing and return the engine; returns at once where nothing is.

    Args:
        report: gets one line of progress at a time.
        environ: environment for Go (GOPROXY is honoured, GOFLAGS is not) and for finding the cache.

    Raises:
        EngineError: this machine cannot build it, modules cannot be had, or the compiler failed.
    """
    folder = locate.build_folder(environ)
    machine = toolchain.examine(folder, environ)
    toolchain.check(machine, folder)
    with exclusive(folder / "lock", report):
        # Another installer may have finished while we waited.
        done = locate.in_cache(environ)
        if done is not None and done.source == "build":
            return done
        go = Go(folder / "build.log", go_environment(machine, environ), report)
        work = folder / "work"
        _build_cli(go, work, folder / "bin" / "pulumi")
        _build_plugin(go, work, locate.plugin_in(folder / "home"))
        _write_host(folder / "bin" / "pulumi-language-python")
        shutil.rmtree(work, ignore_errors=True)
    built = locate.in_cache(environ)
    if built is None:
        raise EngineError(f"the engine built in {folder} is not complete", "run the command again")
    return built


def go_environment(machine: toolchain.Machine, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Make Go's environment: the user's, with what would change the build set to known values."""
    gigabytes = (machine.memory or versions.MIN_MEMORY) // 1_000_000_000
    # Compilers run side by side, at about 1.5 GB for the largest package.
    parallel = max(1, min(machine.cores, gigabytes // 2))
    return {
        **environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": f"-mod=readonly -buildvcs=false -trimpath -p={parallel}",
        "GOMEMLIMIT": str(_COMPILER_MEMORY),
        "GOWORK": "off",
        # The binaries are for this machine, whatever the user cross-compiles otherwise.
        "GOOS": "",
        "GOARCH": "",
    }


def _build_cli(go: Go, work: Path, target: Path) -> None:
    if target.is_file():
        return
    _copy_recipe("cli", work)
    version = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{versions.CLI_VERSION}"
    go.build(
        "Pulumi CLI", versions.CLI_PACKAGE, cwd=work / "cli", target=target,
        ldflags=f"-s -w {version}", minutes=versions.EXPECTED_MINUTES["cli"],
    )  # fmt: skip


def _build_plugin(go: Go, work: Path, target: Path) -> None:
    if target.is_file():
        return
    _copy_recipe("provider", work)
    module = work / "provider"
    # `go mod download` checks the published module against the two sums in go.sum before we touch a copy.
    source = go.download("AWS provider", versions.PROVIDER_MODULE, cwd=module)
    count = narrow(source, work / "narrowed")
    go.report(f"AWS plugin: narrowed to {count} packages of the provider")
    go.edit(f"-replace={versions.PROVIDER_MODULE}=../narrowed", cwd=module)
    go.build(
        "AWS plugin", ".", cwd=module, target=target,
        ldflags=f"-s -w -X main.Version={versions.PLUGIN_VERSION}",
        minutes=versions.EXPECTED_MINUTES["plugin"],
    )  # fmt: skip


def _copy_recipe(part: str, work: Path) -> None:
    shutil.rmtree(work / part, ignore_errors=True)
    # Contents only: the recipe may be installed read-only, and go.mod is edited in the copy.
    shutil.copytree(locate.recipe_folder() / part, work / part, copy_function=shutil.copyfile)


def _write_host(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(_HOST_SCRIPT, "utf-8")
    part.chmod(0o755)
    part.replace(target)
