"""Logical and physical names: contract, because renaming a resource replaces it.

A logical name is `<workspace>-<key>`. A key says what a thing is for and never where it stands in a list:
`public-us-east-1a`, `scheduler-ingress-8786-from-me`, `main-workers`. Physical names are fixed for the role, the
instance profile and the log group (the workspace's slug, as on Coiled) and made unique by Pulumi elsewhere.
"""

from __future__ import annotations

import hashlib
import re


def logical(workspace: str, key: str) -> str:
    """Give the logical name of a key in a workspace."""
    return f"{workspace}-{key}"


def fingerprint(logical_name: str) -> str:
    """Give the value of the tag `coiled-pulumi:key`: 16 hex digits by which recovery finds a resource."""
    return hashlib.sha256(logical_name.encode()).hexdigest()[:16]


def rule_key(group: str, direction: str, ports: str, peer: str) -> str:
    """Give the key of a security group rule: distinct for distinct rules, whatever else is in the list."""
    slug = re.sub(r"[./]", "-", peer)
    preposition = "from" if direction == "ingress" else "to"
    return f"{group}-{direction}-{ports}-{preposition}-{slug}"
