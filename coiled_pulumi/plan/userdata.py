"""What an instance is told at boot: who it is, and nothing else.

User data can be read by everyone who may describe the instance, and AWS takes 16 KiB of it. So it holds a few
hundred bytes of names; configuration and certificates come from the parameter store by the instance's role.
"""

from __future__ import annotations

import json

#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
LIMIT = 16_384
#: Where images have the agent, or it is installed.
HOME = "/opt/coiled-pulumi"


_BOOT = """\
  - path: /etc/systemd/system/coiled-pulumi-node.service
    content: |
      [Unit]
      Description=Dask node
      Wants=network-online.target
      After=network-online.target
      SuccessAction=poweroff
      [Service]
      ExecStart=/opt/coiled-pulumi/bin/python -m coiled_pulumi.node
      Restart=on-failure
      [Install]
      WantedBy=multi-user.target
runcmd:
  - |
    home=/opt/coiled-pulumi
    test -x $home/bin/python || {
@INSTALL@
    }
  - [systemctl, daemon-reload]
  - [systemctl, enable, --now, coiled-pulumi-node]
"""
#: Only from an address with a hash, which pip compares: a name on an index may be anybody's. Networks and rights come
#: late, and what does not come within some minutes ends the machine: without an agent nothing else would.
_INSTALL = """\
      end() { echo "coiled-pulumi: the agent cannot be installed: $*" >&2; shutdown -P now; exit 1; }
      often() { for _ in $(seq 60); do "$@" && return; sleep 5; done; end "$@"; }
      often dnf install -y python3.11 python3.11-pip
      often python3.11 -m venv $home
      often $home/bin/pip install botocore packaging
@FETCH@      often $home/bin/pip install --no-deps '@AGENT@'"""
_FETCH = """\
      often aws --region @REGION@ s3 cp '@OBJECT@' $home/
"""
_NOTHING = """\
      echo 'coiled-pulumi: this image has no agent, and none was named' >&2
      shutdown -P now
      exit 1"""


def user_data(
    *, workspace: str, cluster: str, role: str, region: str, group: str = "", agent: str | None = None
) -> str:
    """Make the cloud-config that tells a machine who it is, and starts the agent.

    The agent says by its end that the machine is done: its unit then powers off, which terminates the machine.

    Args:
        workspace: its name.
        cluster: the cluster's name.
        role: `scheduler` or `worker`.
        region: where it is.
        group: label of a worker's group.
        agent: address of the agent's wheel, for images that do not have it.
    """
    said = {"cluster": cluster, "region": region, "role": role, "version": 1, "workspace": workspace}
    identity = json.dumps(said | ({"group": group} if group else {}), sort_keys=True)
    return (
        "#cloud-config\n"
        "write_files:\n"
        "  - path: /etc/coiled-pulumi/node.json\n"
        "    permissions: '0444'\n"
        f"    content: '{identity}'\n"
        + _BOOT.replace("@INSTALL@", _install(agent, region) if agent else _NOTHING)
    )


def powers_off(user_data: str) -> bool:
    """Tell whether a machine ends by this as soon as it has booted, where its image does not have the agent."""
    return _NOTHING in user_data


def in_s3(agent: str) -> str:
    """Give bucket and key of an agent's wheel in S3, as `bucket/key`; empty for one elsewhere."""
    return agent.removeprefix("s3://").partition("#")[0] if agent.startswith("s3://") else ""


def _install(agent: str, region: str) -> str:
    place = in_s3(agent)
    if not place:
        return _INSTALL.replace("@FETCH@", "").replace("@AGENT@", agent)
    fetch = _FETCH.replace("@REGION@", region).replace("@OBJECT@", f"s3://{place}")
    file = f"{HOME}/{place.rpartition('/')[2]}#{agent.partition('#')[2]}"
    return _INSTALL.replace("@FETCH@", fetch).replace("@AGENT@", f"file://{file}")


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
