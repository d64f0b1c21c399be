"""What the supervisor knows of an instance that runs, however it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from coiled_pulumi.local.hosts.disk import Disk
    from coiled_pulumi.local.hosts.snapshot import Instance

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machine(Protocol):
    """An instance's processes."""

    async def ended(self) -> int:
        """Wait until the first of them has ended; give its exit code, negative for a signal."""

    def ask(self) -> None:
        """Ask them to end."""

    def kill(self) -> None:
        """End all of them at once."""


def environment(instance: Instance, disk: Disk, *, api: str, home: str) -> dict[str, str]:
    """Give the environment of an instance, of which nothing is the machine's: no credentials, no proxies.

    Args:
        instance: whose.
        disk: its own.
        api: address of the API as the instance sees it.
        home: of its only user.
    """
    region = {"AWS_REGION": instance.region} if instance.region else {}
    return {
        "PATH": f"{disk.shims}:{_PATH}",
        "HOME": home,
        "LANG": "C.UTF-8",
        "AWS_ENDPOINT_URL": api,
        **region,
    }
