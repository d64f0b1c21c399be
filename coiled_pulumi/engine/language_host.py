"""Stand-in for `pulumi-language-python`: runs Python programs and policy packs for an engine that we built.

The official host comes with Pulumi's release only, and always wins where it is on PATH. This one runs
everything with the Python that it runs in itself: it makes no virtual environments and installs nothing.

Called by the engine as `pulumi-language-python ENGINE_ADDRESS`; the first line on stdout is the port of the
gRPC service, everything after it is shown to the user.
"""

from __future__ import annotations

import json
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from coiled_pulumi.engine import program, versions

#: The engine's own limit for one message, bytes.
_MAX_MESSAGE = 400 * 1024 * 1024
#: Calls that block for as long as a program or policy pack runs each hold one thread.
_THREADS = 32
#: How often we look whether the engine is still there, seconds.
_WATCH_SECONDS = 0.5


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The service; calls that are not here answer UNIMPLEMENTED, which the engine takes for a no."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._children: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def Handshake(self, request, context):  # noqa: ARG002, N802, D102
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetRequiredPackages(self, request, context):  # noqa: ARG002, N802
        """Name no plugins: each is found when its first resource is registered."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request, context):  # noqa: ARG002, N802, D102
        return language_pb2.GetRequiredPluginsResponse()

    def GetProgramDependencies(self, request, context):  # noqa: ARG002, N802, D102
        return language_pb2.GetProgramDependenciesResponse()

    def GetPluginInfo(self, request, context):  # noqa: ARG002, N802, D102
        return plugin_pb2.PluginInfo(version=versions.CLI_VERSION)

    def About(self, request, context):  # noqa: ARG002, N802, D102
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def InstallDependencies(self, request, context):  # noqa: ARG002, N802
        """Install nothing and stream nothing."""
        return iter(())

    def Run(self, request, context):  # noqa: N802
        """Run a program to its end; `bail` says that it has shown its error itself."""
        python = [sys.executable, "-u", "-P", "-m", program.__name__]
        child = subprocess.Popen(
            [*python, *program_arguments(request, self._engine)],
            cwd=request.pwd or None,
            env=program_environment(request),
        )
        self._adopt(child, context)
        code = child.wait()
        self._children.discard(child)
        if code == 0:
            return language_pb2.RunResponse()
        if code == program.ALREADY_SHOWN or self._stopped:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"the program ended with exit code {code}")

    def RunPlugin(self, request, context):  # noqa: N802
        """Run a policy pack and stream what it says; its first line is the port that the engine waits for."""
        if request.kind != "analyzer":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"cannot run a plugin of kind {request.kind!r}")
        child = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", *request.args, request.info.program_directory],
            cwd=request.pwd or None,
            env=dict(entry.split("=", 1) for entry in request.env if "=" in entry),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._adopt(child, context)
        for name, line in _lines(child):
            yield language_pb2.RunPluginResponse(**{name: line})
        self._children.discard(child)
        yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def Cancel(self, request, context):  # noqa: ARG002, N802
        """Stop what runs."""
        self.stop()
        return empty_pb2.Empty()

    def stop(self) -> None:
        """End the programs that were started here; idempotent."""
        self._stopped = True
        for child in list(self._children):
            child.terminate()

    def _adopt(self, child: subprocess.Popen[bytes], context: grpc.ServicerContext) -> None:
        self._children.add(child)
        # The engine drops the call when it no longer wants the program. False: the call is over already.
        if not context.add_callback(child.terminate):
            child.terminate()


def program_arguments(request: language_pb2.RunRequest, engine: str) -> list[str]:
    """Make the arguments of `coiled_pulumi.engine.program` for one Run request."""
    settings = {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "stack": request.stack,
        "parallel": request.parallel,
        "dry_run": request.dryRun,
        "organization": request.organization,
        "root_directory": request.info.root_directory,
    }
    entry = request.info.entry_point or request.program or "."
    return [json.dumps(settings), entry, *request.args]


def program_environment(request: language_pb2.RunRequest) -> dict[str, str]:
    """Make the environment of a program: ours, and the stack's config the way that the SDK reads it."""
    return {
        **os.environ,
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }


def serve(engine: str) -> int:
    """Serve until a signal comes or the engine is gone; return the exit code."""
    gone = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: gone.set())
    limits = [(f"grpc.max_{way}_message_length", _MAX_MESSAGE) for way in ("receive", "send")]
    server = grpc.server(ThreadPoolExecutor(max_workers=_THREADS), options=limits)
    host = LanguageHost(engine)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    parent = os.getppid()
    print(port, flush=True)
    # An engine that was killed closes nothing that we could wait for, but it stops being our parent.
    while os.getppid() == parent and not gone.wait(_WATCH_SECONDS):
        pass
    host.stop()
    server.stop(grace=None)
    return 0


def _lines(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Merge both pipes of a child, line by line as they come, until both are closed."""
    merged: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()

    def pump(name: str, pipe: IO[bytes]) -> None:
        for line in pipe:
            merged.put((name, line))
        merged.put((name, b""))

    for name, pipe in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=pump, args=(name, pipe), daemon=True).start()
    open_pipes = 2
    while open_pipes:
        name, line = merged.get()
        if line:
            yield name, line
        else:
            open_pipes -= 1


def main(arguments: list[str]) -> int:
    """Run the host; flags for logging and tracing, which the engine may add, are ignored."""
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    return serve(addresses[0] if addresses else "")


if __name__ == "__main__":
    # Not `sys.exit`: it would wait for threads that are blocked in a call of an engine that is gone.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
