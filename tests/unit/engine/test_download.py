from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from coiled_pulumi.engine import download, locate
from coiled_pulumi.errors import EngineError


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def release(files: dict[str, bytes], of: download.Release, sums: str | None = None) -> dict[str, bytes]:
    """Make the paths of one release as they are on the server."""
    content = archive(files)
    listed = sums or f"{hashlib.sha256(content).hexdigest()}  {of.archive}\n{'0' * 64}  other.tar.gz\n"
    return {f"/{of.folder}/{of.archive}": content, f"/{of.folder}/{of.checksums[0]}": listed.encode()}


CLI = {"pulumi/pulumi": b"#!/bin/sh\necho v3.259.0\n", "pulumi/pulumi-language-python": b"#!/bin/sh\n"}
PLUGIN = {"pulumi-resource-aws": b"#!/bin/sh\n", "LICENSE": b"text\n"}


class Server(ThreadingHTTPServer):
    """Serves the paths in `files` on loopback and remembers what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(world) -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        world.environ["COILED_PULUMI_RELEASES"] = running.url
        yield running
        running.shutdown()
        thread.join()


def test_release_is_installed_where_it_is_found_again(world, server: Server) -> None:
    server.files = release(CLI, download.cli_release()) | release(PLUGIN, download.plugin_release())
    reports: list[str] = []
    got = download.download(reports.append, world.environ)
    folder = locate.release_folder(world.environ)
    assert got == locate.Engine(
        pulumi=folder / "bin" / "pulumi",
        plugin=locate.plugin_in(folder / "home"),
        language_host=folder / "bin" / "pulumi-language-python",
        source="download",
        version="3.259.0",
        bin_dirs=(folder / "bin",),
        home=folder / "home",
    )
    assert locate.find(world.environ) == got
    assert sorted(entry.name for entry in folder.iterdir()) == ["bin", "home", "lock"]
    assert reports == [
        f"downloading {download.cli_release().archive}",
        f"downloading {download.plugin_release().archive}",
    ]


def test_second_download_asks_nobody(world, server: Server) -> None:
    server.files = release(CLI, download.cli_release()) | release(PLUGIN, download.plugin_release())
    first = download.download(lambda _: None, world.environ)
    server.asked.clear()
    assert download.download(lambda _: None, world.environ) == first
    assert server.asked == []


def test_wrong_checksum_installs_nothing(world, server: Server) -> None:
    cli = download.cli_release()
    server.files = release(CLI, cli, sums=f"{'ab' * 32}  {cli.archive}\n")
    actual = hashlib.sha256(server.files[f"/{cli.folder}/{cli.archive}"]).hexdigest()
    with pytest.raises(EngineError) as caught:
        download.download(lambda _: None, world.environ)
    assert caught.value.what == f"{cli.archive} has the checksum {actual[:12]}..., expected abababababab..."
    assert not (locate.release_folder(world.environ) / "bin").exists()
    assert list(locate.release_folder(world.environ).glob("*.tar.gz")) == []


def test_platform_without_a_release_is_named(world, server: Server) -> None:
    cli = download.cli_release()
    server.files = release(CLI, cli, sums=f"{'ab' * 32}  other.tar.gz\n")
    with pytest.raises(EngineError, match=f"the release has no checksum for {cli.archive}"):
        download.download(lambda _: None, world.environ)


def test_release_without_plugin_leaves_the_plugin_to_pulumi(world, server: Server) -> None:
    server.files = release(CLI, download.cli_release())
    got = download.download(lambda _: None, world.environ)
    assert got is not None
    assert got.plugin is None
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in locate.environment(got, world.environ)


def test_archive_that_reaches_outside_is_refused(world, server: Server) -> None:
    server.files = release({"../../evil": b"x"}, download.cli_release())
    with pytest.raises(EngineError, match="downloading the official release failed"):
        download.download(lambda _: None, world.environ)
    assert not list(world.root.rglob("evil"))


def test_no_access_is_said_once_and_quickly(world) -> None:
    # The discard port: refused at once.
    world.environ["COILED_PULUMI_RELEASES"] = "http://127.0.0.1:9"
    reports: list[str] = []
    assert download.download(reports.append, world.environ) is None
    assert reports == ["the official release cannot be reached"]


def test_server_that_never_answers_is_given_up(world) -> None:
    with Server() as silent:  # listens, but nobody serves
        world.environ["COILED_PULUMI_RELEASES"] = silent.url
        assert download.download(lambda _: None, world.environ, probe_seconds=0.1) is None


def test_address_must_be_http(world) -> None:
    world.environ["COILED_PULUMI_RELEASES"] = "file:///etc"
    with pytest.raises(EngineError, match="must be an http or https address, got 'file:///etc'"):
        download.download(lambda _: None, world.environ)


@pytest.mark.parametrize("line", ["AB12  name", "ab12 *name", "ab12  ./name"])
def test_checksum_lines_of_all_common_tools(line: str) -> None:
    assert download.checksum_of(f"ffff  name.sig\n\n{line}\n", "name") == "ab12"
