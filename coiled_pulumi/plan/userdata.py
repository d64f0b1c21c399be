"""What an instance is told at boot: who it is, and nothing else.

User data can be read by everyone who may describe the instance, and AWS takes 16 KiB of it. So it holds a few
hundred bytes of names; configuration and certificates come from the parameter store by the instance's role.
"""

from __future__ import annotations

import json

#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
LIMIT = 16_384


def user_data(*, workspace: str, cluster: str, role: str, region: str) -> str:
    """Make the cloud-config that writes the node's identity to /etc/coiled-pulumi/node.json."""
    identity = json.dumps(
        {"cluster": cluster, "region": region, "role": role, "version": 1, "workspace": workspace},
        sort_keys=True,
    )
    return (
        "#cloud-config\n"
        "write_files:\n"
        "  - path: /etc/coiled-pulumi/node.json\n"
        "    permissions: '0444'\n"
        f"    content: '{identity}'\n"
    )
