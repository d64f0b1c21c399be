"""A `pulumi` for PATH that speaks the engine's event log and exit codes, from recorded streams.

What it is to do stands in the folder beside it:

    script.json   by operation: the stream to write, what to print, how long to stay, the exit code
    stacks.json   the outputs of stacks by name; without it `stack output` does what the script says. Secrets of
                  clusters are shown with --show-secrets alone, and a stack is gone after `stack rm`
    state.json    what is exported, an empty state without it
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
def sealed(value):
    if not isinstance(value, dict):
        return value
    # Of variables, what a cluster was started with has the names alone.
    secret = {"security", "environ"} if "config" in value else {"security"}
    return {key: "[secret]" if key in secret and part else sealed(part) for key, part in value.items()}
here = pathlib.Path(__file__).resolve().parent
arguments = sys.argv[1:]
options = dict(zip(arguments, arguments[1:]))
words = [word for word in arguments if not word.startswith("-")]
verb = next(word for word in words if word in ("stack", "preview", "up", "refresh", "destroy"))
verb = "stack " + arguments[arguments.index("stack") + 1] if verb == "stack" else verb
stacks = here / "stacks.json"
stacks = json.loads(stacks.read_text()) if stacks.exists() else {}
if verb == "stack ls":  # a look-up as the version is
    sys.exit(print(json.dumps([{"name": name} for name in stacks])))
calls = here / "calls.jsonl"
before = calls.read_text().splitlines() if calls.exists() else []
# Another look-up, but for the one after an `init` that failed.
if verb != "stack export" or (before and json.loads(before[-1])[0] == "stack init"):
    with calls.open("a") as log:
        log.write(json.dumps([verb, *arguments]) + "\\n")
if verb == "stack export":
    state = here / "state.json"
    sys.exit(print(state.read_text() if state.exists() else "{}"))
if verb == "stack output" and stacks:
    name = options["--stack"]
    if name in stacks:
        shown = stacks[name] if "--show-secrets" in arguments else sealed(stacks[name])
        sys.exit(print(json.dumps(shown)))
    sys.stderr.write(f"error: no stack named '{name}' found\\n")
    sys.exit(6)
if verb == "stack rm" and stacks.pop(options["--stack"], None) is not None:
    (here / "stacks.json").write_text(json.dumps(stacks))
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

    def has(self, outputs: dict[str, dict[str, object]], *, region: str = "") -> None:
        """Say which stacks there are, with their outputs, and in which region each of them is."""
        (self.folder / "stacks.json").write_text(json.dumps(outputs))
        provider = {"type": "pulumi:providers:aws", "inputs": {"region": region}}
        resources = [provider] if region else []
        (self.folder / "state.json").write_text(json.dumps({"deployment": {"resources": resources}}))

    def calls(self) -> list[list[str]]:
        """Give what it was called with, the verb first, without look-ups of the version, stacks and states."""
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
