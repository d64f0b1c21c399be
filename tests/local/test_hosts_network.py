"""Real hosts of the local AWS on a real network: who reaches whom, and what is left when they are gone."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _support.hosts import Hosts, RefusedError, eventually, hosts, processes, rule

ALL = "0.0.0.0/0"
API = "http://240.255.255.254/"
#: Gives what the API answers, or the error's name.
ASK = f"""\
import urllib.request
try:
    answer = urllib.request.urlopen({API!r}, timeout=1.5).read().decode()
except OSError as error:
    answer = type(getattr(error, "reason", error)).__name__
"""


class Vpc:
    """One of the picture, with addresses that no other has; ports 7000 and 7001 of its instances answer."""

    numbers = itertools.count(1)

    def __init__(self, running: Hosts) -> None:
        self.number = next(self.numbers)
        self.hosts, self.id = running, f"vpc-{self.number}"
        self.count = itertools.count(5)
        self.picture = running.picture
        self.nat = f"127.77.{self.number}.250"
        # The same block as all others: what has an address twice is told apart by its VPC.
        self.picture["vpcs"][self.id] = {"cidrs": ["10.0.0.0/16"]}
        for kind, way in (("public", "igw"), ("private", self.nat), ("closed", None), ("endpoints", None)):
            subnet = {"vpc": self.id, "way_out": way, "endpoints": kind == "endpoints"}
            self.picture["subnets"][f"{self.id}-{kind}"] = subnet | {"cidr": "10.0.0.0/24"}

    def group(self, *ingress: dict[str, Any], egress: dict[str, Any] | None = None) -> str:
        key = f"sg-{self.number}-{next(self.count)}"
        egress = egress or rule(cidr=ALL)
        self.picture["groups"][key] = {"vpc": self.id, "ingress": [*ingress], "egress": [egress]}
        return key

    def ingress(self, group: str) -> list[dict[str, Any]]:
        return self.picture["groups"][group]["ingress"]

    def instance(self, subnet: str, *groups: str) -> str:
        number = next(self.count)
        key = f"i-{self.number}-{number}"
        self.picture["instances"][key] = {
            "vpc": self.id,
            "subnet": f"{self.id}-{subnet}",
            "private": f"10.0.0.{number}",
            "public": f"127.77.{self.number}.{number}" if subnet == "public" else None,
            "groups": [*groups],
            "user_data": "",
            "metadata": {"meta-data/instance-id": key, "meta-data/placement/region": "us-east-1"},
            "credentials": None,
            "tags": {},
        }
        return key

    def up(self) -> None:
        self.hosts.apply()
        for key, told in self.picture["instances"].items():
            if told["vpc"] == self.id:
                self.hosts.event("up", key)
                self.hosts.listen(key, 7000, 7001)

    def address(self, key: str) -> str:
        return self.picture["instances"][key]["private"]

    def public(self, key: str) -> str:
        return self.picture["instances"][key]["public"]

    def inside(self, key: str) -> str:
        return self.public(key).replace("127.", "240.", 1)

    def reach(self, sender: str, receiver: str, port: int = 7000, limit: float = 0.5) -> str:
        return self.hosts.connect(sender, self.address(receiver), port, limit)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with api() as port, hosts(tmp_path_factory.mktemp("hosts")) as one:
        require_namespaces(one)
        one.picture["api"] = port
        yield one


@pytest.fixture
def vpc(running: Hosts) -> Iterator[Vpc]:
    yield Vpc(running)
    running.picture |= {"vpcs": {}, "subnets": {}, "groups": {}, "instances": {}}
    running.apply()


def require_namespaces(one: Hosts) -> None:
    if one.mode["mode"] != "namespaces":
        pytest.skip(f"no namespaces can be made here: {one.mode['why']}")


@contextlib.contextmanager
def api() -> Iterator[int]:
    """Something on the machine that answers in the place of the API."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = f"for {self.headers['Host']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def dial(address: str, port: int, *, source: str = "127.0.0.1") -> str:
    """Connect from the machine; give what the instance saw as our address, or the error's name."""
    try:
        with socket.create_connection((address, port), 10, source_address=(source, 0)) as one:
            return one.makefile().readline().strip()
    except OSError as error:
        return type(error).__name__


def test_members_of_a_group_reach_each_other_and_nobody_else_does(vpc: Vpc) -> None:
    cluster, other = vpc.group(), vpc.group()
    vpc.ingress(cluster).append(rule(group=cluster))
    one, two = vpc.instance("public", cluster), vpc.instance("private", cluster)
    stranger = vpc.instance("public", other)
    vpc.up()

    assert vpc.reach(one, two) == vpc.address(one)
    assert vpc.reach(two, one) == vpc.address(two)
    assert vpc.reach(stranger, one) == "TimeoutError"
    assert vpc.reach(one, stranger) == "TimeoutError"


def test_instances_of_another_vpc_with_the_same_addresses_are_others(running: Hosts, vpc: Vpc) -> None:
    def pair(of: Vpc) -> tuple[str, str]:
        group = of.group(rule(cidr="10.0.0.0/8"))
        made = of.instance("closed", group), of.instance("closed", group)
        of.up()
        return made

    other = Vpc(running)
    here, there = pair(vpc), pair(other)
    running.listen(there[1], 7002)

    assert vpc.address(here[1]) == other.address(there[1])
    assert other.reach(*there, 7002) == other.address(there[0])
    assert vpc.reach(*here, 7002) == "ConnectionRefusedError"


def test_egress_of_the_sender_counts_too(vpc: Vpc) -> None:
    receiving = vpc.group(rule(cidr=ALL))
    sending = vpc.group(egress=rule("tcp", 7001, 7001, group=receiving))
    sender, receiver = vpc.instance("closed", sending), vpc.instance("closed", receiving)
    vpc.up()

    assert vpc.reach(sender, receiver, 7001) == vpc.address(sender)
    assert vpc.reach(sender, receiver, 7000) == "TimeoutError"


def test_nobody_speaks_with_an_address_that_is_not_theirs(vpc: Vpc) -> None:
    group = vpc.group(rule(cidr=ALL))
    one, two = vpc.instance("closed", group), vpc.instance("closed", group)
    vpc.up()
    forge = f"""\
import socket, subprocess
subprocess.run(["ip", "addr", "add", "10.0.0.99/32", "dev", "eth0"], check=True)
try:
    with socket.create_connection(("{vpc.address(two)}", 7000), 0.5, source_address=("10.0.0.99", 0)):
        answer = "reached"
except OSError as error:
    answer = type(error).__name__
"""
    assert vpc.hosts.run(one, forge) == "TimeoutError"
    assert vpc.reach(one, two) == vpc.address(one)


def test_the_machine_reaches_a_public_address_as_far_as_rules_say(vpc: Vpc) -> None:
    group = vpc.group(rule("tcp", 7000, 7000, cidr="127.0.0.1/32"))
    scheduler, worker = vpc.instance("public", group), vpc.instance("private", group)
    vpc.up()

    assert eventually(lambda: dial(vpc.public(scheduler), 7000)) == "240.0.0.1"
    assert dial(vpc.public(scheduler), 7000, source="127.0.0.9") == "ConnectionResetError"
    assert dial(vpc.public(scheduler), 7001) == "ConnectionRefusedError"
    # Of the worker, which is as open as the scheduler, there is nothing to dial.
    assert listeners(f"127.77.{vpc.number}.") == [vpc.public(scheduler)]
    assert vpc.reach(scheduler, worker) == "TimeoutError"


def test_a_changed_rule_holds_for_new_connections(vpc: Vpc) -> None:
    group = vpc.group()
    scheduler = vpc.instance("public", group)
    vpc.up()
    address = vpc.public(scheduler)
    assert dial(address, 7000) == "ConnectionRefusedError"

    vpc.ingress(group).append(rule("tcp", 7000, 7001, cidr=ALL))
    vpc.hosts.apply()
    eventually(lambda: dial(address, 7000) == "240.0.0.1")
    with socket.create_connection((address, 7000), 10) as one:
        talk = one.makefile("rw")
        talk.readline()
        vpc.ingress(group).clear()
        vpc.hosts.apply()
        eventually(lambda: dial(address, 7000) == "ConnectionRefusedError")
        talk.write("still here\n")
        talk.flush()
        assert talk.readline() == "still here\n"


def test_bytes_and_ends_of_streams_pass_in_both_directions(vpc: Vpc) -> None:
    scheduler = vpc.instance("public", vpc.group(rule("tcp", 7000, 7000, cidr=ALL)))
    vpc.up()
    sent = os.urandom(1 << 20) * 16
    with socket.create_connection((vpc.public(scheduler), 7000), 10) as one:
        talk = one.makefile("rb")
        talk.readline()

        def send() -> None:
            one.sendall(sent)
            one.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert talk.read() == sent  # to its end, which comes because ours went through
        sender.join()


def test_who_leaves_is_seen_under_the_address_of_its_way_out(vpc: Vpc) -> None:
    group = vpc.group(rule("tcp", 7000, 7000, cidr=ALL))
    public, private = vpc.instance("public", group), vpc.instance("private", group)
    other = Vpc(vpc.hosts)
    peer = other.instance("public", other.group(rule("tcp", 7000, 7000, cidr=ALL)))
    vpc.up()
    other.up()

    def seen(sender: str, limit: float = 2) -> str:
        return vpc.hosts.connect(sender, other.inside(peer), 7000, limit)

    assert seen(public) == vpc.inside(public)
    assert seen(private) == vpc.nat.replace("127.", "240.", 1)
    # Also when the peer is next door: a public address leads out and in again.
    assert vpc.hosts.connect(private, vpc.inside(public), 7000) == vpc.nat.replace("127.", "240.", 1)


def test_only_who_has_a_way_there_reaches_the_api(vpc: Vpc) -> None:
    group = vpc.group()
    kinds = ("public", "private", "endpoints", "closed")
    made = {kind: vpc.instance(kind, group) for kind in kinds}
    vpc.up()

    answered = "for 240.255.255.254"
    assert {kind: vpc.hosts.run(key, ASK) for kind, key in made.items()} == {
        "public": answered,
        "private": answered,
        "endpoints": answered,
        "closed": "TimeoutError",
    }


def test_nothing_of_the_machine_is_reached_from_inside(vpc: Vpc) -> None:
    one = vpc.instance("public", vpc.group())
    vpc.up()
    with socket.create_server(("0.0.0.0", 0)) as here:  # noqa: S104 whatever address leads to us
        port = here.getsockname()[1]
        nowhere = ("ConnectionRefusedError", "TimeoutError", "OSError")
        for address in ("127.0.0.1", "240.0.0.1", "240.255.255.254", "192.0.2.1", "10.0.0.1"):
            assert vpc.hosts.connect(one, address, port, 0.3) in nowhere
        here.settimeout(0)
        with pytest.raises(BlockingIOError):
            here.accept()


def test_metadata_is_the_instances_own(vpc: Vpc) -> None:
    group = vpc.group()
    one, two = vpc.instance("closed", group), vpc.instance("closed", group)
    vpc.up()
    ask = """\
from urllib.request import Request, urlopen
base = "http://169.254.169.254/latest/"
wait = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
token = urlopen(Request(base + "api/token", method="PUT", headers=wait), timeout=5).read().decode()
told = {"X-aws-ec2-metadata-token": token}
answer = urlopen(Request(base + "meta-data/instance-id", headers=told), timeout=5).read().decode()
"""
    assert [vpc.hosts.run(key, ask) for key in (one, two)] == [one, two]


def test_an_instance_writes_nothing_but_its_own_folder(vpc: Vpc) -> None:
    one = vpc.instance("closed", vpc.group())
    vpc.up()
    write = """\
import os, pathlib
for path in ("/etc/coiled-pulumi", "/etc/systemd/system", "/tmp", "/usr/bin", "/home", "/root", "/var/lib"):
    pathlib.Path(path, "planted-by-a-test").write_text("x")
answer = sorted(os.environ)
"""
    environ = vpc.hosts.run(one, write)
    root = vpc.hosts.folder(one) / "root"

    assert sorted(str(path.relative_to(root)) for path in root.rglob("planted-by-a-test")) == [
        "etc/coiled-pulumi/planted-by-a-test",
        "etc/systemd/system/planted-by-a-test",
        "home/planted-by-a-test",
        "root/planted-by-a-test",
        "tmp/planted-by-a-test",
    ]
    for folder in ("/etc/systemd/system", "/tmp", "/usr/bin", "/home", "/root", "/var/lib"):  # noqa: S108
        assert not Path(folder, "planted-by-a-test").exists()
    assert not Path("/etc/coiled-pulumi").exists()
    assert environ == ["AWS_ENDPOINT_URL", "AWS_REGION", "HOME", "LANG", "PATH"]


def test_programs_that_act_on_the_machine_are_not_there(vpc: Vpc) -> None:
    one = vpc.instance("closed", vpc.group())
    vpc.up()
    look = """\
import os, shutil
answer = {}
for name in ("systemctl", "poweroff", "shutdown", "reboot"):
    for folder in ("/usr/bin", "/usr/sbin", "/bin", "/sbin"):
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            answer[path] = os.path.dirname(os.readlink(path))
answer = sorted(set(answer.values()))
"""
    assert vpc.hosts.run(one, look) == [str(vpc.hosts.folder(one) / "bin")]
    assert vpc.hosts.run(one, "import os; answer = os.listdir('/run')") == []


def test_python_of_an_instance_finds_its_packages(vpc: Vpc) -> None:
    one = vpc.instance("closed", vpc.group())
    vpc.up()
    run = """\
import subprocess
code = "import distributed, coiled_pulumi.errors, sys; print(sys.prefix)"
command = ["/opt/coiled-pulumi/bin/python", "-P", "-c", code]
answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
"""
    assert vpc.hosts.run(one, run) == sys.prefix


def test_one_that_ends_by_itself_stays_off_and_one_that_leaves_is_ended(vpc: Vpc) -> None:
    group = vpc.group()
    one, two = vpc.instance("closed", group), vpc.instance("closed", group)
    vpc.up()
    with pytest.raises((RefusedError, ValueError)):  # it has no time to answer
        vpc.hosts.run(one, "import os; os._exit(7)")

    assert vpc.hosts.event("exited", one)["code"] == 7
    eventually(lambda: not processes(f"/{one}"))
    vpc.hosts.run(two, "import subprocess; subprocess.Popen(['sleep', '9876'])")
    del vpc.picture["instances"][two]
    vpc.hosts.apply()
    eventually(lambda: not processes(f"/{two}") and not processes("9876"))
    assert not [event for event in vpc.hosts.events if event.get("instance") in (one, two)]

    vpc.picture["instances"][two] = vpc.picture["instances"].pop(one)
    vpc.hosts.apply()
    vpc.hosts.event("up", two)


def test_who_does_not_end_when_asked_is_killed(vpc: Vpc) -> None:
    one = vpc.instance("closed", vpc.group())
    vpc.up()
    vpc.hosts.run(one, "known['stubborn'] = True")
    del vpc.picture["instances"][one]
    vpc.hosts.apply()
    eventually(lambda: not processes(f"/{one}"))


def machine() -> list[str]:
    """Give what the machine's own network consists of."""
    commands = (["ip", "-o", "link"], ["ip", "route", "show", "table", "all"], ["nft", "list", "ruleset"])
    return [subprocess.run(one, capture_output=True, text=True, check=True).stdout for one in commands]


def listeners(prefix: str) -> list[str]:
    """Give the addresses below a prefix of 127.0.0.0/8 on which somebody listens on the machine."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    local = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    dotted = [".".join(str(b) for b in bytes.fromhex(one.partition(":")[0])[::-1]) for one in local]
    return [one for one in dotted if one.startswith(prefix)]


@pytest.mark.parametrize("end", ["kill", "close"])
def test_nothing_is_left_however_it_ends(tmp_path: Path, end: str) -> None:
    one = Hosts(tmp_path / "hosts")
    try:
        require_namespaces(one)
        before = machine()
        vpc = Vpc(one)
        keys = [vpc.instance("public", vpc.group(rule("tcp", 7000, 7000, cidr=ALL))) for _ in range(3)]
        vpc.up()
        one.run(keys[0], "import subprocess; subprocess.Popen(['setsid', 'sleep', '9878'])")
        eventually(lambda: len(processes("9878")) == 1)
        prefix = vpc.public(keys[0]).rpartition(".")[0]
        eventually(lambda: len(listeners(prefix)) == 3)
        assert machine() == before
    finally:
        getattr(one, end)()
    eventually(lambda: not processes(str(tmp_path)) and not processes("9878"))
    assert listeners(prefix) == []
    assert machine() == before


def test_forty_at_once(running: Hosts, vpc: Vpc) -> None:
    group = vpc.group()
    vpc.ingress(group).append(rule(group=group))
    made = [vpc.instance("private", group) for _ in range(40)]
    running.apply()
    for key in made:
        running.event("up", key)
    running.listen(made[0], 7000)

    assert [vpc.reach(key, made[0], limit=5) for key in made[1:]] == [vpc.address(key) for key in made[1:]]


def test_without_namespaces_instances_have_loopback_addresses(tmp_path: Path) -> None:
    with hosts(tmp_path / "hosts", "--loopback") as one:
        assert one.mode == {"event": "mode", "mode": "loopback", "why": "it was asked for"}
        vpc = Vpc(one)
        key = vpc.instance("public", vpc.group(rule("tcp", 7000, 7000, cidr=ALL)))
        one.up()
        environ = one.run(key, "import os; answer = dict(os.environ)")
        mine = environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"].removeprefix("http://").rpartition(":")[0]
        answering = f"""\
import socket, threading
known["listener"] = socket.create_server(("{mine}", 7000))
def serve():
    with known["listener"].accept()[0] as one:
        one.sendall(b"here\\n")
threading.Thread(target=serve, daemon=True).start()
"""
        one.run(key, answering)

        assert mine.startswith("127.")
        assert eventually(lambda: dial(vpc.public(key), 7000)) == "here"
        assert environ["COILED_PULUMI_ROOT"] == str(one.folder(key) / "root")
        del vpc.picture["instances"][key]
        one.apply()
        eventually(lambda: not processes(str(one.folder(key))))


def test_without_namespaces_nothing_is_left_either(tmp_path: Path) -> None:
    one = Hosts(tmp_path / "hosts", "--loopback")
    try:
        vpc = Vpc(one)
        keys = [vpc.instance("closed", vpc.group()) for _ in range(2)]
        one.up()
        for key in keys:
            one.run(key, "import subprocess; subprocess.Popen(['setsid', 'sh', '-c', 'sleep 9879; :'])")
        eventually(lambda: len(processes("sleep\0009879")) == 2)
        del vpc.picture["instances"][keys[0]]
        one.apply()
        eventually(lambda: len(processes("sleep\0009879")) == 1)
    finally:
        one.close()
    assert not processes(str(tmp_path))
    assert not processes("9879")
