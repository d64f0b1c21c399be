"""What rules look at and say: resources and findings, and safe ways into odd or unknown properties."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from coiled_policies import messages


class Unknown(enum.Enum):
    """The type of `UNKNOWN`, a value that exists only after the update."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as the engine shows it."""

    type: str
    name: str
    props: Mapping[str, Any]
    """Properties as Pulumi sends them: camelCase keys, numbers as floats, `UNKNOWN` where not known yet."""
    urn: str = ""
    default_tags: Mapping[str, Any] | Unknown = field(default_factory=dict)
    """Tags that its provider adds to everything."""
    group: str | None = None
    """URN of the security group that `securityGroupId` comes from, if it comes from a resource."""

    def __str__(self) -> str:
        return messages.resource(self.type, self.name)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has to say about one resource."""

    message: str
    unknown: bool = False
    """The rule could not tell yet; not a violation."""
    urn: str = ""
    """The resource it is about, if the rule looked at several."""


def not_known(resource: Resource, path: str) -> Finding:
    """Return the finding that `path` cannot be judged yet."""
    return Finding(messages.unknown(str(resource), path=path), unknown=True, urn=resource.urn)


def at(value: Any, *keys: str) -> Any:
    """Walk into mappings: None where there is nothing, `UNKNOWN` from the first unknown value on."""
    for key in keys:
        if value is UNKNOWN:
            return UNKNOWN
        value = mapping(value).get(key)
    return value


def entries(value: Any, key: str) -> list[tuple[str, Any]]:
    """Return the entries of the list under `key` with their paths; an unknown list is one unknown entry."""
    match at(value, key):
        case Unknown():
            return [(key, UNKNOWN)]
        case list() as values:
            return [(f"{key}[{index}]", entry) for index, entry in enumerate(values)]
        case _:
            return []


def mapping(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def is_true(value: Any) -> bool:
    """Whether a flag is set; launch templates write theirs as text."""
    return value is True or (isinstance(value, str) and value.lower() in ("true", "1"))
