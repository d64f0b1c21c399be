"""What seals the secrets of a backend's stacks: chosen when a stack is made, found again on other machines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from coiled_pulumi.errors import CoiledPulumiError
from coiled_pulumi.ops.engine_run import query
from coiled_pulumi.ops.target import Place, state_home

VARIABLE = "COILED_PULUMI_SECRETS_PROVIDER"


def secrets_provider(environ: Mapping[str, str] = os.environ) -> str:
    """Give the secrets provider for new stacks on the backend in use; empty for Pulumi's own choice, a passphrase.

    The variable counts first, then what `remember` wrote down for this backend on this machine.
    """
    named = environ.get(VARIABLE, "")
    return named or _recorded(_file(environ)).get(environ.get("PULUMI_BACKEND_URL", ""), "")


def remember(url: str, provider: str, environ: Mapping[str, str] = os.environ) -> None:
    """Write down which secrets provider a backend's stacks get."""
    file = _file(environ)
    known = _recorded(file)
    if known.get(url) != provider:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(json.dumps(known | {url: provider}, indent=2, sort_keys=True) + "\n")


def adopt(target: Place) -> bool:
    """Take what seals a stack's secrets from its state into our settings; False where there is no such stack.

    Pulumi keeps it in a stack's settings, and those are on the machine that made the stack.
    """
    try:
        text = query(["stack", "export", "--stack", target.stack], folder=target.config_file.parent)
    except CoiledPulumiError:
        return False
    keys = sealing_of(text)
    if keys:
        settings = json.loads(target.config_file.read_text(encoding="utf-8"))
        target.config_file.write_text(json.dumps(settings | keys, indent=2) + "\n", encoding="utf-8")
    return True


def sealing_of(exported: str) -> dict[str, str]:
    """Give the keys of a stack's settings that its exported state tells of; none for a kind that we don't know."""
    try:
        found = json.loads(exported)["deployment"]["secrets_providers"]
        if found["type"] == "cloud":
            return {"secretsprovider": found["state"]["url"], "encryptedkey": found["state"]["encryptedkey"]}
        return {"encryptionsalt": found["state"]["salt"]} if found["type"] == "passphrase" else {}
    except (ValueError, KeyError, TypeError):
        return {}


def _file(environ: Mapping[str, str]) -> Path:
    return state_home(environ) / "backends.json"


def _recorded(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
