"""Public addresses come from 127.0.0.0/8, each once.

moto draws instances' addresses from 54.214.0.0/16, which is somebody's, and elastic ones from all of
127.0.0.0/8 by chance, the machine's own 127.0.0.1 included. AWS hands out addresses that lead to the
instance and that no two holders share. Here only loopback leads anywhere, and nothing else may be dialled.

moto also gives every instance with a public address a DNS name of AWS's real zone; AWS only does so where the
VPC has DNS hostnames switched on. https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html

An interface without a public address has an empty association at moto, which clients take for an address; AWS leaves it
out. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterface.html
"""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterator
from typing import Any, Final

#: 127.0.0.0/16 stays the machine's: 127.0.0.1, resolvers at 127.0.0.53, Debian's own name at 127.0.1.1.
_FIRST: Final = 1
#: Where the server that hands out 127.A.0.0/16 holds that range, as long as it lives. Nobody listens there.
_HELD: Final = ("127.{}.255.254", 8786)


def apply() -> None:
    """Replace both of moto's draws by one sequence."""
    from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces
    from moto.ec2.models.instances import Instance

    sequence = _addresses()
    for module, name in (
        (elastic_ip_addresses, "random_ip"),
        (elastic_network_interfaces, "random_public_ip"),
    ):
        setattr(module, name, lambda: next(sequence))

    named = Instance.public_dns_name.fget

    def public_dns_name(self: Any) -> str | None:
        vpc = self.ec2_backend.vpcs.get(self.vpc_id)
        return named(self) if vpc is not None and vpc.enable_dns_hostnames else None

    Instance.public_dns_name = property(public_dns_name)
    interface = elastic_network_interfaces.NetworkInterface
    association = interface.association.fget
    interface.association = property(lambda self: association(self) or None)


def _addresses() -> Iterator[str]:
    """Count through the range, leaving out what looks like a network's or a broadcast address.

    An address that was given back is not given out again: the range outlasts any run.
    """
    for a, b, c in itertools.product(range(_hold(), 255), range(256), range(1, 255)):
        yield f"127.{a}.{b}.{c}"


def _hold() -> int:
    """Give the first range that no other local AWS of this machine hands out: hosts of both would be one address."""
    host, port = _HELD
    for a in range(_FIRST, 255):
        # Detached, so that it is closed by the end of the process alone, however that comes.
        held = socket.socket(fileno=None)
        try:
            held.bind((host.format(a), port))
        except OSError as error:
            held.close()
            if error.errno == errno.EADDRINUSE:
                continue
            return _FIRST  # as on macOS, which has 127.0.0.1 alone: nothing can listen there anyway
        held.detach()
        return a
    return _FIRST
