"""Clients of AWS, and what their errors become."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from coiled_pulumi.aws import faults

#: Attempts of one call; with the standard mode's waits about 20 seconds of throttling.
MAX_ATTEMPTS = 6
CONNECT_SECONDS, READ_SECONDS = 10, 60
#: A session makes one client at a time: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html
_making = threading.Lock()


@functools.lru_cache(maxsize=64)
def client(service: str, region: str | None = None, profile: str | None = None) -> Any:
    """Give the client of a service; the same one for the same question.

    Raises:
        CredentialsError: the profile does not exist.
    """
    from botocore.config import Config

    with told():
        config = Config(
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
        )
        with _making:
            return _session(profile, _ambient()).client(service, region_name=region, config=config)


def is_local(region: str | None = None, profile: str | None = None) -> bool:
    """Tell whether calls go to this machine: to the local AWS, then."""
    host = urlsplit(client("ec2", region, profile).meta.endpoint_url).hostname or ""
    return host == "localhost" or host.startswith("127.")


@functools.lru_cache(maxsize=8)
def _session(profile: str | None, _of: tuple[tuple[str, str], ...]) -> Any:
    """Give one session for all clients: each new one reads what it knows of AWS anew, a tenth of a second."""
    import boto3

    return boto3.Session(profile_name=profile)


def _ambient() -> tuple[tuple[str, str], ...]:
    """Give what of the environment decides who somebody is: with other credentials, another session."""
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what boto3 raises inside into an error of ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise faults.of(error) from None
