"""Watches whether AWS takes a spot machine back: two minutes' notice, of which we miss at most 5 seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from coiled_pulumi.node.identity import Metadata, MetadataError

#: What AWS advises, in seconds.
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
EVERY: Final = 5.0


def watch(
    metadata: Metadata, notice: Callable[[str], None], rebalance: Callable[[str], None], stop: threading.Event
) -> None:
    """Look until a notice comes, and call `notice` with it; `rebalance` once before, when AWS sees it coming."""
    warned = False
    while not stop.wait(EVERY):
        try:
            if said := metadata.get("spot/instance-action"):
                notice(said)
                return
            if not warned and (said := metadata.get("events/recommendations/rebalance")):
                warned = True
                rebalance(said)
        except MetadataError:
            continue
