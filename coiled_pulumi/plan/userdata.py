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


def nat_user_data() -> str:
    """Make the cloud-config of a NAT instance: forward what comes from inside, under its own address.

    https://docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html
    """
    return (
        "#cloud-config\n"
        "write_files:\n"
        "  - path: /etc/sysctl.d/90-nat.conf\n"
        "    content: |\n"
        "      net.ipv4.ip_forward = 1\n"
        "  - path: /etc/sysconfig/nftables.conf\n"
        "    content: |\n"
        "      table ip nat {\n"
        "        chain postrouting {\n"
        "          type nat hook postrouting priority srcnat;\n"
        "          masquerade\n"
        "        }\n"
        "      }\n"
        "runcmd:\n"
        # Its address is exchanged for the elastic one at some moment of this: what was begun before is lost.
        "  - until dnf install -y nftables; do sleep 5; done\n"
        "  - [sysctl, --system]\n"
        "  - [systemctl, enable, --now, nftables]\n"
    )
