"""The tags that every resource carries from the call that creates it: sweeps and recovery go by them."""

from __future__ import annotations

from dataclasses import dataclass

from coiled_pulumi.plan.model import Item
from coiled_pulumi.plan.naming import fingerprint, logical

PREFIX = "coiled-pulumi:"


@dataclass(frozen=True, slots=True)
class Tagger:
    """Makes items of one workspace, named and tagged."""

    workspace: str
    stack: str
    extra: dict[str, str]

    def item(self, key: str, *, cluster: str = "", role: str = "") -> Item:
        """Make an item.

        Args:
            key: its key in the workspace.
            cluster: the cluster that it belongs to, if it does.
            role: `scheduler` or `worker` for what runs Dask.
        """
        name = logical(self.workspace, key)
        tags = {
            **self.extra,
            "Name": name,
            f"{PREFIX}key": fingerprint(name),
            f"{PREFIX}stack": self.stack,
            f"{PREFIX}workspace": self.workspace,
        }
        if cluster:
            tags[f"{PREFIX}cluster"] = cluster
        if role:
            tags[f"{PREFIX}role"] = role
        return Item(key, name, dict(sorted(tags.items())))
