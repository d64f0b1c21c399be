"""systemd's unit files, as far as the init of an instance knows them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: systemd's own: between restarts, and how many starts in how long are too many; all in seconds.
RESTART_SECONDS: Final = 0.1
START_BURST, START_INTERVAL = 5, 10.0
_VARIABLE: Final = re.compile(r"\$(?:\$|\{(\w+)\})")
_SPAN: Final = re.compile(r"([0-9.]+)\s*(us|ms|s|sec|min|m|h|)\s*")
_FACTORS: Final = {"us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Unit:
    """One service."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    restart: str = "no"
    restart_seconds: float = RESTART_SECONDS
    burst: int = START_BURST
    interval: float = START_INTERVAL
    stop_seconds: float = 2.0
    on_success: str = "none"
    on_failure: str = "none"

    def restarts(self, *, good: bool) -> bool:
        """Tell whether it is started again after it ended well, or not well, by itself."""
        if good:
            return self.restart in ("always", "on-success")
        return self.restart in ("always", "on-failure", "on-abnormal", "on-abort")

    def words(self, environ: Mapping[str, str]) -> list[str]:
        """Give the command with variables put in, as systemd does: `$$` is a dollar, `$A` alone becomes words."""
        found: list[str] = []
        for word in self.command:
            if re.fullmatch(r"\$\w+", word):
                found.extend(environ.get(word[1:], "").split())
            else:
                found.append(_VARIABLE.sub(lambda hit: environ.get(hit[1], "") if hit[1] else "$", word))
        return found


def read(name: str, text: str) -> Unit:
    """Read a unit file.

    Raises:
        ValueError: there is nothing to start in it.
    """
    values: dict[str, str] = {}
    environment: dict[str, str] = {}
    for key, value in _lines(text):
        if key == "Environment":
            # Each assignment may be quoted as a whole; an empty line forgets those before.
            pairs = [one.partition("=") for one in shlex.split(value)]
            environment = {**environment, **{k: v.replace("%%", "%") for k, _, v in pairs}} if value else {}
        else:
            values[key] = value
    command = shlex.split(values.get("ExecStart", "").lstrip("-@:+!"))
    if not command:
        raise ValueError(f"{name} has no ExecStart")
    return Unit(
        name,
        tuple(word.replace("%%", "%") for word in command),
        environment,
        values.get("WorkingDirectory") or "/",
        values.get("Restart", "no"),
        span(values.get("RestartSec"), RESTART_SECONDS),
        int(values.get("StartLimitBurst") or START_BURST),
        span(values.get("StartLimitIntervalSec"), START_INTERVAL),
        min(span(values.get("TimeoutStopSec"), 2.0), 2.0),
        values.get("SuccessAction", "none"),
        values.get("FailureAction", "none"),
    )


def span(text: str | None, default: float) -> float:
    """Read a time span as systemd writes them: a number of seconds, or numbers with units."""
    if not text:
        return default
    if text == "infinity":
        return float("inf")
    pieces = _SPAN.findall(text)
    return sum(float(number) * _FACTORS[unit] for number, unit in pieces) if pieces else default


def place(root: Path, name: str) -> Path | None:
    """Find a unit's file; what the machine's owner wrote wins over what came with the system."""
    folders = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system")
    return next((file for folder in folders if (file := root / folder / name).is_file()), None)


def full_name(name: str) -> str:
    """Write a unit's name with its kind, as `systemctl` completes it."""
    return name if "." in name else f"{name}.service"


def _lines(text: str) -> list[tuple[str, str]]:
    """Give keys and values of all sections; a line that ends with a backslash goes on."""
    found = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        line = line.strip()
        if line and line[0] not in "#;[" and "=" in line:
            key, _, value = line.partition("=")
            found.append((key.strip(), value.strip()))
    return found
