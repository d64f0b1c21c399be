"""Looking at plans as sets of items."""

import dataclasses
from collections.abc import Iterator

from coiled_pulumi.plan import model
from coiled_pulumi.plan.build import build


def walk(value: object) -> Iterator[model.Item]:
    """Give every item in a plan, those inside others too."""
    if isinstance(value, model.Item):
        yield value
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from walk(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from walk(item)


def by_key(plan: model.Workspace) -> dict[str, model.Item]:
    """Give every item by its key.

    Raises:
        AssertionError: two items have the same key.
    """
    items: dict[str, model.Item] = {}
    for item in walk(plan):
        assert item.key not in items, item.key
        items[item.key] = item
    return items


def items_of(spec) -> dict[str, model.Item]:
    """Plan a workspace and give its items by key."""
    return by_key(build(spec))
