"""Lines on their way to CloudWatch: nothing is lost or out of order, and no call is larger than AWS takes."""

from __future__ import annotations

import threading
import time

import botocore.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from coiled_pulumi.node import logs

_LINE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def _taken(backlog):
    batches = []
    while batch := backlog.take():
        batches.append(batch)
    return batches


@given(
    st.lists(
        st.tuples(st.floats(0, 4e9), st.lists(_LINE | st.builds(str.__mul__, _LINE, st.integers(1, 60_000))))
    ),
)
@settings(max_examples=60, deadline=None)
def test_every_line_goes_once_in_order_within_the_limits(written):
    backlog = logs.Backlog(limit=10**12)
    for at, lines in written:
        backlog.add(at, lines)
    batches = _taken(backlog)

    assert "".join(text for batch in batches for _, text, _ in batch) == "".join(
        line for _, lines in written for line in lines
    )
    times = [at for batch in batches for at, _, _ in batch]
    assert times == sorted(times)
    for batch in batches:
        sizes = [len(text.encode()) + 26 for _, text, _ in batch]
        assert sum(sizes) <= 1_048_576
        assert max(sizes) <= 262_144
        assert len(batch) <= 10_000
        assert batch[-1][0] - batch[0][0] < 24 * 3600 * 1000


def test_a_call_takes_ten_thousand_lines_and_no_more():
    backlog = logs.Backlog()
    backlog.add(1.0, ["x"] * 25_000)

    assert [len(batch) for batch in _taken(backlog)] == [10_000, 10_000, 5_000]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(4, 20))
def test_a_long_line_is_cut_between_characters(text, limit):
    pieces = list(logs.cut(text, limit))

    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= limit for piece in pieces)


def test_the_oldest_lines_are_dropped_and_counted():
    backlog = logs.Backlog(limit=(100 + logs.OVERHEAD) * 3)
    backlog.add(1.0, [f"{i:0100}" for i in range(10)])

    [batch] = _taken(backlog)
    assert batch[0][1] == "coiled-pulumi: 7 lines before this were dropped: more came than CloudWatch took"
    assert [int(text) for _, text, _ in batch[1:]] == [7, 8, 9]


class _CloudWatch:
    """Stands for the network: answers as told, then takes everything."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.taken, self.made = list(answers), [], 0
        self.done = threading.Event()

    def create_log_stream(self, **_place: str) -> None:
        self.made += 1

    def put_log_events(self, *, logEvents: list, **_place: str) -> dict:  # noqa: N803 AWS's name
        if self.answers:
            code = self.answers.pop(0)
            raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "m"}}, "PutLogEvents")
        self.taken += [event["message"] for event in logEvents]
        self.done.set()
        return {}


def test_what_is_throttled_is_sent_again_and_the_stream_is_made_when_it_is_missing():
    aws = _CloudWatch("ThrottlingException", "ResourceNotFoundException", "AccessDeniedException")
    stream = logs.Stream(lambda: aws, "ws", "c/worker/i-1")
    stream.write(["a", "b"])
    assert aws.done.wait(10)
    stream.write(["c"])

    assert stream.close(5)
    assert (aws.taken, aws.made) == (["a", "b", "c"], 1)


def test_lines_that_cloudwatch_calls_wrong_do_not_hold_up_the_rest():
    aws = _CloudWatch("InvalidParameterException")
    stream = logs.Stream(lambda: aws, "ws", "c/worker/i-1")
    stream.write(["a"])

    assert aws.done.wait(10)
    assert stream.close(5)
    assert aws.taken == ["CloudWatch refused 1 lines: m"]


def test_whoever_closes_does_not_wait_longer_than_told():
    stream = logs.Stream(lambda: _CloudWatch(*["ThrottlingException"] * 1000), "ws", "c/worker/i-1")
    stream.write(["a"])
    began = time.monotonic()

    assert not stream.close(0.3)
    assert time.monotonic() - began < 2
