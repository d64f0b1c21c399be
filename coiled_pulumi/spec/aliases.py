"""Other ways to write a backend option: Coiled's names, and one firewall in place of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coiled_pulumi.errors import Problem
from coiled_pulumi.spec.yaml12 import Path, render

#: Names that Coiled has for our keys: https://docs.coiled.io/user_guide/setup/aws (Backend options).
ALIASES = {
    "region_name": "region",
    "zone_name": "zone",
    "firewall": "ingress",
    "use_dashboard_public_ip": "use_scheduler_public_ip",
}


@dataclass(slots=True)
class Normal:
    """Values in the one form that the models read, and how to get back to what was written."""

    value: object
    #: The path that was written, by the path in the one form.
    written: dict[Path, Path] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def back(self, path: Path) -> Path:
        """Give the path as it was written."""
        for length in range(len(path), 0, -1):
            if (before := self.written.get(path[:length])) is not None:
                return (*before, *path[length:])
        return path


def normal(value: object) -> Normal:
    """Bring a workspace's values, and those of each of its clusters, into the one form."""
    made = Normal(value)
    if not isinstance(value, dict):
        return made
    made.value = top = options(value, (), made)
    clusters = top.get("clusters")
    if isinstance(clusters, dict):
        top["clusters"] = {
            name: options(cluster, ("clusters", name), made) if isinstance(cluster, dict) else cluster
            for name, cluster in clusters.items()
        }
    return made


def options(level: Mapping[str, object], at: Path, made: Normal) -> dict[str, object]:
    """Bring one level's options into the one form; a key that is there under both its names is a problem."""
    found: dict[str, object] = {}
    for key, value in level.items():
        name = ALIASES.get(key, key)
        if name != key and name in level:
            what = f"is the same as {name}, write one of them"
            made.problems.append(Problem(render((*at, key)), what))
            continue
        if name != key:
            made.written[(*at, name)] = (*at, key)
        if name == "ingress" and isinstance(value, dict):
            made.written[(*at, name, 0)] = (*at, key)
            value = [value]
        found[name] = value
    return found
