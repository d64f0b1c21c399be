"""Run Go: everything it says goes to a log, what we say is progress or one line with the log's path."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from coiled_pulumi.errors import EngineError

#: How often a long step says how far it is, seconds.
_TICK = 20.0
#: How many of the last lines decide about the hint of a failure.
_TAIL = 20


@dataclass(slots=True)
class _Seen:
    """What a running `go` has said so far."""

    packages: int = 0
    modules: int = 0
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))


@dataclass(frozen=True, slots=True)
class Go:
    """The go command with one environment and one log.

    Attributes:
        log: file to which the output of every step is appended.
        environ: the whole environment of the command.
        report: gets one line of progress at a time.
        tick: seconds between two lines of progress.
    """

    log: Path
    environ: dict[str, str]
    report: Callable[[str], None]
    tick: float = _TICK

    def build(self, what: str, package: str, *, cwd: Path, target: Path, ldflags: str, minutes: int) -> None:
        """Build one main package to `target`, which is there only when it is whole.

        Raises:
            EngineError: modules cannot be had, or the compiler failed.
        """
        self.report(f"{what}: fetching modules")
        listed = self.run(f"{what}: fetching modules", ["list", "-deps", package], cwd=cwd)
        total = len(listed.splitlines())
        self.report(f"{what}: building, about {minutes} min on 2 cores, less where Go has parts of it cached")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        self.run(
            f"{what}: building", ["build", "-v", "-ldflags", ldflags, "-o", str(part), package],
            cwd=cwd, total=total,
        )  # fmt: skip
        part.replace(target)

    def download(self, what: str, module: str, *, cwd: Path) -> Path:
        """Download one module of the build, verified against go.sum; return its folder in the module cache.

        Raises:
            EngineError: it cannot be had, or its checksum is wrong.
        """
        self.report(f"{what}: fetching the source")
        answer = self.run(f"{what}: fetching the source", ["mod", "download", "-json", module], cwd=cwd)
        return Path(json.loads(answer)["Dir"])

    def edit(self, change: str, *, cwd: Path) -> None:
        """Change the go.mod in `cwd` by one `go mod edit` flag."""
        self.run("go mod edit", ["mod", "edit", change], cwd=cwd)

    def run(self, what: str, arguments: list[str], *, cwd: Path, total: int = 0) -> str:
        """Run one go command and return its stdout; `total` is how many packages it compiles at most.

        Raises:
            EngineError: there is no go, or it failed; names the log.
        """
        go = shutil.which("go", path=self.environ.get("PATH", ""))
        if go is None:
            raise EngineError("there is no go on PATH", "install Go")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with (
            self.log.open("a", encoding="utf-8") as log,
            subprocess.Popen(
                [go, *arguments], cwd=cwd, env=self.environ, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            ) as process,
        ):  # fmt: skip
            log.write(f"$ go {' '.join(arguments)}\n")
            try:
                output, seen = self._follow(process, log, what, total, started)
            except BaseException:
                # Ctrl-C: a compiler that goes on would hold the processors, and we would wait for it.
                process.kill()
                raise
            if process.wait() != 0:
                # With -json Go says what went wrong on stdout.
                log.write(output)
                raise EngineError(f"{what} failed, see {self.log}", _hint("\n".join(seen.tail) + output))
        return output

    def _follow(
        self, process: subprocess.Popen[str], log: IO[str], what: str, total: int, started: float
    ) -> tuple[str, _Seen]:
        """Read both pipes to their ends, reporting while it lasts; return stdout and what was seen."""
        output: list[str] = []
        seen = _Seen()

        def read_errors() -> None:
            for line in process.stderr or ():
                log.write(line)
                seen.modules += line.startswith("go: downloading")
                # With -v Go names each package that it compiles; everything else has blanks in it.
                said = line.strip()
                seen.packages += bool(said) and " " not in said
                seen.tail.append(said)

        readers = [
            threading.Thread(target=read_errors, daemon=True),
            threading.Thread(target=lambda: output.extend(process.stdout or ()), daemon=True),
        ]
        for reader in readers:
            reader.start()
        while readers[0].is_alive():
            readers[0].join(self.tick)
            if readers[0].is_alive():
                self.report(_progress(what, seen, total, time.monotonic() - started))
        readers[1].join()
        process.wait()
        return "".join(output), seen


def _progress(what: str, seen: _Seen, total: int, seconds: float) -> str:
    parts = [f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"]
    if seen.modules:
        parts.append(f"{seen.modules} modules downloaded")
    if total and seen.packages:
        parts.append(f"{seen.packages} of at most {total} packages compiled")
    return f"{what}: {', '.join(parts)}"


def _hint(said: str) -> str:
    """Make a hint from the last lines that Go said."""
    if "SECURITY ERROR" in said or "checksum mismatch" in said:
        return "the module proxy gave other content than the one that was recorded: do not use it"
    if "signal: killed" in said:
        return "the compiler was killed, most likely for want of memory; finished parts are kept"
    if any(words in said for words in ("dial tcp", "no such host", "Forbidden", "connection refused")):
        return "the module proxy cannot be reached: check `go env GOPROXY`"
    return "the last lines there say why; finished parts are kept, run it again"
