"""Why a cluster did not come up."""

from __future__ import annotations

from collections.abc import Iterable

from coiled_pulumi.errors import DeploymentError
from coiled_pulumi.ops.watching import Reason

#: Reasons that are told one by one; the others are counted.
_TOLD = 5


class ClusterCreationError(DeploymentError):
    """A cluster did not come up, or not enough of it.

    Attributes:
        name: of the cluster.
        reasons: why, the most frequent first, as far as anybody said.
    """

    def __init__(self, what: str, hint: str = "", *, name: str = "", reasons: Iterable[Reason] = ()) -> None:
        super().__init__(what, hint)
        self.name = name
        self.reasons = tuple(reasons)


def listed(reasons: Iterable[Reason]) -> list[str]:
    """Give a line per reason, the most frequent first."""
    ordered = sorted(reasons, key=lambda one: -one.times)
    lines = [one.what if one.times == 1 else f"{one.what} ({one.times} times)" for one in ordered[:_TOLD]]
    rest = len(ordered) - _TOLD
    return lines + ([f"and {rest} more reasons"] if rest > 0 else [])


def merged(*several: Iterable[Reason]) -> tuple[Reason, ...]:
    """Bring reasons together: equal ones are counted, the most frequent stand first."""
    found: dict[str, Reason] = {}
    for reasons in several:
        for one in reasons:
            before = found.get(one.what)
            times = one.times + (before.times if before else 0)
            found[one.what] = Reason(times, one.what, one.hint or (before.hint if before else ""))
    return tuple(sorted(found.values(), key=lambda one: -one.times))


def hint_of(reasons: Iterable[Reason]) -> str:
    """Give the next step for the most frequent reason that has one."""
    return next((one.hint for one in merged(reasons) if one.hint), "")
