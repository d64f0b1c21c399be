from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from coiled_pulumi.engine import language_host, program, versions


def test_host_serves_and_leaves_quietly_on_interrupt(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "coiled_pulumi.engine.language_host", "127.0.0.1:1", "-v=9"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as host:  # fmt: skip
        assert host.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{int(host.stdout.readline())}") as channel:
            stub = language_pb2_grpc.LanguageRuntimeStub(channel)
            stub.Handshake(language_pb2.LanguageHandshakeRequest(engine_address="127.0.0.1:2"))
            assert stub.GetPluginInfo(empty_pb2.Empty()).version == versions.CLI_VERSION
            assert stub.About(language_pb2.AboutRequest()).executable == sys.executable
            assert not stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest()).packages
            assert not stub.GetProgramDependencies(language_pb2.GetProgramDependenciesRequest()).dependencies
            assert list(stub.InstallDependencies(language_pb2.InstallDependenciesRequest())) == []
            with pytest.raises(grpc.RpcError) as caught:
                list(stub.RunPlugin(language_pb2.RunPluginRequest(kind="resource")))
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        host.send_signal(signal.SIGINT)
        assert host.communicate(timeout=10) == ("", "")
        assert host.returncode == 0


def test_settings_and_config_of_a_run_reach_the_program() -> None:
    request = language_pb2.RunRequest(
        project="p", stack="dev", pwd="/x", args=["one"], dryRun=True, parallel=8,
        monitor_address="127.0.0.1:3", organization="organization",
        config={"p:key": "value"}, configSecretKeys=["p:key"],
        info=language_pb2.ProgramInfo(root_directory="/x", program_directory="/x/stacks", entry_point="."),
    )  # fmt: skip
    settings, *rest = language_host.program_arguments(request, "127.0.0.1:2")
    assert rest == [".", "one"]
    assert json.loads(settings) == {
        "monitor": "127.0.0.1:3",
        "engine": "127.0.0.1:2",
        "project": "p",
        "stack": "dev",
        "parallel": 8,
        "dry_run": True,
        "organization": "organization",
        "root_directory": "/x",
    }
    environ = language_host.program_environment(request)
    assert json.loads(environ["PULUMI_CONFIG"]) == {"p:key": "value"}
    assert json.loads(environ["PULUMI_CONFIG_SECRET_KEYS"]) == ["p:key"]


def test_traceback_starts_at_the_users_program(tmp_path: Path) -> None:
    main = tmp_path / "__main__.py"
    code = compile("def deep():\n    return {}['x']\ndeep()\n", str(main), "exec")
    with pytest.raises(KeyError) as caught:
        exec(code, {})  # noqa: S102 - stands for runpy
    text = program.user_traceback(caught.value, str(tmp_path))
    assert text.startswith(f'Traceback (most recent call last):\n  File "{main}", line 3, in <module>\n')
    assert text.endswith("KeyError: 'x'\n")
    assert text.count("  File ") == 2


def test_traceback_from_elsewhere_is_whole(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x") as caught:
        int("x")
    assert "test_traceback_from_elsewhere_is_whole" in program.user_traceback(caught.value, str(tmp_path))
