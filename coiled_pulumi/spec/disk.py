"""The root disk of a machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from coiled_pulumi.spec.base import NEW_DISK, Spec


class Disk(Spec):
    """A root disk: gp3, always encrypted. Limits: https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html."""

    size: Annotated[Annotated[int, Field(ge=8, le=16384)] | None, NEW_DISK] = None
    """Size in GiB, 8 to 16384. Default: 30 for schedulers, 100 for workers and for machines with the image DL."""

    throughput: Annotated[Annotated[int, Field(ge=125, le=1000)] | None, NEW_DISK] = None
    """Throughput in MiB/s, 125 to 1000; at most a quarter of the iops. Default: gp3's own 125."""

    iops: Annotated[Annotated[int, Field(ge=3000, le=16000)] | None, NEW_DISK] = None
    """Operations per second, 3000 to 16000. Default: gp3's own 3000."""
