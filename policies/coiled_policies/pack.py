"""The rules as CrossGuard policies.

The SDK hands out properties that raise on the first unknown value and then gives up on the whole policy. Here
every property is read first, so that an unknown one hides neither another property nor another resource; what
could not be judged is reported once, after all violations.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyProviderResource,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from coiled_policies.resource import UNKNOWN, Finding, Resource, Unknown
from coiled_policies.table import RULES, ResourceRule, StackRule

NAME: Final = "coiled-pulumi"


def policies() -> list[Policy]:
    """Return every rule as a policy, in the order of `RULES`."""
    return [_policy(rule) for rule in RULES]


def read(value: Any) -> Any:
    """Copy what the SDK hands out into plain dicts and lists, with `UNKNOWN` for what it refuses to show."""
    match value:
        case str() | bytes():
            return value
        case Mapping():
            return {key: _read_item(value, key) for key in value}
        case Sequence():
            return [_read_item(value, index) for index in range(len(value))]
        case _:
            return value


def default_tags(provider: PolicyProviderResource | None) -> Mapping[str, Any] | Unknown:
    """Return the tags that a provider adds to everything; it keeps them as JSON text or as a mapping."""
    props = read(provider.props) if provider else {}
    settings = props.get("defaultTags")
    if isinstance(settings, str):
        try:
            settings = json.loads(settings)
        except ValueError:
            settings = None
    if settings is UNKNOWN:
        return UNKNOWN
    tags = settings.get("tags") if isinstance(settings, Mapping) else None
    return tags if tags is UNKNOWN or isinstance(tags, Mapping) else {}


def _policy(rule: ResourceRule | StackRule) -> Policy:
    about = {
        "name": rule.name,
        "description": rule.summary,
        "enforcement_level": EnforcementLevel(rule.level),
        "severity": Severity(rule.severity),
        "url": rule.url,
    }
    match rule:
        case ResourceRule():
            return ResourceValidationPolicy(**about, validate=_validate_resource(rule.check))
        case StackRule():
            return StackValidationPolicy(**about, validate=_validate_stack(rule.check))


def _validate_resource(
    check: Callable[[Resource], Iterable[Finding]],
) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = Resource(
            type=args.resource_type,
            name=args.name,
            props=read(args.props),
            urn=args.urn,
            default_tags=default_tags(args.provider),
        )
        _report(check(resource), report)

    return validate


def _validate_stack(
    check: Callable[[Sequence[Resource]], Iterable[Finding]],
) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        _report(check([_stack_resource(resource) for resource in args.resources]), report)

    return validate


def _stack_resource(resource: PolicyResource) -> Resource:
    return Resource(
        type=resource.resource_type,
        name=resource.name,
        props=read(resource.props),
        urn=resource.urn,
        default_tags=default_tags(resource.provider),
        group=_security_group(resource),
    )


def _security_group(resource: PolicyResource) -> str | None:
    """Return where `securityGroupId` comes from: the id itself is unknown until the group exists."""
    sources = resource.property_dependencies.get("securityGroupId", [])
    urns = [source.urn for source in sources if source.resource_type.endswith("SecurityGroup")]
    return urns[0] if len(urns) == 1 else None


def _report(findings: Iterable[Finding], report: ReportViolation) -> None:
    findings = tuple(findings)
    for finding in findings:
        if not finding.unknown:
            report(finding.message, finding.urn or None)
    unknown = [finding.message for finding in findings if finding.unknown]
    if unknown:
        # The SDK turns this into a warning, never an error. Violations reported before it stay.
        error = UnknownValueError(UNKNOWN_STRING_VALUE, [])
        error.message = "; ".join(dict.fromkeys(unknown))
        raise error


def _read_item(container: Any, key: Any) -> Any:
    try:
        return read(container[key])
    except UnknownValueError:
        return UNKNOWN
