"""JSON Schema of the workspace file, for editors."""

from __future__ import annotations

from typing import Any

from coiled_pulumi.spec.load import CONFIG_KEY
from coiled_pulumi.spec.workspace import Workspace

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def workspace_schema() -> dict[str, Any]:
    """Describe the workspace itself."""
    return Workspace.model_json_schema()


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
