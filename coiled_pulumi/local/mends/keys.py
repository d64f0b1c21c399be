"""A launch needs a key pair that exists.

moto launches with any name of a key pair. AWS refuses one that the region doesn't have, also where a launch
template names it.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (InvalidKeyPair.NotFound)
"""

from __future__ import annotations

from typing import Any

from coiled_pulumi.local.mends._launch import Launch, around


def apply() -> None:
    """Look for the key pair before each launch."""
    around(before=lambda launch: require(launch.backend, _named(launch)))


def require(backend: Any, name: str) -> None:
    """Refuse as AWS does a key pair that the region doesn't have; no name is none wanted."""
    from moto.ec2.exceptions import EC2ClientError

    if name and name not in backend.key_pairs:
        raise EC2ClientError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")


def _named(launch: Launch) -> str:
    config = launch.options.get("launch_config")
    return str(
        launch.options.get("key_name")
        or launch.template.get("KeyName")
        or (config.key_name if config is not None else None)
        or ""
    )
