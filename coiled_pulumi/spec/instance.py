"""The machines of a cluster."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from coiled_pulumi import catalog
from coiled_pulumi.spec.base import Refusal, Spec, suggest


def check_instance_type(name: str) -> str:
    """Accept an instance type that the catalog knows.

    Raises:
        Refusal: unknown, with up to three near names.
    """
    if catalog.instance_type(name) is None:
        shape = "" if re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", name) else " as m6i.xlarge"
        msg = f"must be an EC2 instance type{shape}"
        raise Refusal(msg, lambda: suggest(catalog.nearest_instance_types(name)))
    return name


InstanceType = Annotated[str, AfterValidator(check_instance_type)]


class Disk(Spec):
    """The root disk: gp3, always encrypted."""

    size: Annotated[int, Field(ge=8, le=16384)] = 30
    """Size in GiB, 8 to 16384. The image of Amazon Linux needs 8; 16384 is the limit of gp3 for one volume."""


class Machine(Spec):
    """One kind of machine."""

    instance_type: InstanceType = "m6i.xlarge"
    """EC2 instance type, x86 or ARM; the image follows. The default has 4 vCPUs and 16 GiB."""

    disk: Disk = Disk()
    """The root disk."""
