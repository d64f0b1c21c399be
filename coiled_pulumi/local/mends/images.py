"""Public image parameters lead to images that can be launched, in every region.

moto knows Amazon Linux's parameters in the regions that it has a list for, and Ubuntu's and the deep
learning images' in none. AWS publishes them everywhere, and every value is an image that anybody may
launch. moto also makes 1,300 old images and a snapshot for each when a region is first used, which takes
over a second; only those that a parameter leads to are kept.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html
https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
https://docs.aws.amazon.com/dlami/latest/devguide/find-dlami-id.html
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

_AMAZON: Final = "137112412989"
_CANONICAL: Final = "099720109477"
_DEEP_LEARNING: Final = "898082745236"


@dataclass(frozen=True, slots=True)
class Image:
    """One public parameter and the image behind it; the ids are made up, but always the same."""

    parameter: str
    name: str
    architecture: str
    owner: str
    root: str

    def ami(self, region: str) -> str:
        """Make the image's id in a region."""
        return "ami-" + hashlib.sha256(f"{region} {self.parameter}".encode()).hexdigest()[:17]


def _catalogue() -> tuple[Image, ...]:
    images = []
    for arch, debian in (("x86_64", "amd64"), ("arm64", "arm64")):
        for kernel in ("default", "6.1", "6.12"):
            parameter = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{kernel}-{arch}"
            images.append(
                Image(parameter, f"al2023-ami-2023-kernel-{kernel}-{arch}", arch, _AMAZON, "/dev/xvda")
            )
        for release, code in (("22.04", "jammy"), ("24.04", "noble")):
            disk = "ebs-gp3" if release == "24.04" else "ebs-gp2"
            parameter = (
                f"/aws/service/canonical/ubuntu/server/{release}/stable/current/{debian}/hvm/{disk}/ami-id"
            )
            name = f"ubuntu/images/hvm-ssd-gp3/ubuntu-{code}-{release}-{debian}-server"
            images.append(Image(parameter, name, arch, _CANONICAL, "/dev/sda1"))
        for system in ("amazon-linux-2023", "ubuntu-22.04", "ubuntu-24.04"):
            parameter = (
                f"/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-{system}/latest/ami-id"
            )
            root = "/dev/xvda" if system.startswith("amazon") else "/dev/sda1"
            name = f"Deep Learning Base OSS Nvidia Driver GPU AMI ({system}) {arch}"
            images.append(Image(parameter, name, arch, _DEEP_LEARNING, root))
    return tuple(images)


IMAGES: Final = _catalogue()


def apply() -> None:
    """Add what is missing to moto's parameters and images; its own stay."""
    from moto.ec2.models.amis import Ami, AmiBackend
    from moto.ssm.models import Parameter, ParameterDict

    check = ParameterDict._check_loading_status

    def load(self: Any) -> None:
        for entry in _known(self.region_name):
            self.amis[entry["ami_id"]] = Ami(self, **entry)
        for image in IMAGES:
            ami_id = image.ami(self.region_name)
            self.amis[ami_id] = Ami(
                self,
                ami_id,
                name=image.name,
                description=image.name,
                owner_id=image.owner,
                owner_alias="amazon",
                public=True,
                virtualization_type="hvm",
                architecture=image.architecture,
                hypervisor="xen",
                root_device_type="ebs",
                root_device_name=image.root,
                region_name=f"{self.region_name}a",
            )

    def checked(self: Any, key: str) -> None:
        check(self, key)
        if not str(key or "").startswith("/aws/service/") or self.__dict__.get("_coiled_images"):
            return
        self._coiled_images = True
        check(self, "/aws/service/ami-amazon-linux-latest")
        for image in IMAGES:
            if not self.get(image.parameter):
                self.setdefault(image.parameter, []).append(_parameter(Parameter, self, image))

    AmiBackend._load_amis = load
    ParameterDict._check_loading_status = checked


def _known(region: str) -> list[dict[str, Any]]:
    """Read moto's own list of the images behind Amazon Linux's parameters; it has none of some regions."""
    from moto.core.parse import default_timestamp_parser
    from moto.utilities.utils import load_resource

    try:
        entries: list[dict[str, Any]] = load_resource(f"ec2/resources/latest_amis/{region}.json")
    except FileNotFoundError:
        return []
    for entry in entries:
        entry["owner_alias"] = "amazon"
        if isinstance(entry.get("creation_date"), str):
            entry["creation_date"] = default_timestamp_parser(entry["creation_date"])
    return entries


def _parameter(kind: Any, table: Any, image: Image) -> Any:
    return kind(
        account_id=table.account_id,
        name=image.parameter,
        value=image.ami(table.region_name),
        parameter_type="String",
        description=None,
        allowed_pattern=None,
        keyid=None,
        last_modified_date=1735689600.0,
        version=1,
        data_type="aws:ec2:image",
    )
