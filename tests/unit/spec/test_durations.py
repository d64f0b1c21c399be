"""Spans of time, as people write them."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.spec import durations
from coiled_pulumi.spec.base import Refusal
from coiled_pulumi.spec.schema import workspace_schema

PATTERN = next(
    choice["pattern"]
    for choice in workspace_schema()["$defs"]["Cluster"]["properties"]["idle_timeout"]["anyOf"]
    if "pattern" in choice
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20 minutes", 1200), ("1 minute", 60), ("5m", 300), ("90", 90), (90, 90), ("45 s", 45), ("1.5h", 5400),
        ("2 hours", 7200), ("10min", 600), ("7 days", 604800), ("1d", 86400), ("never", 0),
    ],
)  # fmt: skip
def test_parse(text, seconds):
    assert durations.parse(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "5 weeks",
        "100 ms",
        "5 ss",
        "-5",
        "5 ",
        " 5",
        "5  m",
        "1e3",
        "٣ h",
        "5M",
        True,
        None,
        1.5,
        [5],
    ],
)
def test_no_span(value):
    with pytest.raises(Refusal, match="must be a span of time"):
        durations.parse(value)


@pytest.mark.parametrize("value", [0, 4, "4 s", "0 minutes", "367 days", 10**400, "9" * 400, -1])
def test_out_of_bounds(value):
    with pytest.raises(Refusal, match="must lie between 5 seconds and a year"):
        durations.parse(value)


@given(st.just(0) | st.integers(durations.LEAST, durations.MOST))
def test_what_is_written_is_read_back(seconds):
    text = durations.text(seconds)

    assert durations.parse(text) == seconds
    assert re.fullmatch(PATTERN, text)


@given(st.from_regex(PATTERN, fullmatch=True))
def test_what_the_schema_takes_is_a_span_or_out_of_bounds(text):
    with contextlib.suppress(Refusal):
        durations.parse(text)
        return
    with pytest.raises(Refusal, match="must lie between"):
        durations.parse(text)
