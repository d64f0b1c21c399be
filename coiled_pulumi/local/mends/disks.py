"""Disks of an instance: as the image says, changed by the template, changed by the call.

moto adds a disk of its own (8 GiB, gp2, plain) to every launch from a template and then the template's
under the same device name, so that a stray volume stays behind; a root disk named by a call outlives its
instance unless the call says otherwise, and has to have a size; iops and throughput are dropped; images claim 15 GiB of
magnetic disk. AWS merges the three by device name, and a root volume is deleted with its instance unless one of
them says no. Images of Amazon Linux 2023 and Ubuntu 24.04 have 8 GiB of gp3.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-bdm.html
"""

from __future__ import annotations

from typing import Any, Final

from coiled_pulumi.local.mends._launch import Launch, around

_ROOT_GIB: Final = 8
_ROOT_TYPE: Final = "gp3"


def apply() -> None:
    """Hand moto the complete list of disks, so that it adds none of its own."""
    from moto.ec2.models.amis import Ami
    from moto.ec2.models.elastic_block_store import EBSBackend
    from moto.ec2.responses.instances import InstanceResponse

    Ami.block_device_mappings = property(_image_disks)
    InstanceResponse._parse_block_device_mapping = _as_given
    around(before=_complete, after=_speed)
    inner = EBSBackend.create_volume

    def create_volume(self: Any, size: Any, zone_name: str, snapshot_id: Any = None, **options: Any) -> Any:
        # An account that encrypts by default: a volume is encrypted whatever the call says.
        if getattr(self, "ebs_encryption_by_default", False):
            options["encrypted"] = True
        return inner(self, size, zone_name, snapshot_id, **options)

    EBSBackend.create_volume = create_volume


def _as_given(response: Any) -> list[dict[str, Any]]:
    """Pass on what the call says, and no more: moto's own reading can't tell "no" from nothing said."""
    mappings: list[dict[str, Any]] = response._get_param("BlockDeviceMappings", [])
    for mapping in mappings:
        # Whether its size is known shows when it is merged with the image's disks.
        sized = {"Ebs": mapping["Ebs"] | {"VolumeSize": _ROOT_GIB}} if "Ebs" in mapping else {}
        response._validate_block_device_mapping(mapping | sized)
    return mappings


def _image_disks(image: Any) -> list[dict[str, Any]]:
    disk = {
        "SnapshotId": image.ebs_snapshot.id,
        "VolumeSize": _ROOT_GIB,
        "VolumeType": _ROOT_TYPE,
        "DeleteOnTermination": True,
        "Encrypted": False,
    }
    return [{"DeviceName": image.root_device_name, "Ebs": disk}]


def _complete(launch: Launch) -> None:
    from moto.ec2.exceptions import MissingParameterError

    image = launch.image()
    root = image.root_device_name if image is not None else "/dev/xvda"
    base = {"VolumeSize": _ROOT_GIB, "VolumeType": _ROOT_TYPE, "DeleteOnTermination": True}
    disks: dict[str, dict[str, Any]] = {root: base}
    gone: set[str] = set()
    config = launch.options.get("launch_config")
    for source in (
        launch.template.get("BlockDeviceMappings") or [],
        (config.block_device_mapping_dict or []) if config is not None else [],
        launch.options.get("block_device_mappings") or [],
    ):
        for mapping in source:
            name = mapping["DeviceName"]
            given = {key: value for key, value in mapping.get("Ebs", {}).items() if value not in (None, "")}
            disks[name] = disks.get(name, {}) | given
            gone = gone | {name} if mapping.get("NoDevice") == "" else gone - {name}
    kept = {name: disk for name, disk in disks.items() if name not in gone}
    if not all(disk.get("VolumeSize") or disk.get("SnapshotId") for disk in kept.values()):
        raise MissingParameterError("size or snapshotId")
    launch.options["block_device_mappings"] = [
        {"DeviceName": name, "Ebs": _number(disk)} for name, disk in kept.items()
    ]


def _number(disk: dict[str, Any]) -> dict[str, Any]:
    sizes = {key: int(disk[key]) for key in ("VolumeSize", "Iops", "Throughput") if disk.get(key)}
    return disk | sizes


def _speed(launch: Launch, instances: list[Any]) -> None:
    """Set what moto's launch doesn't pass on to the volume."""
    wanted = {disk["DeviceName"]: disk["Ebs"] for disk in launch.options["block_device_mappings"]}
    for instance in instances:
        for name, device in instance.get_block_device_mapping:
            volume = launch.backend.volumes[device.volume_id]
            volume.iops = wanted[name].get("Iops") or volume.iops
            volume.throughput = wanted[name].get("Throughput") or volume.throughput
