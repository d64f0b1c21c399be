"""Who may connect from where, and who may ask for what."""

import pytest

from coiled_pulumi.node.guard import EARLY_DOORS, WORKER_DOORS, Peer, peer_of, refused_admission, refused_door

CIDRS = ("10.10.0.0/16", "10.20.0.0/16")
INSIDE, OUTSIDE, HERE = "10.20.3.4", "203.0.113.9", "10.10.0.5"


def _peer(
    role: str, host: str = INSIDE, cluster: str = "lab/main", organization: str = "coiled-pulumi"
) -> Peer:
    return Peer(role, cluster, organization, host, HERE)


@pytest.mark.parametrize(
    ("role", "host", "sides"),
    [
        ("client", OUTSIDE, "scheduler worker"),
        ("worker", INSIDE, "scheduler worker"),
        ("worker", OUTSIDE, ""),
        ("worker", HERE, "scheduler worker nanny"),
        ("scheduler", INSIDE, "worker nanny"),
        ("scheduler", HERE, "scheduler worker nanny"),
        ("scheduler", OUTSIDE, ""),
        ("authority", HERE, ""),
        ("", HERE, ""),
    ],
)
def test_admission(role, host, sides):
    def admits(side, **other) -> bool:
        return refused_admission(_peer(role, host, **other), side, "lab/main", CIDRS) is None

    every = ("scheduler", "worker", "nanny")
    assert {side for side in every if admits(side)} == set(sides.split())
    assert not any(admits(side, cluster="lab/other") for side in every)
    assert not any(admits(side, organization="somebody") for side in every)


def test_without_blocks_no_worker_is_inside():
    assert refused_admission(_peer("worker"), "scheduler", "lab/main", ())


@pytest.mark.parametrize(
    "door", ["register-client", "gather", "run_function", "terminate", "proxy", "lock_acquire"]
)
def test_doors_of_clients(door):
    for registered, role, refused in (
        (False, "client", False),
        (False, "worker", True),
        (True, "worker", False),
        (False, "scheduler", False),
    ):
        why = refused_door(_peer(role), door, registered=lambda registered=registered: registered)
        assert bool(why) == refused


@pytest.mark.parametrize("door", sorted(EARLY_DOORS))
def test_doors_of_workers(door):
    assert refused_door(_peer("worker"), door, registered=lambda: False) is None
    assert bool(refused_door(_peer("client"), door, registered=lambda: True)) == (door in WORKER_DOORS)


class _Comm:
    """A connection as far as who is at its ends."""

    peer_address, local_address = f"tls://{INSIDE}:1", f"tls://{HERE}:2"

    def __init__(self, *subject: tuple[str, str]) -> None:
        self.extra_info = {"peercert": {"subject": tuple((pair,) for pair in subject)}} if subject else {}


def test_a_peer_is_read_from_its_certificate():
    names = ("organizationName", "coiled-pulumi"), ("organizationalUnitName", "lab/main")
    assert peer_of(_Comm(("commonName", "worker"), *names)) == _peer("worker")
    assert peer_of(_Comm(("commonName", "worker"), ("commonName", "client"), *names)).role == ""
    assert peer_of(_Comm()) == Peer("", "", "", INSIDE, HERE)
