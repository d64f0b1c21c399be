"""The official release of the CLI and the AWS plugin, with checksums.

Where there is no access (a closed network) this says so within seconds and gives way to the build. A mirror
is set by COILED_PULUMI_RELEASES and has the paths of the original:
`<base>/pulumi/releases/download/v<version>/<file>` and `<base>/pulumi-aws/releases/download/...`.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import shutil
import sys
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from coiled_pulumi.engine import locate, toolchain, versions
from coiled_pulumi.engine.lock import exclusive
from coiled_pulumi.errors import EngineError, echo

RELEASES = "https://github.com/pulumi"
#: How long we look for an answer before we say that there is no access, seconds. Covers the look-up of the
#: name too, which has no time limit of its own.
PROBE_SECONDS = 4.0
#: How long a download may be silent, seconds.
READ_SECONDS = 30.0
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Release:
    """One archive of a release.

    Attributes:
        folder: path below the base, without slashes at the ends.
        archive: file name of the archive.
        checksums: names under which the list of SHA-256 sums is published, first match wins.
    """

    folder: str
    archive: str
    checksums: tuple[str, ...]


def download(
    report: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
    *,
    probe_seconds: float = PROBE_SECONDS,
) -> locate.Engine | None:
    """Get the official release into the cache; None where it cannot be reached.

    A file with a wrong checksum is never unpacked and never falls back to anything else.

    Raises:
        EngineError: a checksum does not match, an archive is not a release, or the disk is full.
    """
    base = (environ.get("COILED_PULUMI_RELEASES") or RELEASES).rstrip("/")
    if not base.startswith(("https://", "http://")):
        raise EngineError(f"COILED_PULUMI_RELEASES must be an http or https address, got {echo(base)}")
    folder = locate.release_folder(environ)
    with exclusive(folder / "lock", report):
        # Another installer may have finished while we waited.
        done = locate.in_cache(environ)
        if done is not None and done.source == "download":
            return done
        cli = cli_release()
        sums = _probe(f"{base}/{cli.folder}/", cli.checksums, probe_seconds)
        if sums is None:
            report("the official release cannot be reached")
            return None
        _check_disk(folder)
        try:
            _install_cli(base, cli, sums, folder, report)
            _install_plugin(base, folder, report, probe_seconds)
        except (OSError, http.client.HTTPException, tarfile.TarError) as err:
            hint = "run the command again; a mirror is set by COILED_PULUMI_RELEASES"
            raise EngineError(f"downloading the official release failed: {err}", hint) from err
    return locate.in_cache(environ)


def cli_release() -> Release:
    """Name the CLI's archive for this machine."""
    version = versions.CLI_VERSION
    arch = "arm64" if _arch() == "arm64" else "x64"
    return Release(
        folder=f"pulumi/releases/download/v{version}",
        archive=f"pulumi-v{version}-{sys.platform}-{arch}.tar.gz",
        checksums=(f"pulumi-{version}-checksums.txt",),
    )


def plugin_release() -> Release:
    """Name the AWS plugin's archive for this machine."""
    version = versions.PLUGIN_VERSION
    return Release(
        folder=f"pulumi-aws/releases/download/v{version}",
        archive=f"pulumi-resource-aws-v{version}-{sys.platform}-{_arch()}.tar.gz",
        checksums=(f"pulumi-aws_{version}_checksums.txt", f"pulumi-aws-{version}-checksums.txt"),
    )


def _check_disk(folder: Path) -> None:
    free = toolchain.free_disk(folder)
    if free < versions.MIN_DISK_RELEASE:
        raise EngineError(
            f"the official release needs {toolchain.gigabytes(versions.MIN_DISK_RELEASE)} of free disk at "
            f"{folder}, got {toolchain.gigabytes(free)}",
            "free some, or set XDG_CACHE_HOME to a larger disk",
        )


def _install_cli(base: str, cli: Release, sums: str, folder: Path, report: Callable[[str], None]) -> None:
    unpacked = _fetch(base, cli, sums, folder / "cli.part", report)
    if not (unpacked / "pulumi" / "pulumi").is_file():
        raise EngineError(f"{cli.archive} is not a Pulumi release", "check COILED_PULUMI_RELEASES")
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (unpacked / "pulumi").rename(folder / "bin")
    shutil.rmtree(unpacked)


def _install_plugin(base: str, folder: Path, report: Callable[[str], None], probe_seconds: float) -> None:
    release = plugin_release()
    sums = _probe(f"{base}/{release.folder}/", release.checksums, probe_seconds)
    if sums is None:
        report("the AWS plugin has no checksums there; Pulumi will get the plugin itself when it is needed")
        return
    unpacked = _fetch(base, release, sums, folder / "plugin.part", report)
    target = locate.plugin_in(folder / "home").parent
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    unpacked.rename(target)


def _fetch(base: str, release: Release, sums: str, part: Path, report: Callable[[str], None]) -> Path:
    """Download one archive, verify it, and unpack it into the empty folder `part`."""
    expected = checksum_of(sums, release.archive)
    report(f"downloading {release.archive}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    archive = part.with_suffix(".tar.gz")
    digest = hashlib.sha256()
    try:
        address = f"{base}/{release.folder}/{release.archive}"
        with _open(address, READ_SECONDS) as answer, archive.open("wb") as out:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
        actual = digest.hexdigest()
        if actual != expected:
            raise EngineError(
                f"{release.archive} has the checksum {actual[:12]}..., expected {expected[:12]}...",
                "nothing was installed from it; if a proxy or mirror is in between, look there",
            )
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
    finally:
        archive.unlink(missing_ok=True)
    return part


def checksum_of(sums: str, name: str) -> str:
    """Find a file's SHA-256 in a list of `<sum>  <name>` lines.

    Raises:
        EngineError: the file is not listed.
    """
    for line in sums.splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[1].lstrip("*") in (name, f"./{name}"):
            return fields[0].lower()
    raise EngineError(f"the release has no checksum for {name}", "there may be no release for this platform")


def _probe(folder: str, names: tuple[str, ...], seconds: float) -> str | None:
    """Read the first of the small text files that is there; None where none answers in time."""
    found: list[str] = []

    def read() -> None:
        for name in names:
            try:
                with _open(folder + name, seconds) as answer:
                    found.append(answer.read(_CHUNK).decode("utf-8", "replace"))
                    return
            except (OSError, ValueError, http.client.HTTPException):
                continue

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def _open(url: str, seconds: float) -> http.client.HTTPResponse:
    return urllib.request.urlopen(url, timeout=seconds)  # noqa: S310 - `download` checks the scheme


def _arch() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
