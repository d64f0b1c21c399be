"""Who this machine is: the names that user data wrote, and what EC2 says about it (metadata service, version 2)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from coiled_pulumi.errors import CoiledPulumiError, echo
from coiled_pulumi.values import WORKERS

VERSION: Final = 1
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
_ENDPOINT: Final = "http://169.254.169.254"
#: Seconds that a token is good for, which is as long as AWS gives; one that is refused is exchanged before.
_LIFE_SECONDS: Final = "21600"
#: The service is on the machine itself, or nowhere.
_TIMEOUT: Final = 2.0

Role = Literal["scheduler", "worker"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What user data says."""

    workspace: str
    cluster: str
    role: Role
    group: str
    region: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What EC2 says.

    Attributes:
        instance: its id.
        address: its private address.
        vpc_cidrs: the blocks of its network.
        spot: whether AWS may take it back.
    """

    instance: str
    address: str
    vpc_cidrs: tuple[str, ...]
    spot: bool


class MetadataError(OSError):
    """The metadata service did not answer as it should; that passes."""


def read_identity(file: Path) -> Identity:
    """Read what user data wrote.

    Raises:
        CoiledPulumiError: there is no such file, or it is not ours.
    """
    try:
        said = json.loads(file.read_text())
        if said["version"] != VERSION:
            msg = f"{file}: version: must be {VERSION}, got {echo(said['version'])}"
            raise CoiledPulumiError(msg, "start the machine anew with a machine image of this release")
        role = said["role"]
        if role not in ("scheduler", "worker"):
            msg = f"{file}: role: must be scheduler or worker, got {echo(role)}"
            raise CoiledPulumiError(msg)
        return Identity(said["workspace"], said["cluster"], role, said.get("group", WORKERS), said["region"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{file}: cannot be read: {error!r}"
        raise CoiledPulumiError(msg) from error


class Metadata:
    """Asks the metadata service, past any proxy: it is not reached through one, and must not be."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        given = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _ENDPOINT
        self._endpoint = given.rstrip("/")
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        self._token = ""

    def get(self, path: str) -> str | None:
        """Read `/latest/meta-data/PATH`; None where there is nothing.

        Raises:
            MetadataError: the service did not answer.
        """
        if not self._token:
            self._token = self._ask("/latest/api/token", "PUT", {"ttl-seconds": _LIFE_SECONDS}) or ""
        try:
            return self._ask(f"/latest/meta-data/{path}", "GET", {"": self._token})
        except _TokenRefusedError:
            self._token = ""
            raise

    def machine(self) -> Machine:
        """Read what is needed of this machine.

        Raises:
            MetadataError: the service did not answer.
        """
        instance, address, mac = (self._must(name) for name in ("instance-id", "local-ipv4", "mac"))
        blocks = self.get(f"network/interfaces/macs/{mac}/vpc-ipv4-cidr-blocks") or ""
        return Machine(instance, address, tuple(blocks.split()), self.get("instance-life-cycle") == "spot")

    def _must(self, path: str) -> str:
        if not (found := self.get(path)):
            msg = f"the metadata service does not know {path}"
            raise MetadataError(msg)
        return found.strip()

    def _ask(self, path: str, method: str, headers: dict[str, str]) -> str | None:
        prefix = "X-aws-ec2-metadata-token"
        named = {f"{prefix}-{key}" if key else prefix: value for key, value in headers.items()}
        request = urllib.request.Request(self._endpoint + path, method=method, headers=named)  # noqa: S310
        try:
            with self._open(request, timeout=_TIMEOUT) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                kind = _TokenRefusedError if error.code == 401 else MetadataError
                msg = f"the metadata service answered {error.code} for {path}"
                raise kind(msg) from None
        except OSError as error:
            msg = f"the metadata service does not answer: {error}"
            raise MetadataError(msg) from error


class _TokenRefusedError(MetadataError):
    """The token is too old; the next question asks for another one."""
