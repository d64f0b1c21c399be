"""A rule that names a security group keeps its description, and one for every protocol can be modified.

moto shows only the description of rules that name a block, and demands ports when a rule with protocol -1 is
modified. AWS keeps the description of every rule and takes no ports for protocol -1.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
"""

from __future__ import annotations

from typing import Any

#: What "every protocol" is called, and the port that stands for all.
_EVERYTHING, _NO_PORT = "-1", -1


def apply() -> None:
    """Read the description where it is kept, and give moto the ports that it asks for."""
    from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule

    modify = SecurityGroupBackend.modify_security_group_rules

    def description(self: Any) -> str | None:
        return self.ip_range.get("Description") or self.source_group.get("Description")

    def modify_security_group_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        for change in rules.values():
            if change.get("IpProtocol") == _EVERYTHING:
                change.setdefault("FromPort", _NO_PORT)
                change.setdefault("ToPort", _NO_PORT)
        modify(self, group_id, rules)
        group = self.get_security_group_from_id(group_id)
        for rule_id, change in rules.items():
            rule = group.get_rule(rule_id)
            if rule.source_group and "Description" in change:
                rule.source_group["Description"] = rule.ip_range.pop("Description", change["Description"])

    SecurityGroupRule.description = property(description)
    SecurityGroupBackend.modify_security_group_rules = modify_security_group_rules
