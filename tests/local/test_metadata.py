"""The metadata service as clients of AWS use it: on a socket, asked by botocore and by hand."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import InstanceMetadataProvider
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from coiled_pulumi.local.hosts.metadata import Metadata

MAC = "02:00:00:00:00:01"
ENDS = f"{datetime.now(UTC) + timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}"
INSTANCE = {
    "metadata": {
        "meta-data/instance-id": "i-1",
        "meta-data/placement/availability-zone": "us-east-1a",
        "meta-data/placement/region": "us-east-1",
        f"meta-data/network/interfaces/macs/{MAC}/vpc-ipv4-cidr-blocks": "10.0.0.0/16\n10.1.0.0/16",
        "meta-data/iam/info": "{}",
        "dynamic/instance-identity/document": "{}",
    },
    "metadata_options": {"tokens": "required", "endpoint": "enabled"},
    "user_data": "#!/bin/sh\n",
    "credentials": {
        "Role": "dev",
        "Code": "Success",
        "LastUpdated": ENDS,
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIA1",
        "SecretAccessKey": "s",
        "Token": "t",
        "Expiration": ENDS,
    },
}


class Service:
    """The service of one instance on a loopback address."""

    def __init__(self) -> None:
        self.metadata = Metadata()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.server = self.call(self.metadata.serve(listener, "i-1"))

    def call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def tell(self, **changes: Any) -> None:
        self.metadata.update({"i-1": INSTANCE | changes})

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def token(self, ttl: str = "60") -> str:
        status, token = self.ask("/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds=ttl)
        assert status == 200
        return token

    def get(self, path: str) -> tuple[int, str]:
        return self.ask(f"/latest/{path}", X_aws_ec2_metadata_token=self.token())

    def close(self) -> None:
        async def end() -> None:
            self.server.close()
            await self.server.wait_closed()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
                await asyncio.wait([task])

        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    made.tell()
    yield made
    made.close()


def test_botocore_finds_region_and_credentials(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"base_url": f"http://127.0.0.1:{service.port}/", "env": {}}
    provider = InstanceMetadataProvider(InstanceMetadataFetcher(timeout=5, **options))
    found = provider.load().get_frozen_credentials()
    assert (found.access_key, found.secret_key, found.token) == ("ASIA1", "s", "t")
    assert InstanceMetadataRegionFetcher(**options).retrieve_region() == "us-east-1"


def test_folders_are_listed_and_leaves_are_told(service: Service) -> None:
    assert service.get("")[1].split() == ["dynamic/", "meta-data/", "user-data"]
    assert service.get("meta-data/")[1].split() == ["iam/", "instance-id", "network/", "placement/"]
    assert service.get("meta-data/network/interfaces/macs/") == (200, f"{MAC}/")
    assert service.get(f"meta-data/network/interfaces/macs/{MAC}/vpc-ipv4-cidr-blocks")[1].split() == [
        "10.0.0.0/16",
        "10.1.0.0/16",
    ]
    assert service.get("meta-data/iam/security-credentials/") == (200, "dev")
    assert "Role" not in json.loads(service.get("meta-data/iam/security-credentials/dev")[1])
    assert service.get("user-data") == (200, "#!/bin/sh\n")
    assert service.get("meta-data/spot/instance-action")[0] == 404
    assert service.get("meta-data/public-ipv4")[0] == 404


def test_what_is_told_later_is_answered_at_once(service: Service) -> None:
    service.tell(metadata={"meta-data/spot/instance-action": "{}"}, user_data="", credentials=None)
    assert service.get("meta-data/spot/instance-action") == (200, "{}")
    assert service.get("user-data")[0] == 404
    assert service.get("meta-data/iam/security-credentials/")[0] == 404


def test_only_who_has_a_token_is_answered(service: Service) -> None:
    path, known = "/latest/meta-data/instance-id", service.token()
    assert service.ask(path)[0] == 401
    assert service.ask(path, X_aws_ec2_metadata_token=known) == (200, "i-1")
    for wrong in ("", "x", known[:-2] + "AA"):
        assert service.ask(path, X_aws_ec2_metadata_token=wrong)[0] == 401
    service.tell(metadata_options={"tokens": "optional"})
    assert service.ask(path) == (200, "i-1")
    assert service.ask(path, X_aws_ec2_metadata_token="x")[0] == 401
    service.tell(metadata_options={"tokens": "optional", "endpoint": "disabled"})
    assert service.ask(path)[0] == 403


def test_token_of_another_instance_or_of_yesterday_is_none(service: Service) -> None:
    other = service.metadata._signed("i-2", 2**50)
    late = service.metadata._signed("i-1", 1)
    for token in (other, late):
        assert service.ask("/latest/user-data", X_aws_ec2_metadata_token=token)[0] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_aws_ec2_metadata_token_ttl_seconds": "21600"}, 200),
        ({}, 400),
        ({"X_aws_ec2_metadata_token_ttl_seconds": "0"}, 400),
        ({"X_aws_ec2_metadata_token_ttl_seconds": "21601"}, 400),
        ({"X_aws_ec2_metadata_token_ttl_seconds": "1e3"}, 400),
        ({"X_aws_ec2_metadata_token_ttl_seconds": "60", "X_Forwarded_For": "10.0.0.1"}, 403),
    ],
)
def test_token_is_only_given_as_aws_gives_it(service: Service, headers: dict[str, str], status: int) -> None:
    assert service.ask("/latest/api/token", "PUT", **headers)[0] == status


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (b"GET /latest/meta-data/ HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b""),
        (b"\xff\xfe\r\n\r\n", b""),
        (b"GET\r\n\r\n", b""),
        (b"DELETE /latest/meta-data/ HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 "),
        (b"GET /../etc/passwd HTTP/1.1\r\nX-aws-ec2-metadata-token: %s\r\n\r\n", b"HTTP/1.1 404 "),
    ],
)
def test_what_is_no_good_request_does_no_harm(service: Service, sent: bytes, begins: bytes) -> None:
    sent = sent.replace(b"%s", service.token().encode())
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
        client.sendall(sent)
        answer = b""
        try:
            while piece := client.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
    assert answer.startswith(begins)
    assert service.get("meta-data/instance-id") == (200, "i-1")


def test_who_asks_slowly_is_let_go(service: Service, patience: Callable[[float], None]) -> None:
    patience(0.2)
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
        client.sendall(b"GET /latest/meta-data/ HT")
        assert client.recv(1) == b""


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    return lambda seconds: monkeypatch.setattr("coiled_pulumi.local.hosts.metadata._PATIENCE", seconds)
