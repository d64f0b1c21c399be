"""Dask as bare processes on this machine, over TLS: what a cluster of ours can at best be as fast as."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coiled_pulumi import certificates

if TYPE_CHECKING:
    from distributed.security import Security

_HOST: Final = "127.0.0.1"
#: prctl(2): the kernel sends this signal to the child when the thread ends that started it.
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.PyDLL(None)


class BareDask:
    """A scheduler and workers, each a `dask scheduler` or a `dask worker` with its nanny, as ours have one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        authority = certificates.authority("bench", "bare")
        (folder / "ca.pem").write_text(authority.cert)
        for role in certificates.ROLES:
            pair = certificates.leaf(authority, role, "bench", "bare")
            (folder / f"{role}.pem").write_text(pair.cert)
            (folder / f"{role}.key").write_text(pair.key)
        with socket.create_server((_HOST, 0)) as server:
            self.address = f"tls://{_HOST}:{server.getsockname()[1]}"

    @property
    def security(self) -> Security:
        """Give what a client shows."""
        from distributed.security import Security

        return Security(
            require_encryption=True,
            tls_ca_file=str(self._folder / "ca.pem"),
            tls_client_cert=str(self._folder / "client.pem"),
            tls_client_key=str(self._folder / "client.key"),
        )

    def scheduler(self) -> None:
        """Start the scheduler; it has its dashboard, as ours has."""
        port = self.address.rpartition(":")[2]
        self._start("scheduler", "--host", _HOST, "--port", port, "--dashboard-address", f"{_HOST}:0")

    def workers(self, count: int) -> None:
        """Start workers at once, whether the scheduler listens or not; they have no web server, as ours have none."""
        more = ["--host", _HOST, "--nthreads", "2", "--no-dashboard"]
        for _ in range(count):
            self._start("worker", self.address, *more, "--local-directory", str(self._folder / "scratch"))

    def end(self) -> None:
        """End everything at once; a worker's process is in its nanny's group."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes:
            process.wait()

    def _start(self, role: str, *words: str) -> None:
        tls = ["--tls-ca-file", "ca.pem", "--tls-cert", f"{role}.pem", "--tls-key", f"{role}.key"]
        with (self._folder / "log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(  # the function calls the kernel once and nothing else
                    [sys.executable, "-m", "dask", role, *words, *tls],
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
                )
            )


@contextlib.contextmanager
def bare_dask() -> Iterator[BareDask]:
    """Give what starts bare processes, and end them after the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        dask = BareDask(Path(name))
        try:
            yield dask
        finally:
            dask.end()
