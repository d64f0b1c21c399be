"""AWS's own table of actions: which resources each is checked against, and which condition keys it knows there.

It is the copy of the Service Authorization Reference that comes with parliament.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ResourceType:
    """A kind of resource that an action is checked against.

    Attributes:
        name: as in the reference, as `subnet`; empty for what holds for the action whatever the resource.
        required: whether each call of the action is checked against one.
        keys: condition keys, as `aws:RequestTag/${TagKey}`.
    """

    name: str
    required: bool
    keys: tuple[str, ...]


@functools.cache
def parliament() -> Any:
    """Import parliament; it leaves two files open, of which Python would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import parliament
    return parliament


@functools.cache
def resource_types(service: str, action: str) -> tuple[ResourceType, ...]:
    """Give what an action is checked against.

    Raises:
        KeyError: there is no such action.
    """
    return tuple(
        ResourceType(
            row["resource_type"].removesuffix("*"),
            row["resource_type"].endswith("*"),
            tuple(row["condition_keys"]),
        )
        for row in _actions(service)[action]["resource_types"]
    )


def knows(service: str, action: str) -> bool:
    """Whether AWS has such an action."""
    return action in _actions(service)


@functools.cache
def _actions(service: str) -> dict[str, Any]:
    found = next((row for row in parliament().iam_definition if row["prefix"] == service), None)
    return {row["privilege"]: row for row in found["privileges"]} if found else {}
