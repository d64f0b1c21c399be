"""The IAM policy documents of a plan: what has to be allowed to set it up, to use it, and to its instances.

Documents hold what this plan needs and nothing for other workspaces: things are told apart by the tag
`coiled-pulumi:workspace`, by exact names and by region. They name an account only if the plan does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from coiled_pulumi.plan.model import Workspace
from coiled_pulumi.plan.rights import needs
from coiled_pulumi.plan.rights import ongoing as ongoing_rights
from coiled_pulumi.plan.rights import setup as setup_rights
from coiled_pulumi.plan.rights.reasons import REASONS
from coiled_pulumi.plan.rights.scope import Statement

Document = dict[str, Any]

VERSION: Final = "2012-10-17"
#: Characters of a managed policy, white space left out.
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LIMIT: Final = 6_144


@dataclass(frozen=True, slots=True)
class Granted:
    """An action that a document allows, why, and by which statements."""

    action: str
    why: str
    sids: tuple[str, ...]


def setup(plan: Workspace, *, wide: bool = False) -> Document:
    """Make the document for the shared network, groups, role and logs; may be detached once they are up.

    It is attached beside the Ongoing document, which has the reads of both.

    Args:
        plan: of the workspace.
        wide: one statement on all resources without conditions, as Coiled's page has it.
    """
    return _document("Setup", needs.statements(plan, setup_rights.NEEDS, setup_rights.FRAMES), wide=wide)


def ongoing(plan: Workspace, *, wide: bool = False) -> Document:
    """Make the document for starting, scaling and stopping clusters and for looking at everything.

    Args:
        plan: of the workspace.
        wide: one statement on all resources without conditions, as Coiled's page has it.
    """
    return _document(
        "Ongoing", needs.statements(plan, ongoing_rights.NEEDS, ongoing_rights.FRAMES), wide=wide
    )


def instance(plan: Workspace, *, wide: bool = False) -> Document:
    """Give the document of the role that instances have; Pulumi puts it on the role by itself.

    Args:
        plan: of the workspace.
        wide: one statement on all resources without conditions.
    """
    found = plan.identity.policy_document
    statements = tuple(
        Statement(row["Sid"], tuple(row["Action"]), tuple(row["Resource"]), row.get("Condition", {}))
        for row in found["Statement"]
    )
    return _document("Instance", statements, wide=True) if wide else found


#: By the name of their verb.
DOCUMENTS: Final = {"setup": setup, "ongoing": ongoing, "instance": instance}


def actions(document: Document) -> tuple[str, ...]:
    """Give every action of a document, sorted, each once."""
    return tuple(sorted({action for row in document["Statement"] for action in row["Action"]}))


def size(document: Document) -> int:
    """Count the characters of a document as AWS does: without white space."""
    return len(re.sub(r"\s", "", json.dumps(document)))


def explain(document: Document) -> tuple[Granted, ...]:
    """Say of every action of a document why it is there."""
    return tuple(
        Granted(
            action,
            REASONS[action],
            tuple(row.get("Sid", "") for row in document["Statement"] if action in row["Action"]),
        )
        for action in actions(document)
    )


def _document(name: str, statements: Iterable[Statement], *, wide: bool) -> Document:
    rows = list(statements)
    if wide:
        every = sorted({action for row in rows for action in row.actions})
        rows = [Statement(name, tuple(every), ("*",))]
    return {"Version": VERSION, "Statement": [_row(row) for row in rows]}


def _row(statement: Statement) -> Document:
    resources = list(statement.resources)
    row: Document = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Action": list(statement.actions),
        "Resource": resources[0] if len(resources) == 1 else resources,
    }
    return row | ({"Condition": statement.condition} if statement.condition else {})
