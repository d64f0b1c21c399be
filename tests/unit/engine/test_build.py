from __future__ import annotations

import os
from pathlib import Path

import pytest

from coiled_pulumi.engine import build, locate, versions
from coiled_pulumi.engine.gorun import Go
from coiled_pulumi.engine.install import install
from coiled_pulumi.errors import EngineError

#: A `go` that builds shell scripts; `FAIL` in its environment names the step that fails and how.
FAKE_GO = r"""
echo "$@" >> "$HOME/calls"
step="$1"; [ "$1" = mod ] && step="$1 $2"
if [ "$step" = "$FAIL" ]; then printf '%s\n\nFor more, see go help\n' "$MESSAGE" >&2; exit 1; fi
case "$step" in
env) echo go1.26.8 ;;
list) echo one; echo two ;;
"mod download") echo '{"Dir": "'"$SOURCE"'"}' ;;
build)
    echo "example.com/one" >&2
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\necho v3.259.0\n' > "$2"; chmod +x "$2" ;;
esac
"""


@pytest.fixture
def environ(world) -> dict[str, str]:
    """A machine with a fake Go and a module cache that holds a provider of one service."""
    world.on_path("go", FAKE_GO)
    source = world.root / "module"
    lines = [f'import "{versions.PROVIDER_MODULE}/internal/{name}"\n' for name in ("conns", "provider/sdkv2")]
    files = {
        "xpprovider/provider.go": "".join(lines),
        "internal/provider/sdkv2/service_packages_gen.go": "package sdkv2\n",
        "internal/conns/awsclient_gen.go": "package conns\n",
    }
    for name, text in files.items():
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text(text)
    Path(world.environ["HOME"]).mkdir()
    return world.environ | {"SOURCE": str(source), "FAIL": "", "MESSAGE": ""}


def calls(environ: dict[str, str]) -> list[str]:
    return (Path(environ["HOME"]) / "calls").read_text().splitlines()


def no_report(_: str) -> None:
    pass


def test_build_gives_a_complete_engine_and_leaves_no_work(environ: dict[str, str]) -> None:
    reports: list[str] = []
    built = build.build(reports.append, environ)
    folder = locate.build_folder(environ)
    assert built == locate.find(environ)
    assert built.source == "build"
    assert sorted(entry.name for entry in folder.iterdir()) == ["bin", "build.log", "home", "lock"]
    assert reports == [
        "Pulumi CLI: fetching modules",
        "Pulumi CLI: building, about 5 min on 2 cores, less where Go has parts of it cached",
        "AWS provider: fetching the source",
        "AWS plugin: narrowed to 3 packages of the provider",
        "AWS plugin: fetching modules",
        "AWS plugin: building, about 6 min on 2 cores, less where Go has parts of it cached",
    ]


def test_replace_is_pointed_at_the_narrowed_copy_after_the_download(environ: dict[str, str]) -> None:
    build.build(no_report, environ)
    module = versions.PROVIDER_MODULE
    after_cli = calls(environ)[-4:]
    assert after_cli[0] == f"mod download -json {module}"
    assert after_cli[1] == f"mod edit -replace={module}=../narrowed"
    assert after_cli[3].startswith(f"build -v -ldflags -s -w -X main.Version={versions.PLUGIN_VERSION} -o ")


def test_second_build_runs_no_compiler(environ: dict[str, str]) -> None:
    first = build.build(no_report, environ)
    (Path(environ["HOME"]) / "calls").unlink()
    assert build.build(no_report, environ) == first
    assert calls(environ) == ["env GOVERSION"]


def test_stopped_build_goes_on_with_what_is_missing(environ: dict[str, str]) -> None:
    with pytest.raises(EngineError):
        build.build(no_report, environ | {"FAIL": "mod download", "MESSAGE": "x"})
    assert (locate.build_folder(environ) / "bin" / "pulumi").is_file()
    (Path(environ["HOME"]) / "calls").unlink()
    build.build(no_report, environ)
    assert not [call for call in calls(environ) if versions.CLI_PACKAGE in call]


@pytest.mark.parametrize(
    ("step", "message", "what", "hint"),
    [
        (
            "build",
            "main.go:3: undefined: x",
            "Pulumi CLI: building failed, see {log}",
            "the last lines there say why; finished parts are kept, run it again",
        ),
        (
            "build",
            "example.com/m: /usr/lib/go/link: signal: killed",
            "Pulumi CLI: building failed, see {log}",
            "the compiler was killed, most likely for want of memory; finished parts are kept",
        ),
        (
            "list",
            "go: example.com/m@v1.0.0: Get: dial tcp: lookup example.com: no such host",
            "Pulumi CLI: fetching modules failed, see {log}",
            "the module proxy cannot be reached: check `go env GOPROXY`",
        ),
        (
            "mod download",
            "verifying module: checksum mismatch\nSECURITY ERROR",
            "AWS provider: fetching the source failed, see {log}",
            "the module proxy gave other content than the one that was recorded: do not use it",
        ),
    ],
)
def test_failure_is_one_line_with_the_log(
    environ: dict[str, str], step: str, message: str, what: str, hint: str
) -> None:
    with pytest.raises(EngineError) as caught:
        build.build(no_report, environ | {"FAIL": step, "MESSAGE": message})
    log = locate.build_folder(environ) / "build.log"
    assert (caught.value.what, caught.value.hint) == (what.format(log=log), hint)
    assert message in log.read_text()


def test_long_step_reports_how_far_it_is(world) -> None:
    world.on_path("go", 'echo "go: downloading a v1" >&2; echo example.com/one >&2; read x < "$HOME/fifo"')
    os.mkdir(world.environ["HOME"])
    os.mkfifo(world.root / "home" / "fifo")
    seen: list[str] = []

    def report(text: str) -> None:
        # The first tick lets the fake compiler end.
        if not seen:
            (world.root / "home" / "fifo").write_text("go on\n")
        seen.append(text)

    go = Go(world.root / "log", world.environ, report, tick=0.05)
    go.run("part: building", ["build"], cwd=world.root, total=7)
    assert seen[0] == "part: building: 0 min 00 s, 1 modules downloaded, 1 of at most 7 packages compiled"


def test_install_takes_path_then_cache_then_download_then_build(world, environ: dict[str, str]) -> None:
    environ["COILED_PULUMI_RELEASES"] = "http://127.0.0.1:9"
    reports: list[str] = []
    built = install(report=reports.append, environ=environ)
    assert built.source == "build"
    assert reports[0] == "the official release cannot be reached"
    world.engine(locate.release_folder(environ))
    assert install(report=_never, environ=environ).source == "download"
    world.on_path("pulumi", "echo v3.300.0")
    assert install(report=_never, environ=environ).source == "path"


def test_install_does_not_download_when_told_not_to(environ: dict[str, str]) -> None:
    environ["COILED_PULUMI_RELEASES"] = "http://127.0.0.1:9"
    reports: list[str] = []
    assert install(report=reports.append, allow_download=False, environ=environ).source == "build"
    assert reports[0] == "Pulumi CLI: fetching modules"


def test_install_with_nothing_allowed_says_what_is_missing(environ: dict[str, str]) -> None:
    with pytest.raises(EngineError) as caught:
        install(report=_never, allow_download=False, allow_build=False, environ=environ)
    assert str(caught.value) == (
        "there is no Pulumi 3.259.0 or newer on PATH or in the cache\n"
        "hint: install Pulumi, or run `coiled-pulumi engine install`"
    )


def _never(text: str) -> None:
    raise AssertionError(f"unexpected report: {text}")
