"""Ships lines to CloudWatch: in order, in as few calls as the limits allow, whatever becomes of a single call.

Lines wait in memory, a bounded number of bytes of them; when CloudWatch takes less than comes in, the oldest are
dropped and a line in their place says how many.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import botocore.exceptions

from coiled_pulumi.node.patience import waits

#: What AWS takes of one event and in one call; each event counts 26 bytes more than its text. An event may lie two
#: weeks back and those of one call a day apart.
#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
OVERHEAD: Final = 26
EVENT_BYTES: Final = 262_144 - OVERHEAD
BATCH_BYTES: Final = 1_048_576
BATCH_EVENTS: Final = 10_000
SPAN: Final = 24 * 3600 * 1000
#: Bytes that may wait.
BACKLOG: Final = 10_000_000
#: Seconds between two calls, as long as less than a call's fill has come together.
_FLUSH_EVERY: Final = 1.0

Event = tuple[int, str, int]  # milliseconds, text, its size in bytes


def cut(text: str, limit: int = EVENT_BYTES) -> Iterator[str]:
    """Cut a text into pieces of at most `limit` bytes of UTF-8, never within a character."""
    if len(text) * 4 <= limit or len(raw := text.encode("utf-8", "replace")) <= limit:
        yield text
        return
    start = 0
    while start < len(raw):
        end = min(start + limit, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        yield raw[start:end].decode()
        start = end


class Backlog:
    """What waits to be sent: bounded, in order of time. Not for several threads at once."""

    def __init__(self, limit: int = BACKLOG) -> None:
        self._events: deque[Event] = deque()
        self._limit = limit
        self._last = 0
        self._dropped = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def is_full(self) -> bool:
        """Whether one call's fill has come together."""
        return self.size >= BATCH_BYTES or len(self._events) >= BATCH_EVENTS

    def add(self, at: float, texts: Iterable[str]) -> None:
        """Take texts that were written at a time in seconds; empty ones are none.

        A clock that was set back does not bring them out of order: AWS would take none of such a call.
        """
        self._last = max(self._last, int(at * 1000))
        for text in texts:
            for piece in cut(text) if text else ():
                size = len(piece.encode("utf-8", "replace")) + OVERHEAD
                self._events.append((self._last, piece, size))
                self.size += size
        while self.size > self._limit and len(self._events) > 1:
            self.size -= self._events.popleft()[2]
            self._dropped += 1

    def take(self) -> list[Event]:
        """Take out what the next call may carry: the oldest, as many as the limits allow."""
        batch: list[Event] = []
        room = BATCH_BYTES
        if self._dropped and self._events:
            text = f"coiled-pulumi: {self._dropped} lines before this were dropped: more came than CloudWatch took"
            batch.append((self._events[0][0], text, len(text) + OVERHEAD))
            room -= batch[0][2]
            self._dropped = 0
        while self._events and len(batch) < BATCH_EVENTS:
            at, _, size = self._events[0]
            if size > room or (batch and at - batch[0][0] >= SPAN):
                break
            batch.append(self._events.popleft())
            room -= size
            self.size -= size
        return batch


class Stream:
    """One stream of a log group, which is made with the first line; a thread of its own sends.

    Args:
        client: gives the client of CloudWatch Logs; asked for when there is something to send.
        group: the log group; it may come later.
        name: the stream.
        tell: takes a sentence when CloudWatch did not take something.
    """

    def __init__(
        self, client: Callable[[], Any], group: str, name: str, tell: Callable[[str], None] | None = None
    ) -> None:
        self._client = client
        self._place = {"logGroupName": group, "logStreamName": name}
        self._tell = tell or (lambda text: self.write([text]))
        self._backlog = Backlog()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"logs {name}", daemon=True)
        self._thread.start()

    def write(self, lines: Iterable[str], at: float | None = None) -> None:
        """Take lines; never waits for the network."""
        with self._changed:
            was = len(self._backlog)
            self._backlog.add(time.time() if at is None else at, lines)
            # The sender sleeps a second by itself once it has something.
            if not was or self._backlog.is_full:
                self._changed.notify()

    def close(self, patience: float) -> bool:
        """Send what is left, for at most some seconds; tell whether all of it went."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while batch := self._next():
            self._send(batch)

    def _next(self) -> list[Event]:
        """Wait for a second's worth of lines, or a call's; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._backlog) or self._closing)
            self._changed.wait_for(lambda: self._backlog.is_full or self._closing, _FLUSH_EVERY)
            return self._backlog.take()

    def _send(self, batch: list[Event]) -> None:
        """Send until it is taken; only what AWS calls wrong in itself is given up."""
        events = [{"timestamp": at, "message": text} for at, text, _ in batch]
        for wait in waits(0.5, 20.0):
            try:
                answer = self._client().put_log_events(**self._place, logEvents=events)
            except botocore.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "InvalidParameterException":
                    self._tell(
                        f"CloudWatch refused {len(events)} lines: {error.response['Error']['Message']}"
                    )
                    return
                # The group comes with Pulumi, the right to write to it a little later.
                if code == "ResourceNotFoundException" and self._make():
                    continue
            except (botocore.exceptions.BotoCoreError, OSError):
                pass  # no way there, or no credentials: for now
            else:
                self._tell_refused(answer.get("rejectedLogEventsInfo") or {}, len(events))
                return
            with self._changed:
                # Whoever closes waits a few seconds: several tries fit into them.
                self._changed.wait_for(lambda: self._closing, wait)
            if self._closing:
                time.sleep(min(wait, 0.3))

    def _tell_refused(self, refused: dict[str, int], count: int) -> None:
        old = max(refused.get("tooOldLogEventEndIndex", 0), refused.get("expiredLogEventEndIndex", 0))
        new = count - refused.get("tooNewLogEventStartIndex", count)
        if old or new:
            self._tell(f"CloudWatch did not take {old + new} lines: the clock of this machine is wrong")

    def _make(self) -> bool:
        try:
            self._client().create_log_stream(**self._place)
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"] == "ResourceAlreadyExistsException"
        except (botocore.exceptions.BotoCoreError, OSError):
            return False
        return True
