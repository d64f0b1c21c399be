"""The variables that make Pulumi, its AWS plugin and boto3 use the local AWS and nothing else."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Final

from coiled_pulumi.local.state import PASSPHRASE, Record, backend_folder

REGION: Final = "us-east-1"
#: What would send calls elsewhere, or sign them with the user's real credentials.
UNSET: Final = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_CA_BUNDLE",
)


def endpoint(record: Record) -> str:
    """Tell the address of the API."""
    return f"http://127.0.0.1:{record.port}"


def environment(record: Record, ambient: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the variables to set; `UNSET` names those to take away.

    Args:
        record: the running server.
        ambient: the environment that they are put over; only its NO_PROXY is read.

    """
    ambient = os.environ if ambient is None else ambient
    no_proxy = _no_proxy(ambient)
    # Two files that are never there: an empty name would make the SDKs fall back to the user's own.
    nowhere = record.home / "no-such-folder"
    return {
        "AWS_ACCESS_KEY_ID": record.access_key_id,
        "AWS_CONFIG_FILE": str(nowhere / "config"),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint(record),
        "AWS_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": record.secret_access_key,
        "AWS_SHARED_CREDENTIALS_FILE": str(nowhere / "credentials"),
        "NO_PROXY": no_proxy,
        "PULUMI_BACKEND_URL": f"file://{backend_folder(record.home)}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "no_proxy": no_proxy,
    }


def applied(record: Record, ambient: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make a child process's whole environment: the ambient one, ours over it, what misleads gone."""
    ambient = os.environ if ambient is None else ambient
    kept = {name: value for name, value in ambient.items() if not _misleads(name)}
    return kept | environment(record, ambient)


def exports(env: Mapping[str, str]) -> str:
    """Make the lines for a shell to evaluate, quoted, by name; the last one takes away what misleads."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(env.items())]
    return "\n".join([*lines, f"unset {' '.join(UNSET)}"]) + "\n"


def _misleads(name: str) -> bool:
    return name in UNSET or name.startswith("AWS_ENDPOINT_URL")


def _no_proxy(ambient: Mapping[str, str]) -> str:
    """Keep loopback away from a proxy: boto3 would send it there, the Go SDK would not."""
    given = ambient.get("no_proxy") or ambient.get("NO_PROXY") or ""
    names = [name for name in given.split(",") if name]
    return ",".join([*names, *(name for name in ("127.0.0.1", "localhost") if name not in names)])
