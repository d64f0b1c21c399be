"""How long to wait before something is tried again: doubling, with a limit, and never all machines at once."""

from __future__ import annotations

import random
from collections.abc import Iterator

_chance = random.Random()  # noqa: S311 it spreads calls, it hides nothing


def waits(first: float, longest: float) -> Iterator[float]:
    """Give seconds to wait, for ever: doubling from `first` to `longest`, each between half and all of it."""
    now = first
    while True:
        yield now * _chance.uniform(0.5, 1.0)
        now = min(now * 2, longest)


def around(seconds: float, part: float = 0.25) -> float:
    """Give a time near another one, so that machines that booted together do not ask together."""
    return seconds * _chance.uniform(1 - part, 1 + part)
