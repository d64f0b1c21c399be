from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from coiled_pulumi.engine import doctor, locate
from coiled_pulumi.engine.doctor import Finding

GB = 1_000_000_000


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_machine_without_engine(world) -> None:
    found = by_name(doctor.examine(world.environ))
    hint = "coiled-pulumi engine install"
    assert found["pulumi"] == Finding("pulumi", "error", "not on PATH and not in the cache", hint)
    assert found["aws plugin"].state == "error"
    assert found["language host"].state == "error"
    assert found["backend"].state == "warn"
    assert found["passphrase"].state == "warn"


def test_names_are_unique_and_only_ok_has_no_hint(world) -> None:
    findings = doctor.examine(world.environ)
    assert len(by_name(findings)) == len(findings)
    assert [finding for finding in findings if (finding.state == "ok") == bool(finding.hint)] == []


def test_machine_with_a_built_engine(world) -> None:
    folder = locate.build_folder(world.environ)
    world.engine(folder)
    found = by_name(doctor.examine(world.environ))
    assert found["pulumi"] == Finding("pulumi", "ok", f"3.259.0, our build: {folder}/bin/pulumi")
    assert found["aws plugin"].state == "ok"
    assert found["language host"] == Finding("language host", "ok", f"{folder}/bin/pulumi-language-python")
    assert found["go"].state == "ok"


def test_old_pulumi_on_path_is_named(world) -> None:
    old = world.on_path("pulumi", "echo v3.1.0")
    assert by_name(doctor.examine(world.environ))["pulumi"] == Finding(
        "pulumi", "error", f"need 3.259.0 or newer 3.x, got 3.1.0: {old}", "coiled-pulumi engine install"
    )


def test_path_engine_without_plugin_says_how_to_get_it(world) -> None:
    world.on_path("pulumi", "echo v3.259.0")
    found = by_name(doctor.examine(world.environ))
    assert found["aws plugin"].hint == "pulumi plugin install resource aws 7.21.0"
    assert found["language host"].state == "error"


@pytest.mark.parametrize(
    ("body", "needed", "state"),
    [("echo go1.26.8", True, "ok"), ("echo go1.20", True, "warn"), ("echo go1.20", False, "ok")],
)
def test_go_matters_only_where_there_is_no_engine(world, body: str, needed: bool, state: str) -> None:  # noqa: FBT001
    world.on_path("go", body)
    assert doctor.go(world.environ, needed=needed).state == state


@pytest.mark.parametrize(
    ("total", "needed", "state"),
    [
        (8_000_000_000, True, "ok"),
        (2_000_000_000, True, "warn"),
        (2_000_000_000, False, "ok"),
        (None, True, "ok"),
    ],
)
def test_memory(total: int | None, needed: bool, state: str) -> None:  # noqa: FBT001
    assert doctor.memory(total, needed=needed).state == state


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("s3://bucket?endpoint=127.0.0.1:1&awssecret=x", "s3://bucket"),
        ("postgres://me:secret@db/state", "postgres://***@db/state"),
        ("file://~", "file://~"),
    ],
)
def test_backend_shows_no_secret(url: str, text: str) -> None:
    assert doctor.backend({"PULUMI_BACKEND_URL": url}) == Finding("backend", "ok", text)


def test_passphrase_is_never_shown(world) -> None:
    assert doctor.passphrase({"PULUMI_CONFIG_PASSPHRASE": "secret"}) == Finding("passphrase", "ok", "set")
    file = str(world.root / "no such file")
    assert doctor.passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": file}) == Finding(
        "passphrase", "error", f"cannot read {file}", "fix PULUMI_CONFIG_PASSPHRASE_FILE"
    )


def test_local_aws_that_is_gone_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert doctor.endpoint({"AWS_ENDPOINT_URL": url}).state == "ok"
    assert doctor.endpoint({"AWS_ENDPOINT_URL": url}) == Finding(
        "local aws",
        "error",
        "AWS_ENDPOINT_URL is set, but nothing answers at 127.0.0.1",
        "coiled-pulumi local up, or unset AWS_ENDPOINT_URL",
    )


def test_endpoint_elsewhere_is_never_dialled() -> None:
    assert doctor.endpoint({"AWS_ENDPOINT_URL": "http://192.0.2.1:1"}) == Finding(
        "local aws", "warn", "AWS_ENDPOINT_URL is 192.0.2.1, not this machine", "unset AWS_ENDPOINT_URL"
    )


def test_looking_and_installing_import_nothing_heavy() -> None:
    code = (
        "import sys, coiled_pulumi.engine.doctor, coiled_pulumi.engine.install\n"
        "print(sorted({'pulumi', 'pulumi_aws', 'grpc', 'boto3', 'moto', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
