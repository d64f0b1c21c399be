"""JSON Schema of the workspace file, for editors."""

from __future__ import annotations

from typing import Any

from coiled_pulumi.spec.aliases import ALIASES
from coiled_pulumi.spec.load import CONFIG_KEY
from coiled_pulumi.spec.workspace import Workspace

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def workspace_schema() -> dict[str, Any]:
    """Describe the workspace itself, as it may be written: with other names of keys, and one mapping for a list."""
    schema = Workspace.model_json_schema()
    definitions = schema.get("$defs", {})
    for model in (schema, *definitions.values()):
        model["properties"] = {key: _said(found) for key, found in model.get("properties", {}).items()}
    for level in (schema, definitions["Cluster"]):
        _add_other_ways(level)
    return schema


def stack_file_schema() -> dict[str, Any]:
    """Describe a Pulumi stack file that holds a workspace; keys of Pulumi's own are left to Pulumi."""
    workspace = workspace_schema()
    definitions = workspace.pop("$defs", {})
    return {
        "$schema": DIALECT,
        "title": "Pulumi stack file of a coiled-pulumi workspace",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {"type": "object", "required": [CONFIG_KEY], "properties": {CONFIG_KEY: workspace}}
        },
        "$defs": definitions,
    }


def _said(found: dict[str, Any]) -> dict[str, Any]:
    """Take null out: a key that says nothing is left out."""
    found = {key: _without_none(part) if key == "default" else part for key, part in found.items()}
    if found.get("default") in (None, {}):
        found.pop("default", None)
    choices = [choice for choice in found.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == len(found.get("anyOf", ())):
        return found
    rest = {key: part for key, part in found.items() if key != "anyOf"}
    return {**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **rest}


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_none(part) for key, part in value.items() if part is not None}
        return {key: part for key, part in kept.items() if part != {}}
    return value


def _add_other_ways(level: dict[str, Any]) -> None:
    """Add what `aliases` brings into the one form; a key under both its names is refused."""
    known = level["properties"]
    rules = known["ingress"]
    form = {key: rules.pop(key) for key in ("type", "items")}
    known["ingress"] = {"anyOf": [form, form["items"]], **rules}
    for alias, name in ALIASES.items():
        known[alias] = {**known[name], "title": _title(alias), "description": f"The same as {name}."}
    level["allOf"] = [{"not": {"required": [alias, name]}} for alias, name in ALIASES.items()]


def _title(key: str) -> str:
    return key.replace("_", " ").title()
