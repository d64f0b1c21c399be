"""The words of the findings: which resource, what is wrong, how to put it right."""

from collections.abc import Sequence
from typing import Final

_CLIP: Final = 40


def resource(type_token: str, name: str) -> str:
    """Name a resource as `LaunchTemplate 'workers'`."""
    return f"{type_token.rsplit(':', 1)[-1]} {name!r}"


def imdsv1(who: str, *, path: str, value: object) -> str:
    return (
        f"{who}: {path} is {_shown(value)}, so instance metadata and its credentials can be read without a "
        "session token (IMDSv1); set it to 'required'"
    )


def disk_not_encrypted(who: str, *, path: str, value: object) -> str:
    return f"{who}: {path} is {_shown(value)}, so the disk is written in the clear; set it to true"


def root_disk_missing(who: str, *, path: str, names: Sequence[str] = ()) -> str:
    named = f" with deviceName {_listed(names, word='or')}" if names else ""
    return (
        f"{who}: {path} does not describe the root disk{named}, so the image decides whether it is "
        "encrypted; add it with encrypted: true"
    )


def worker_asks_for_public_address(who: str, *, path: str) -> str:
    return f"{who}: {path} is true, so every worker gets a public address; remove it or set it to false"


def subnet_gives_public_addresses(who: str, *, path: str) -> str:
    return (
        f"{who}: {path} is true, so everything started in it gets a public address; "
        "set it to false and give the one host that needs an address its own"
    )


def tags_missing(who: str, *, tags: Sequence[str]) -> str:
    word = "the tag" if len(tags) == 1 else "the tags"
    return (
        f"{who}: lacks {word} {_listed(tags)}, by which clean-up and recovery find what belongs to a "
        "workspace; set them in the call that creates it"
    )


def ssh_open(who: str, *, world: Sequence[str], rules: Sequence[str]) -> str:
    return (
        f"{who}: SSH (port 22) is open to {_listed(world)} through {_listed(rules)}; "
        "narrow `ingress` to your own address (`cidr: me`) or leave port 22 out"
    )


def not_a_cidr(who: str, *, path: str, value: object) -> str:
    return f"{who}: {path} is {_shown(value)}, which is no address block; write it as 203.0.113.7/32"


def unknown(who: str, *, path: str) -> str:
    return f"{path} of {who} is not known yet; it is judged during the update"


def _shown(value: object) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return str(value).lower()
        case str() | int() | float():
            text = repr(value)
            return text if len(text) <= _CLIP else f"{text[: _CLIP - 3]}..."
        case _:
            return f"a {type(value).__name__}"


def _listed(words: Sequence[str], *, word: str = "and") -> str:
    *most, last = words
    return f"{', '.join(most)} {word} {last}" if most else last
