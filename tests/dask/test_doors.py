"""Who gets in, on a running cluster: groups by real packets, TLS by real handshakes, the dashboard by its token."""

import http.client
import json
import socket
import ssl
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

import pytest
from _support.lab import FILE, until
from distributed import Client
from distributed.security import Security
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect

import coiled_pulumi
from coiled_pulumi import certificates

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
GREETING = b"listening on 22\n"


@pytest.fixture(scope="module", autouse=True)
def _isolated(lab):
    if lab.status()["hosts"]["mode"] != "namespaces":
        pytest.skip("packets are only looked at between namespaces")


@pytest.fixture(scope="module")
def cluster(inside):
    with coiled_pulumi.Cluster(
        name="doors", n_workers=1, wait_for_workers=True, no_client_timeout=None
    ) as made:
        with made.get_client() as client:
            client.run_on_scheduler(listen_on_22())
        yield made


def listen_on_22():
    """Give a function that has the scheduler greet whoever comes to port 22, as an SSH server would."""

    async def listen():
        import asyncio

        async def greet(_reader, writer):
            writer.write(b"listening on 22\n")
            await writer.drain()
            writer.close()

        await asyncio.start_server(greet, "0.0.0.0", 22)  # noqa: S104 within a namespace

    return listen


@pytest.fixture(scope="module")
def host(cluster):
    return cluster.scheduler_address.removeprefix("tls://").partition(":")[0]


def greeted(host, *, source="127.0.0.1"):
    """Tell whether somebody who comes from an address gets through to port 22."""
    try:
        with socket.create_connection((host, 22), timeout=5, source_address=(source, 0)) as made:
            return made.recv(100) == GREETING
    except OSError:
        return False


def shakes(host, *, source="127.0.0.1", port=8787):
    """Tell whether a TLS handshake can be made from an address."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError):
        plain = socket.create_connection((host, port), timeout=5, source_address=(source, 0))
        with closing(plain), context.wrap_socket(plain) as made:
            return made.version() == "TLSv1.3"
    return False


def change(inside, text):
    inside.file.write_text(text)
    inside.cli("up", "--file", "lab.yaml", "--yes", "--no-preflight")


def test_rules_are_kept_by_real_packets_and_change_while_the_cluster_runs(cluster, host, inside):
    assert greeted(host)
    assert shakes(host)
    assert not greeted(host, source="127.0.0.9")
    assert not shakes(host, source="127.0.0.9")
    both = "[{ports: [22, 8786, 8787], cidr: 127.0.0.1/32}"
    try:
        # One more address may come in, without a new machine.
        change(inside, FILE.replace(both, f"{both}, {{ports: [22, 8787], cidr: 127.0.0.9/32}}"))
        until(lambda: greeted(host, source="127.0.0.9") and shakes(host, source="127.0.0.9"))
        # And port 22 is closed for everybody; the others stay open.
        change(inside, FILE.replace(both, "[{ports: [8786, 8787], cidr: 127.0.0.1/32}"))
        until(lambda: not greeted(host))
        assert shakes(host)
        assert not shakes(host, source="127.0.0.9")
    finally:
        change(inside, FILE)
    until(lambda: greeted(host))
    with cluster.get_client() as client:
        assert client.submit(sum, [1, 2]).result(timeout=30) == 3


def test_workers_are_reached_from_nowhere_outside(cluster, inside):
    (worker,) = inside.role("doors", "worker")
    machine = inside.instances("doors")[worker]
    assert "PublicIpAddress" not in machine
    groups = [group["GroupId"] for group in machine["SecurityGroups"]]
    rules = inside.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": groups}]
    )["SecurityGroupRules"]
    # All that comes in comes from members of the group.
    assert {
        rule.get("ReferencedGroupInfo", {}).get("GroupId") for rule in rules if not rule["IsEgress"]
    } == set(groups)


def secrets_of(inside):
    """The cluster's authority, as its operator finds it in the state."""
    export = inside.export("lab.doors", "--show-secrets")
    for resource in json.loads(export)["deployment"]["resources"]:
        if resource["type"] == "pulumi:index:Stash" and resource["urn"].endswith("-authority"):
            value = resource["outputs"]["output"]
            value = json.loads(value["plaintext"]) if "plaintext" in value else value
            return certificates.Pair(**value)
    raise AssertionError("no authority in the state")


@pytest.fixture(scope="module")
def leaves(cluster, inside):
    authority = secrets_of(inside)
    stranger = certificates.authority("lab", "doors")
    past = datetime.now(UTC) - timedelta(days=certificates.LEAF_DAYS + 1)
    ssm = inside.client("ssm")
    parameter = ssm.get_parameter(Name="/coiled-pulumi/lab/doors/worker", WithDecryption=True)["Parameter"]
    worker = json.loads(parameter["Value"])
    return {
        "right": (authority.cert, certificates.leaf(authority, "client", "lab", "doors")),
        "wrong authority": (authority.cert, certificates.leaf(stranger, "client", "lab", "doors")),
        "expired": (authority.cert, certificates.leaf(authority, "client", "lab", "doors", now=past)),
        "another cluster's": (authority.cert, certificates.leaf(authority, "client", "lab", "other")),
        "a worker's": (worker["ca"], certificates.Pair(worker["cert"], worker["key"])),
    }


