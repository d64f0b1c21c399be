"""doctor, engine and local, where nothing runs and nothing is installed."""

import pytest

from coiled_pulumi.local import environment


def test_doctor_as_json(cli, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = cli("doctor", "--json")

    assert (done.code, done.err) == (1, "")
    assert {frozenset(finding) for finding in done.data} == {frozenset({"name", "state", "text", "hint"})}
    assert {finding["state"] for finding in done.data} <= {"ok", "warn", "error"}
    assert [finding for finding in done.data if finding["name"] == "pulumi"] == [
        {
            "name": "pulumi",
            "state": "error",
            "text": "not on PATH and not in the cache",
            "hint": "coiled-pulumi engine install",
        }
    ]


def test_doctor_finds_what_is_on_path(cli, pulumi):
    lines = cli("doctor").out.splitlines()
    about = next(line for line in lines if " pulumi " in line and "package" not in line)

    assert about.split(None, 2)[:2] == ["ok", "pulumi"]
    assert f"3.259.0, on PATH: {pulumi.folder}/pulumi" in about


def test_engine_install_finds_what_is_on_path(cli, pulumi):
    done = cli("engine", "install", "--no-download", "--no-build")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"pulumi 3.259.0 (path): {pulumi.folder}/pulumi\n"

    data = cli("engine", "install", "--json").data
    assert (data["version"], data["pulumi"]) == ("3.259.0", f"{pulumi.folder}/pulumi")


def test_engine_install_with_nothing_allowed(cli, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = cli("engine", "install", "--no-download", "--no-build")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: there is no Pulumi ")


def test_local_where_nothing_runs(cli):
    assert cli("local", "status").out == "local AWS: stopped\n"
    status = cli("local", "status", "--json").data
    assert status == {
        "version": 1,
        "state": "stopped",
        "port": 0,
        "pid": 0,
        "uptime": 0.0,
        "resources": {},
        "calls": 0,
        "hosts": {},
    }
    assert cli("local", "down").out == "no local AWS was running\n"
    assert cli("local", "down", "--json").data == {"version": 1, "stopped": False}


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_local_env_where_nothing_runs(cli, flags):
    done = cli("local", "env", *flags)

    assert done.code == 2
    assert done.err == "error: the local AWS is not running\nhint: coiled-pulumi local up\n"
    assert done.out == "" if not flags else done.data["error"]["hint"] == "coiled-pulumi local up"


def test_local_env_is_what_a_shell_evaluates():
    """Its text is that of `environment.exports`, which has tests of its own; here only that it is quoted."""
    assert environment.exports({"A": "it's"}).splitlines()[0] == "export A='it'\"'\"'s'"
