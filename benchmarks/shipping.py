"""Lines of a process through the node's shipper into CloudWatch, against the pipe and PutLogEvents by themselves."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.results import Finding, Pair, in_turns
from benchmarks.sandbox import Sandbox
from coiled_pulumi import certificates
from coiled_pulumi.local import inventory
from coiled_pulumi.node import logs
from coiled_pulumi.node.journal import Journal
from coiled_pulumi.node.process import Process
from coiled_pulumi.node.redact import Redactor

#: The shipper redacts and sends while it reads. But its last call waits a second to fill, and the floor takes hardly
#: more than one in all: the ratio is mostly that second.
SHIPPING = 3.0
#: Together less than the shipper keeps in memory, which is full at about 81,000: none may be dropped.
LINES = 75_000
#: These are short: one round of the clusters is so many of these.
PER_ROUND = 2
_GROUP = "bench-logs"
_BETWEEN, _LIMIT = 0.05, 120.0
#: Lines as distributed writes them.
_PRINT = f"""
for number in range({LINES}):
    print(f"2026-01-02 03:04:05,678 - distributed.worker - INFO - task {{number:06}} done in 0.012 s, 3 of 8 threads")
"""


def shipping(aws: Sandbox, rounds: int) -> list[Finding]:
    """Time the shipper from the start of a process to its last line in CloudWatch."""
    client = _client(aws)
    client.create_log_group(logGroupName=_GROUP)
    streams = (f"stream-{number}" for number in itertools.count())
    command = [sys.executable, "-c", _PRINT]
    ours, floor = in_turns(
        rounds * PER_ROUND,
        lambda: _shipped(command, client, next(streams)),
        lambda: _piped(command) + _put(command, client, next(streams)),
    )
    speeds = [f"{LINES / sorted(seconds)[len(seconds) // 2]:,.0f}" for seconds in (ours, floor)]
    return [
        Pair(
            f"{LINES:,} lines into CloudWatch",
            "agent",
            "a pipe that is read, then PutLogEvents",
            ours,
            floor,
            SHIPPING,
            f"{speeds[0]} lines/s against {speeds[1]}",
        )
    ]


def batches(lines: list[str]) -> list[list[dict[str, Any]]]:
    """Make the fewest calls that carry some lines, as CloudWatch's limits allow."""
    backlog = logs.Backlog()
    backlog.add(time.time(), lines)
    made = []
    while batch := backlog.take():
        made.append([{"timestamp": at, "message": text} for at, text, _ in batch])
    return made


def _shipped(command: list[str], client: Any, name: str) -> float:
    journal = Journal(Redactor(_secrets()), show=lambda _: None)
    stream = logs.Stream(lambda: client, _GROUP, name)
    journal.open(stream)
    ended = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        Process(
            command,
            os.environb,
            Path(folder),
            Path(folder) / "mark",
            journal.follow(),
            lambda _: ended.set(),
        )
        ended.wait(_LIMIT)
        while f"task {LINES - 1:06} done" not in _last(client, name):
            if time.perf_counter() - began > _LIMIT:
                msg = f"the last of {LINES} lines did not come within {_LIMIT:.0f} s"
                raise RuntimeError(msg)
            time.sleep(_BETWEEN)
        seconds = time.perf_counter() - began
    stream.close(_LIMIT)
    _require_all(client, name)
    return seconds


def _last(client: Any, name: str) -> str:
    place = {"logGroupName": _GROUP, "logStreamName": name}
    try:
        events = client.get_log_events(**place, limit=1, startFromHead=False)["events"]
    except client.exceptions.ResourceNotFoundException:
        return ""
    return events[-1]["message"] if events else ""


def _require_all(client: Any, name: str) -> None:
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=_GROUP, logStreamNames=[name])
    there = sum(len(page["events"]) for page in pages)
    if there != LINES:
        msg = f"{there} of {LINES} lines came"
        raise AssertionError(msg)


def _piped(command: list[str]) -> float:
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0) as process:
        while os.read(process.stdout.fileno(), 1 << 16):  # type: ignore[union-attr]
            pass
    return time.perf_counter() - began


def _put(command: list[str], client: Any, name: str) -> float:
    printed = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    calls = batches(printed.stdout.splitlines())
    client.create_log_stream(logGroupName=_GROUP, logStreamName=name)
    began = time.perf_counter()
    for events in calls:
        client.put_log_events(logGroupName=_GROUP, logStreamName=name, logEvents=events)
    return time.perf_counter() - began


def _secrets() -> list[str]:
    """Give as many secrets as a machine has: its key, a token, credentials, some variables of the user's."""
    key = certificates.authority("bench", "logs").key
    return [key, *(f"s3cr3t-number-{number:04}/{'x' * 20}" for number in range(8))]


def _client(aws: Sandbox) -> Any:
    make = inventory.session_clients(
        endpoint_url=aws.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=aws.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws.env["AWS_SECRET_ACCESS_KEY"],
    )
    return make("logs", aws.env["AWS_REGION"])
