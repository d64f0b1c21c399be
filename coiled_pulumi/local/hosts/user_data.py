"""What cloud-init does with user data at the first boot, as far as ours needs it: files, then commands.

A process of its own, so that the init that stays never loads a YAML parser. It becomes the shell that runs the
commands, as all of them are one script on AWS too.
https://docs.cloud-init.io/en/latest/reference/modules.html#write-files
https://docs.cloud-init.io/en/latest/reference/modules.html#runcmd
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any, Final

#: What a machine runs at its first boot.
HEADS: Final = ("#cloud-config", "#!")
#: Where there is no file system of the instance's own: absolute paths of these folders mean those below its root.
_OURS: Final = re.compile(r"(?<![\w./$}-])/(?=(?:opt|etc|run|var/lib)/(?:coiled-pulumi|systemd)\b)")


def boots(text: str) -> bool:
    """Tell whether user data starts something; other user data is only there to be read."""
    return text.startswith(HEADS)


def run(text: str, *, folder: Path, root: Path) -> None:
    """Write the files and become the script; only returns when there is none.

    Args:
        text: the user data.
        folder: of the instance, for the script.
        root: of the instance's file system.
    """
    script = text if text.startswith("#!") else _prepared(text, root=root)
    if not script:
        return
    if root != Path("/"):
        script = _OURS.sub(f"{root}/", script)
    file = folder / "user-data.sh"
    file.write_text(script, encoding="utf-8")
    file.chmod(0o700)
    os.execvpe(str(file), [str(file)], os.environ)  # noqa: S606 it is a script of its own


def _prepared(text: str, *, root: Path) -> str:
    """Write the files of a cloud-config; give its commands as a script."""
    import yaml

    config = yaml.safe_load(text) or {}
    for one in config.get("write_files") or []:
        write(one, root=root)
    known = {"write_files", "runcmd"}
    if unknown := sorted(config.keys() - known):
        say(f"left out, the local AWS does not know it: {', '.join(unknown)}")
    return shell(config.get("runcmd") or [])


def write(one: dict[str, Any], *, root: Path) -> None:
    """Write one file of `write_files`."""
    path = root / str(one["path"]).lstrip("/")
    content: str | bytes = one.get("content") or ""
    encoding = str(one.get("encoding") or "").lower()
    if encoding in ("b64", "base64"):
        content = base64.b64decode(content)
    elif encoding not in ("", "text/plain"):
        say(f"{path}: the local AWS does not know the encoding {encoding}")
        return
    data = content.encode() if isinstance(content, str) else content
    mode = one.get("permissions", "0644")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(
        path, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if one.get("append") else os.O_TRUNC), 0o600
    )
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode if isinstance(mode, int) else int(str(mode), 8))


def shell(commands: list[Any]) -> str:
    """Make the script of `runcmd`: a string is a line of it, a list one command with its words as they are."""
    lines = [shlex.join(map(str, one)) if isinstance(one, list) else str(one) for one in commands]
    return "\n".join(["#!/bin/sh", *lines, ""]) if lines else ""


def say(what: str) -> None:
    """Write a line to the console."""
    print(f"cloud-init: {what}", file=sys.stderr, flush=True)


def main() -> None:
    """Run the user data of one instance: FOLDER ROOT; the text comes from standard input."""
    folder, root = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        text = sys.stdin.read()
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
        run(text, folder=folder, root=root)
    except Exception as error:
        # cloud-init goes on without, and so does a machine.
        say(f"user data failed: {type(error).__name__}: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
