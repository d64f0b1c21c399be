"""What a launch template says holds for every instance made from it.

moto takes image, type, key, user data, groups and the instances' tags from a template; it leaves out
metadata options, the instance profile, network interfaces, the tags of volumes and interfaces, the
shutdown behaviour, protection, monitoring and the market. Of several instances launched by one call with
a profile only the first gets it. AWS: a parameter of the call wins, else the template's holds.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html (LaunchTemplate)
"""

from __future__ import annotations

import copy
from typing import Any

from coiled_pulumi.local.mends._launch import Launch, around


def apply() -> None:
    """Fill a launch from its template before moto sees it, and what moto can't take, afterwards."""
    around(before=_fill, after=_finish)


def _fill(launch: Launch) -> None:
    options, template = launch.options, launch.template
    if not options.get("nics"):
        options["nics"] = copy.deepcopy(template.get("NetworkInterfaces", []))
    _move_groups(options)
    options["metadata_options"] = template.get("MetadataOptions", {}) | (
        options.get("metadata_options") or {}
    )
    options["tags"] = _tags(template, options.get("tags") or {})
    for option, field in (
        ("instance_initiated_shutdown_behavior", "InstanceInitiatedShutdownBehavior"),
        ("disable_api_termination", "DisableApiTermination"),
        ("disable_api_stop", "DisableApiStop"),
        ("ebs_optimized", "EbsOptimized"),
    ):
        options[option] = options.get(option) or template.get(field)
    if template.get("Monitoring", {}).get("Enabled"):
        options["monitoring_state"] = "enabled"
    market = template.get("InstanceMarketOptions", {}).get("MarketType")
    options["instance_market_options"] = options.get("instance_market_options") or market


def _move_groups(options: dict[str, Any]) -> None:
    """Take the groups from the primary interface to the instance: AWS shows them at both, moto at one."""
    primary = next((nic for nic in options["nics"] if int(nic.get("DeviceIndex") or 0) == 0), {})
    primary.setdefault("DeviceIndex", 0) if options["nics"] else None
    if groups := primary.pop("Groups", None):
        options["security_group_ids"] = list(groups)


def _tags(template: dict[str, Any], given: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Merge the tags per kind of resource; the call's win."""
    tags = {
        one["ResourceType"]: {tag["Key"]: tag.get("Value", "") for tag in one.get("Tags", [])}
        for one in template.get("TagSpecifications", [])
    }
    return {kind: tags.get(kind, {}) | given.get(kind, {}) for kind in tags.keys() | given.keys()}


def _finish(launch: Launch, instances: list[Any]) -> None:
    options = launch.options
    interface_tags = _tags(launch.template, options.get("tags") or {}).get("network-interface", {})
    by_call = {
        "iam_instance_profile_name": options.get("iam_instance_profile_name"),
        "iam_instance_profile_arn": options.get("iam_instance_profile_arn"),
    }
    asked = any(by_call.values())
    profile = launch.template.get("IamInstanceProfile", {})
    by_template = {
        "iam_instance_profile_name": profile.get("Name"),
        "iam_instance_profile_arn": profile.get("Arn"),
    }
    # moto's response associates the first one itself when the call names a profile.
    rest, chosen = (instances[1:], by_call) if asked else (instances, by_template)
    for instance in rest if any(chosen.values()) else ():
        launch.backend.associate_iam_instance_profile(instance_id=instance.id, **chosen)
    for instance in instances if interface_tags else ():
        for nic in instance.nics.values():
            nic.add_tags(interface_tags)
