"""This process as somebody who works with the local AWS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coiled_pulumi.aws import session
from coiled_pulumi.local import environment
from coiled_pulumi.local.state import Record


@contextmanager
def working(record: Record, monkeypatch, *, region: str) -> Iterator[None]:
    """Have boto3 and everything that is started go to a server, in a region."""
    for name in environment.UNSET:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.environment(record).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, region)
    session.client.cache_clear()
    yield
    session.client.cache_clear()
