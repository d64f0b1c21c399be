"""The tags of a launch template are its own, and the present ones.

moto appends the template's own tags to the tag specifications in its data; a client that compares the
data with what it asked for then sees a difference for ever. AWS keeps them apart: TagSpecification of the
call tags the template, LaunchTemplateData.TagSpecification what is launched. moto also shows the
template's first tags for ever.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Take the template's own tags out of its data, and look them up when asked."""
    from moto.ec2.models.launch_templates import LaunchTemplate

    make = LaunchTemplate.__init__

    def made(
        self: Any, backend: Any, name: str, template_data: dict[str, Any], *rest: Any, **named: Any
    ) -> None:
        specifications = template_data.pop("TagSpecifications", None) or []
        kept = [one for one in specifications if one.get("ResourceType") != "launch-template"]
        if kept:
            template_data["TagSpecifications"] = kept
        make(self, backend, name, template_data, *rest, **named)

    LaunchTemplate.__init__ = made
    # moto assigns the snapshot in its constructor: taken, and forgotten.
    LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda *_: None)
