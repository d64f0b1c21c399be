"""Finding an instance, an image or the tags of a resource takes the same time whatever their number.

moto walks all instances for each look-up, and makes several while it launches or ends one: a group's
thousandth member is a thousand times dearer than its first. For each launched instance it matches the
image's id, as a pattern, with all images (1,300 at moto's: four fifths of the time of a launch). For the
tags of each resource that it shows it matches the tags of all. This changes no answer, only the time.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Keep an index beside moto's reservations; instances are never taken out of those."""
    from moto.ec2.exceptions import InvalidInstanceIdError
    from moto.ec2.models.amis import AmiBackend
    from moto.ec2.models.core import TaggedEC2Resource
    from moto.ec2.models.instances import InstanceBackend

    search = AmiBackend.describe_images

    def get_instance_by_id(self: Any, instance_id: str) -> Any:
        index = self.__dict__.setdefault("_coiled_index", {})
        if instance_id not in index:
            # Newest first: what is not in the index yet is nearly always what is being launched.
            for reservation in reversed(self.reservations.values()):
                for instance in reversed(reservation.instances):
                    index[instance.id] = instance
                if instance_id in index:
                    break
        return index.get(instance_id)

    def get_instance(self: Any, instance_id: str) -> Any:
        instance = get_instance_by_id(self, instance_id)
        if instance is None:
            raise InvalidInstanceIdError(instance_id)
        return instance

    def describe_images(
        self: Any, ami_ids: Any = None, filters: Any = None, *rest: Any, **options: Any
    ) -> Any:
        if not ami_ids and not rest and not options and list(filters or ()) == ["image-id"]:
            wanted = filters["image-id"]
            if isinstance(wanted, str) and wanted in self.amis:
                return [self.amis[wanted]]
        return search(self, ami_ids, filters, *rest, **options)

    TaggedEC2Resource.get_tags = _get_tags
    AmiBackend.describe_images = describe_images
    InstanceBackend.get_instance_by_id = get_instance_by_id
    InstanceBackend.get_instance = get_instance


def _get_tags(resource: Any) -> list[dict[str, str]]:
    from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource.id), "") if resource.id else ""
    return [
        {"resource_id": resource.id, "key": key, "value": value, "resource_type": kind}
        for key, value in list(resource.ec2_backend.tags.get(resource.id, {}).items())
    ]
