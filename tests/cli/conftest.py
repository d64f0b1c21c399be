"""The command line in this process, in folders of its own, with a `pulumi` that tells recorded events."""

import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import pytest
from _support import fake_pulumi
from _support.updating import ROOT

from coiled_pulumi.cli import app

SOLO = """\
name: solo
network: {cidr: 10.50.0.0/16, zones: [us-east-1a]}
ingress: [{ports: [8786], cidr: me}]
clusters:
  one: {n_workers: 1}
"""


@dataclass(frozen=True)
class Done:
    """What a command wrote and how it ended."""

    code: int
    out: str
    err: str

    @property
    def data(self):
        """What it wrote to stdout, which must be one JSON document."""
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to stand in."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def cli(capsys):
    """Run the command line in this process; stdin, stdout and stderr are no terminals."""

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = app.run(arguments)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def project(folder) -> Path:
    """The Pulumi project of the repository."""
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def solo(folder) -> Path:
    """A bare workspace file in the folder."""
    file = folder / "solo.yaml"
    file.write_text(SOLO)
    return file


@pytest.fixture
def pulumi(tmp_path, monkeypatch) -> fake_pulumi.FakePulumi:
    """A `pulumi` on PATH, and a place for its state."""
    fake = fake_pulumi.write(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///nowhere")
    # There is no AWS here to ask.
    monkeypatch.setenv("COILED_PULUMI_NO_PREFLIGHT", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return fake


class Terminal:
    """The command line as a process whose stdin and stderr are a terminal, and whose stdout is a pipe."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.child = subprocess.Popen(
            [sys.executable, "-m", "coiled_pulumi", *arguments],
            stdin=slave,
            stderr=slave,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Its controlling terminal, so that a typed Ctrl-C is a signal to its group.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.shown = ""

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and type an answer."""
        self._read(until=question)
        os.write(self._master, text.encode())

    def interrupt(self, question: str) -> None:
        """Wait for a question and press Ctrl-C until the program ends.

        Once can be too few: a signal that comes after Python's last look at it, and before the system call that waits
        for a line, is only seen after that line. A person would press again.
        """
        self._read(until=question)
        for _ in range(10):
            os.write(self._master, b"\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(1)
                return

    def type(self, text: str) -> None:
        """Type without being asked."""
        os.write(self._master, text.encode())

    def done(self) -> Done:
        """Wait for the end."""
        self._read()
        out, _ = self.child.communicate(timeout=30)
        os.close(self._master)
        return Done(self.child.returncode, out, self.shown.replace("\r\n", "\n"))

    def _read(self, until: str = "\0") -> None:
        while until not in self.shown:
            assert select.select([self._master], [], [], 15)[0], f"no {until!r} in {self.shown!r}"
            try:
                self.shown += os.read(self._master, 4096).decode()
            except OSError:  # Linux's way to say that the other side is closed
                break


@pytest.fixture
def terminal():
    """Start the command line on a terminal."""
    started = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(*arguments))
        return started[-1]

    yield start
    for one in started:
        if one.child.poll() is None:
            one.child.kill()
            one.child.communicate()
