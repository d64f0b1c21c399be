"""The shape of the tables: what is in a plan, and which actions it needs in which statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from coiled_pulumi.plan.model import Workspace
from coiled_pulumi.plan.rights.scope import Condition, Scope, Statement

#: Actions and resources of one statement, each as words; `service:` stands for all actions that follow it.
Words = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Need:
    """What something in a plan needs.

    Attributes:
        what: the thing, for people.
        has: whether a plan has it.
        words: by statement, the actions and the kinds of resources; no kinds where the statement knows them.
    """

    what: str
    has: Callable[[Workspace], object]
    words: dict[str, Words]


@dataclass(frozen=True, slots=True)
class Frame:
    """A statement without its actions: which resources, under which conditions.

    Attributes:
        resources: from the scope and the kinds that the needs named.
        condition: from the scope and the actions of the whole document.
    """

    resources: Callable[[Scope, tuple[str, ...]], Iterable[str]]
    condition: Callable[[Scope, tuple[str, ...]], Condition] = lambda _scope, _actions: {}


def statements(plan: Workspace, needs: Iterable[Need], frames: dict[str, Frame]) -> tuple[Statement, ...]:
    """Make the statements of a plan, in the order of the frames; those without actions are left out."""
    words = [found for need in needs if need.has(plan) for found in need.words.items()]
    every = _actions(actions for _, (actions, _) in words)
    scope = Scope(plan)
    made = []
    for sid, frame in frames.items():
        actions = _actions(actions for name, (actions, _) in words if name == sid)
        kinds = tuple(sorted({kind for name, (_, kinds) in words if name == sid for kind in kinds.split()}))
        if actions:
            resources = tuple(dict.fromkeys(frame.resources(scope, kinds)))
            made.append(Statement(sid, actions, resources, frame.condition(scope, every)))
    return tuple(made)


def _actions(texts: Iterable[str]) -> tuple[str, ...]:
    """Read `ec2: CreateVpc DeleteVpc iam: GetRole`; give the actions sorted, each once."""
    found = set()
    for text in texts:
        service = ""
        for word in text.split():
            if word.endswith(":"):
                service = word
            else:
                found.add(service + word)
    return tuple(sorted(found))


def creating(actions: Iterable[str]) -> list[str]:
    """Give the names of EC2's actions that make something and tag it in the same call."""
    makers = ("Allocate", "Authorize", "Create", "Run")
    return sorted(
        name
        for service, _, name in (action.partition(":") for action in actions)
        if service == "ec2" and name.startswith(makers) and name not in _NO_TAGS
    )


#: Start like the makers, and take no tags.
_NO_TAGS = frozenset({"CreateLaunchTemplateVersion", "CreateRoute", "CreateTags"})
