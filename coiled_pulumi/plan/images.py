"""The plan of machine images."""

from __future__ import annotations

from dataclasses import dataclass

from coiled_pulumi.plan.model import Image
from coiled_pulumi.plan.tagging import Tagger

#: Where Amazon Linux has its root disk.
ROOT = "/dev/xvda"


@dataclass(frozen=True, slots=True)
class Kind:
    """An image: its architecture, the public parameter that names the newest, and where it has its root disk."""

    architecture: str
    parameter: str
    device: str = ROOT


#: https://docs.aws.amazon.com/linux/al2023/ug/ec2.html#launch-via-aws-cli
_AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}"
#: https://docs.aws.amazon.com/dlami/latest/devguide/find-dlami-id.html
_DEEP_LEARNING = "/aws/service/deeplearning/ami/{}/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"

#: By key in the plan.
KINDS = {
    "image-x86-64": Kind("x86_64", _AMAZON_LINUX.format("x86_64")),
    "image-arm64": Kind("arm64", _AMAZON_LINUX.format("arm64")),
    "image-dl-x86-64": Kind("x86_64", _DEEP_LEARNING.format("x86_64")),
    "image-dl-arm64": Kind("arm64", _DEEP_LEARNING.format("arm64")),
}


def image_key(architecture: str, image: str) -> str:
    """Give the key of an image by its architecture and kind, `AL2023` or `DL`."""
    return f"image-{'dl-' if image == 'DL' else ''}{architecture.replace('_', '-')}"


def is_own(key: str) -> bool:
    """Tell whether it is the id of an image of the user's own, and not the key of one of AWS's."""
    return key not in KINDS


def device_of(key: str) -> str:
    """Give where an image has its root disk; one of the user's own is taken to be made from one of AWS's."""
    return KINDS[key].device if key in KINDS else ROOT


def plan_images(tagger: Tagger, keys: set[str]) -> tuple[Image, ...]:
    """Plan the images that are needed, each looked up once."""
    images = []
    for key in sorted(keys):
        item, kind = tagger.item(key), KINDS[key]
        images.append(
            Image(item.key, item.name, item.tags, architecture=kind.architecture, parameter=kind.parameter)
        )
    return tuple(images)
