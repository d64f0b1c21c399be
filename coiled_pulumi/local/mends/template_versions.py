"""Instances can be launched from a later version of a template that has user data.

moto reads the user data of a template's first version and keeps that of later ones as it came, so that a launch
from one of those fails with an assertion. AWS makes no difference between versions.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Read the user data of every version."""
    from moto.ec2.models.launch_templates import LaunchTemplate
    from moto.ec2.utils import parse_user_data

    create = LaunchTemplate.create_version

    def create_version(self: Any, data: dict[str, Any], description: str) -> Any:
        if isinstance(data.get("UserData"), str | bytes):
            data = data | {"UserData": parse_user_data(data["UserData"])}
        return create(self, data, description)

    LaunchTemplate.create_version = create_version
