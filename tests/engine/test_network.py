"""A whole run sends nothing beyond this machine: it is made in a network namespace where each packet out is counted.

Machines run in namespaces of their own within it, and a client computes on them by loopback addresses.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]

FILE = """\
name: quiet
network: {cidr: 10.60.0.0/16, zones: [us-east-1a]}
ingress: [{ports: [8786], cidr: me}]
clusters:
  one: {n_workers: 1}
"""

# A pair of interfaces whose other end nobody listens on, and a default route into it: what a process sends to
# anywhere but loopback is counted there. Neighbours are written down, so that the kernel asks for none.
SETUP = """
set -eu
ip link set lo up
ip link add out type veth peer name sink
ip link set out addrgenmode none
ip link set sink addrgenmode none
ip link set out up
ip link set sink up
ip addr add 192.0.2.1/24 dev out
ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:01 dev out
ip route add default via 192.0.2.254 dev out
sent() { tr ':' ' ' < /proc/net/dev | awk '$1 == "out" { print $11 }'; }
"""

RUN = """
before=$(sent)
"$PY" -m coiled_pulumi local up > /dev/null
eval "$("$PY" -m coiled_pulumi local env)"
"$PY" -m coiled_pulumi up --file quiet.yaml --yes
"$PY" -m coiled_pulumi outputs --file quiet.yaml
"$PY" "$EXAMPLE" one --workspace quiet
"$PY" -m coiled_pulumi local down
echo "packets: $(( $(sent) - before ))"
"$PY" -c 'import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("198.51.100.7", 53))'
echo "counted: $(( $(sent) - before ))"
"""


def namespace() -> list[str]:
    if shutil.which("ip") and shutil.which("unshare"):
        for command in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
            if subprocess.run([*command, "sh", "-c", SETUP], capture_output=True).returncode == 0:
                return command
    pytest.skip("no network namespaces here (needs `ip`, `unshare` and a kernel that lets us)")


def test_a_whole_run_sends_nothing_beyond_loopback(bench, tmp_path):
    (tmp_path / "quiet.yaml").write_text(FILE)
    # The session's own local AWS is outside of the namespace: this run brings its own.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
    env |= {
        "PY": sys.executable,
        "EXAMPLE": str(ROOT / "examples" / "attach.py"),
        "COILED_PULUMI_LOCAL_HOME": str(tmp_path / "aws"),
        "XDG_STATE_HOME": str(tmp_path),
    }
    command = [*namespace(), "sh", "-c", SETUP + RUN]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-2:] == ["packets: 0", "counted: 1"]
