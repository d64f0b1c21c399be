"""Where moto answers otherwise than AWS, and it matters to us; applied when the server starts.

One file per mend. Each file's docstring says what moto does, what AWS does and where that is written down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from coiled_pulumi.local.mends import (
    activities,
    addresses,
    bucket_policies,
    capacity,
    consoles,
    dependencies,
    disks,
    dry_runs,
    endpoints,
    forwarding,
    fully_formed,
    groups,
    images,
    interfaces,
    keys,
    log_events,
    lookups,
    members,
    mixed,
    nat,
    offerings,
    placement,
    quotas,
    regions,
    reservations,
    rules,
    schedules,
    shutdowns,
    template_tags,
    template_versions,
    templates,
    termination,
    vpcs,
)

#: In the order in which they are applied; no mend relies on another one's place.
MENDS: Final[tuple[Callable[[], None], ...]] = (
    activities.apply,
    addresses.apply,
    bucket_policies.apply,
    capacity.apply,
    consoles.apply,
    dependencies.apply,
    disks.apply,
    dry_runs.apply,
    endpoints.apply,
    forwarding.apply,
    fully_formed.apply,
    groups.apply,
    images.apply,
    interfaces.apply,
    keys.apply,
    log_events.apply,
    lookups.apply,
    members.apply,
    mixed.apply,
    nat.apply,
    offerings.apply,
    placement.apply,
    quotas.apply,
    regions.apply,
    reservations.apply,
    rules.apply,
    schedules.apply,
    shutdowns.apply,
    template_tags.apply,
    template_versions.apply,
    templates.apply,
    termination.apply,
    vpcs.apply,
)


def apply() -> None:
    """Change moto in this process; meant for the server's own process only, once."""
    for mend in MENDS:
        mend()
