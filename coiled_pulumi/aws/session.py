"""Clients of AWS, and what their errors become."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from coiled_pulumi.aws import faults

#: Attempts of one call; with the standard mode's waits about 20 seconds of throttling.
MAX_ATTEMPTS = 6
CONNECT_SECONDS, READ_SECONDS = 10, 60


@functools.lru_cache(maxsize=64)
def client(service: str, region: str | None = None, profile: str | None = None) -> Any:
    """Give the client of a service; the same one for the same question.

    Raises:
        CredentialsError: the profile does not exist.
    """
    import boto3
    from botocore.config import Config

    with told():
        config = Config(
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
        )
        return boto3.Session(profile_name=profile, region_name=region).client(service, config=config)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what boto3 raises inside into an error of ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise faults.of(error) from None