def computes(address, ca, pair):
    security = Security(
        require_encryption=True, tls_ca_file=ca, tls_client_cert=pair.cert, tls_client_key=pair.key
    )
    try:
        with Client(address, security=security, timeout=4) as client:
            return client.submit(sum, [1, 2]).result(timeout=10) == 3
    except (OSError, ValueError, TimeoutError):
        return False


@pytest.mark.parametrize("leaf", ["right", "wrong authority", "expired", "another cluster's", "a worker's"])
def test_the_protocol_opens_to_the_right_certificate_alone(cluster, leaves, leaf):
    assert computes(cluster.scheduler_address, *leaves[leaf]) == (leaf == "right")


def test_the_protocol_says_nothing_in_plain_or_without_a_certificate(host, leaves):
    with socket.create_connection((host, 8786), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionError):
            assert b"HTTP" not in plain.recv(100)
    context = ssl.create_default_context(cadata=leaves["right"][0])
    context.check_hostname = False
    assert not answers(host, context)


def answers(host, context):
    """Tell whether the scheduler says anything over TLS; TLS 1.3 refuses a certificate only at the first read."""
    with (
        suppress(OSError),
        socket.create_connection((host, 8786), timeout=5) as plain,
        context.wrap_socket(plain) as made,
    ):
        made.sendall(b"x" * 100)
        return made.recv(100) != b""
    return False


def context_of(leaves):
    context = ssl.create_default_context(cadata=leaves["right"][0])
    context.check_hostname = False
    return context


def ask(host, leaves, path, **headers):
    connection = http.client.HTTPSConnection(host, 8787, timeout=10, context=context_of(leaves))
    with closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())


def test_the_dashboard_opens_to_its_token_alone(cluster, host, leaves):
    token = cluster.dashboard_link.partition("token=")[2]
    assert cluster.dashboard_link == f"https://{host}:8787/status?token={token}"
    assert ask(host, leaves, "/health")[:2] == (200, b"ok")
    for path in (
        "/status",
        "/",
        "/info/main/workers.html",
        "/metrics",
        "/json/counts.json",
        "/proxy/1/2/3",
        "/x",
    ):
        status, body, _ = ask(host, leaves, path)
        assert (path, status) == (path, 401)
        assert b"dask" not in body.lower()
    assert ask(host, leaves, "/status?token=wrong")[0] == 401
    status, _, headers = ask(host, leaves, f"/status?token={token}")
    assert (status, headers["Location"]) == (303, "/status")
    cookie = headers["Set-Cookie"]
    assert {"HttpOnly", "Secure"} <= {part.strip() for part in cookie.split(";")}
    assert token not in cookie
    status, body, _ = ask(host, leaves, "/status", Cookie=cookie.partition(";")[0])
    assert (status, b"Dask" in body) == (200, True)
    with pytest.raises((OSError, http.client.HTTPException)):  # noqa: PT012
        plain = http.client.HTTPConnection(host, 8787, timeout=5)
        with closing(plain):
            plain.request("GET", "/health")
            plain.getresponse()


def test_websockets_of_the_dashboard_need_the_token_too(cluster, host, leaves):
    token = cluster.dashboard_link.partition("token=")[2]
    cookie = ask(host, leaves, f"/status?token={token}")[2]["Set-Cookie"].partition(";")[0]

    async def connect(**headers):
        from tornado.httpclient import HTTPClientError, HTTPRequest

        request = HTTPRequest(
            f"wss://{host}:8787/status/ws",
            headers={"Origin": f"https://{host}:8787", **headers},
            ssl_options=context_of(leaves),
        )
        try:
            made = await websocket_connect(request, subprotocols=["bokeh", "x"])
        except HTTPClientError as refused:
            return refused.code
        made.close()
        return 101

    async def both():
        return await connect(), await connect(Cookie=cookie)

    loop = IOLoop(make_current=False)
    try:
        without, with_cookie = loop.run_sync(both, timeout=20)
    finally:
        loop.close()
    assert without == 401
    # Bokeh itself may refuse a socket without a session of its own, after the door has let it in.
    assert with_cookie != 401


def test_a_rotation_replaces_certificates_and_no_machine(cluster, host, inside):
    def presented():
        return ssl.get_server_certificate((host, 8787))

    machines, before = set(inside.instances("doors")), presented()
    with cluster.get_client() as client:
        futures = client.map(lambda number: number + 1, range(10))
        inside.cli("cluster", "rotate", "doors", "--workspace", "lab")
        until(lambda: presented() != before, seconds=120)
        assert client.gather(futures) == list(range(1, 11))
    assert set(inside.instances("doors")) == machines
    script = (
        "from coiled_pulumi import Cluster\n"
        "with Cluster(name='doors') as cluster, cluster.get_client() as client:\n"
        "    print(client.submit(sum, [1, 2, 3]).result(timeout=30))\n"
    )
    assert inside.python(script).stdout.splitlines()[-1] == "6"
