"""Get an engine: what is on PATH, else what we have, else the official release, else a build."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from coiled_pulumi.engine import build, download, locate, versions
from coiled_pulumi.errors import EngineError


def install(
    *,
    report: Callable[[str], None],
    allow_download: bool = True,
    allow_build: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> locate.Engine:
    """Make sure that there is an engine; idempotent, and quick when there is one already.

    Args:
        report: gets one line of progress at a time, for stderr.
        allow_download: look for the official release.
        allow_build: build from the Go module proxy where there is no release to be had.
        environ: environment that decides about PATH, cache and mirrors.

    Raises:
        EngineError: there is none, and it cannot be had in the ways that are allowed.
    """
    found = locate.find(environ)
    if found is not None:
        return found
    if allow_download:
        found = download.download(report, environ)
    if found is None and allow_build:
        found = build.build(report, environ)
    if found is None:
        raise EngineError(
            f"there is no Pulumi {versions.CLI_VERSION} or newer on PATH or in the cache",
            "install Pulumi, or run `coiled-pulumi engine install`",
        )
    return found
