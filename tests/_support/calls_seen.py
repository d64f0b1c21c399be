"""A call of AWS's API as it crosses a wire: who is asked for what, with which parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from coiled_pulumi.local import calls as names
from coiled_pulumi.local import signature

#: Parameters that say nothing of what is asked for.
_ENVELOPE = frozenset({"Action", "Version"})
_NUMBER = re.compile(r"[1-9]\d*")


@dataclass(frozen=True)
class Seen:
    """One call.

    Attributes:
        service: the signing name, as `ec2`.
        action: as the documentation names it, as `RunInstances`.
        region: that it was signed for.
        parameters: nested as in the documentation of the API: mappings, lists and text.
        facts: what was known of the resources that it names, by id or name, before it was answered.
        status: of the answer; 0 while there is none.
    """

    service: str
    action: str
    region: str
    parameters: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 0

    @property
    def name(self) -> str:
        """Service and action in one, as policies write them."""
        return f"{self.service}:{self.action}"

    @property
    def dry(self) -> bool:
        """Whether it only asks if it would be allowed."""
        return str(self.parameters.get("DryRun", "")).lower() == "true"

    @property
    def mutating(self) -> bool:
        """Whether it is one that changes something, judged by its name."""
        return names.is_mutating(self.service, self.action)


def read(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Seen:
    """Read a signed request; one of a protocol that is not known here has no parameters."""
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    path, _, query = target.partition("?")
    claim = signature.claim_of(environ | {"QUERY_STRING": query})
    if wanted := headers.get("X-Amz-Target"):
        return Seen(claim.service, wanted.rpartition(".")[2], claim.region, json.loads(body or b"{}"))
    pairs = dict(parse_qsl(body.decode("utf-8", "replace") or query, keep_blank_values=True))
    if "Action" in pairs:
        return Seen(claim.service, pairs["Action"], claim.region, nested(pairs))
    if operation := re.search(r"/operation/(\w+)$", path):
        return Seen(claim.service, operation[1], claim.region)
    return Seen(claim.service, f"{method.capitalize()} {unquote(path)}", claim.region)


def nested(pairs: Mapping[str, str]) -> dict[str, Any]:
    """Undo the flat names of the query protocol: `Filter.1.Value.2` and `Tags.member.1.Key`."""
    tree: dict[str, Any] = {}
    for name, value in pairs.items():
        if name in _ENVELOPE:
            continue
        *above, last = [part for part in name.split(".") if part != "member"]
        at = tree
        for part in above:
            at = at.setdefault(part, {})
        at[last] = value
    return {name: _listed(value) for name, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if all(_NUMBER.fullmatch(name) for name in value):
        return [_listed(value[name]) for name in sorted(value, key=int)]
    return {name: _listed(inner) for name, inner in value.items()}
