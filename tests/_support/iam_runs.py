"""The workspace of the tests of IAM documents, and calls that were recorded while it was up."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from _support.calls_seen import Seen
from coiled_pulumi.plan import model, policy_documents
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec.load import parse

WORKSPACE = "narrow"
FILE = f"""\
name: {WORKSPACE}
network: {{cidr: 10.70.0.0/16, zones: [us-east-1a]}}
ingress: [{{ports: [8786], cidr: me}}]
tags: {{team: data, crew: red}}
clusters:
  one: {{n_workers: 1, worker: {{instance_type: m6i.large}}}}
"""
#: One call of each kind, for tests without an engine; the engine's test writes it on demand.
RECORDED = Path(__file__).parents[1] / "iam" / "recorded.json"
#: Long, and nothing that a policy looks at.
_LEFT_OUT = ("UserData", "PolicyDocument", "AssumeRolePolicyDocument", "ClientToken")


def plan(text: str = FILE) -> model.Workspace:
    """Plan a workspace file."""
    return build(parse(text, source="test").workspace)


def documents(of: model.Workspace) -> list[dict[str, Any]]:
    """Give the two documents of a person who sets a workspace up."""
    return [policy_documents.setup(of), policy_documents.ongoing(of)]


def load() -> list[Seen]:
    """Read the recorded calls."""
    return [Seen(**row) for row in json.loads(RECORDED.read_text())]


def dump(calls: Iterable[Seen]) -> str:
    """Write the first call of each action, and for tags one per kind of what is tagged."""
    kept: dict[tuple[str, ...], Seen] = {}
    for call in calls:
        kinds = sorted({one.partition("-")[0] for one in call.parameters.get("ResourceId", ())})
        tags = sorted(row.get("Key", "") for row in call.parameters.get("Tag", ()) if kinds)
        kept.setdefault((call.name, *(kinds if call.mutating else ()), *tags), call)
    rows = [
        dataclasses.asdict(call) | {"parameters": _short(call.parameters)} for _, call in sorted(kept.items())
    ]
    for row in rows:
        row["facts"] = _short(row["facts"])
    return "[\n" + ",\n".join(json.dumps(row, sort_keys=True) for row in rows) + "\n]\n"


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items() if name not in _LEFT_OUT}
    return [_short(inner) for inner in value] if isinstance(value, list | tuple) else value


def first(calls: Sequence[Seen], name: str, **parameters: Any) -> Seen:
    """Give the first call of an action that has these parameters.

    Raises:
        AssertionError: there is none.
    """
    for call in calls:
        if call.name == name and parameters.items() <= call.parameters.items():
            return call
    raise AssertionError(f"no {name} with {parameters} was recorded")
