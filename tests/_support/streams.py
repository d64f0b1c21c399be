"""Event logs of the real engine, cut down to a few resources of small workspaces.

Times are whole seconds since the first event; ids and request ids are shortened, counts fit what was kept.
"""

import json
from pathlib import Path

from _support.updating import ROOT
from coiled_pulumi.ops.events import Progress, Row, reduce

FOLDER = ROOT / "tests" / "unit" / "ops" / "streams"
NAMES = sorted(file.stem for file in FOLDER.glob("*.jsonl"))


def path(name: str) -> Path:
    """Give the file of a stream."""
    return FOLDER / f"{name}.jsonl"


def events(name: str) -> list[dict]:
    """Read a stream."""
    return [json.loads(line) for line in path(name).read_text(encoding="utf-8").splitlines()]


def times(stream: list[dict]) -> list[float]:
    """Give when each event came, in seconds since the first."""
    return [float(event["timestamp"] - stream[0]["timestamp"]) for event in stream]


def steps(stream: list[dict]):
    """Reduce a stream; give the picture, the rows that changed and the time after each event."""
    progress = Progress()
    for event, at in zip(stream, times(stream), strict=True):
        yield progress, reduce(progress, event, at), at


def progress(name: str) -> Progress:
    """Give the picture at the end of a stream."""
    *_, (picture, _rows, _at) = steps(events(name))
    return picture


def told(row: Row) -> tuple:
    """Give what a row says, without its URN and type."""
    return (row.op, row.name, row.state, row.started, row.ended, row.diffs)
