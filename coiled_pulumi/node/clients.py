"""Clients of AWS, made when they are first needed: each costs memory on a machine that is there for Dask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import botocore.config
import botocore.exceptions
import botocore.session

#: Seconds. Adaptive tries keep a thousand machines that boot together from asking faster than AWS answers; whoever
#: has a loop of its own gets one try.
_TRIES: Final = {
    "ssm": {"mode": "adaptive", "total_max_attempts": 4},
    "logs": {"total_max_attempts": 1},
    "autoscaling": {"mode": "standard", "total_max_attempts": 3},
}
_TIMEOUTS: Final = {"connect_timeout": 3, "read_timeout": 10}


class Clients:
    """The clients of one machine, with the credentials of its role."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._session = botocore.session.Session()
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    def of(self, service: str) -> Callable[[], Any]:
        """Give what gives the client of a service.

        Calling it raises BotoCoreError as long as the machine has no credentials; they come late.
        """
        return lambda: self._client(service)

    def secrets(self) -> list[str]:
        """Give the credentials that hold now, as far as they are secret."""
        with self._lock:
            credentials = self._session.get_credentials()
            if credentials is None:
                return []
            try:
                frozen = credentials.get_frozen_credentials()
            except botocore.exceptions.BotoCoreError:
                return []
        return [text for text in (frozen.secret_key, frozen.token) if text]

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._made:
                # A client that was made without credentials would never get any.
                if self._session.get_credentials() is None:
                    raise botocore.exceptions.NoCredentialsError
                limits = botocore.config.Config(retries=_TRIES[service], **_TIMEOUTS)
                self._made[service] = self._session.create_client(
                    service, region_name=self._region, config=limits
                )
            return self._made[service]
