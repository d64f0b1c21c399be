"""A `pulumi` for PATH that speaks the engine's event log and exit codes, from recorded streams.

What it is to do stands in the folder beside it:

    script.json   by operation: the stream to write, what to print, how long to stay, the exit code
    calls.jsonl   what it was called with, one line per call, in order
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from _support import streams

# The version is asked for before each run, and a shell starts in a tenth of the time.
_SHELL = """\
#!/bin/sh
[ "$1" = version ] && echo v3.259.0 && exit
exec {python} -IS "$(dirname "$0")/pulumi.py" "$@"
"""
_SCRIPT = """\
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).resolve().parent
arguments = sys.argv[1:]
options = dict(zip(arguments, arguments[1:]))
words = [word for word in arguments if not word.startswith("-")]
verb = next(word for word in words if word in ("stack", "preview", "up", "refresh", "destroy"))
verb = "stack " + arguments[arguments.index("stack") + 1] if verb == "stack" else verb
if verb == "stack ls":  # a look-up as the version is
    sys.exit(print("[]"))
with (here / "calls.jsonl").open("a") as log:
    log.write(json.dumps([verb, *arguments]) + "\\n")
todo = json.loads((here / "script.json").read_text()).get(verb, {})
if todo.get("wait"):
    signal.signal(signal.SIGINT, lambda *_: (here / "interrupted").open("a").write("^C\\n"))
if "stream" in todo:
    with open(options["--event-log"], "a") as log:
        log.write(pathlib.Path(todo["stream"]).read_text())
if todo.get("wait"):
    limit = time.monotonic() + 20
    while not (here / "interrupted").exists():
        if time.monotonic() > limit:
            sys.exit("nobody interrupted this")
        time.sleep(0.01)
    time.sleep(todo.get("linger", 0))
sys.stdout.write(todo.get("stdout", ""))
sys.stderr.write(todo.get("stderr", ""))
sys.exit(todo.get("code", 0))
"""


@dataclass(frozen=True)
class FakePulumi:
    """The folder with the script; it belongs at the front of PATH."""

    folder: Path

    def does(self, verb: str, *, stream: str = "", **todo: object) -> None:
        """Say what a verb is to do: `code`, `wait` for SIGINT and `linger`, `stdout`, `stderr`."""
        file = self.folder / "script.json"
        script = json.loads(file.read_text())
        script[verb] = todo | ({"stream": str(streams.path(stream))} if stream else {})
        file.write_text(json.dumps(script))

    def calls(self) -> list[list[str]]:
        """Give what it was called with, the verb first; look-ups of the version and of stacks are left out."""
        file = self.folder / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def interruptions(self) -> int:
        """Give how often it got SIGINT while it waited for one."""
        file = self.folder / "interrupted"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def verbs(self) -> list[str]:
        """Give the verbs that it was called with."""
        return [call[0] for call in self.calls()]


def write(folder: Path) -> FakePulumi:
    """Write the script into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pulumi").write_text(_SHELL.format(python=Path(sys.executable).resolve()))
    (folder / "pulumi").chmod(0o755)
    (folder / "pulumi.py").write_text(_SCRIPT)
    (folder / "script.json").write_text("{}")
    return FakePulumi(folder)
