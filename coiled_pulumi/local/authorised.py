"""What a call asks of IAM: the actions, the resources and the condition keys of each.

For the actions that an instance of ours uses, and for objects of S3. Any other action is asked about `*`: only a
statement for every resource allows it.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from coiled_pulumi.local.policies import Request, Values


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call, read as far as the questions need it."""

    action: str
    account: str
    region: str
    fields: dict[str, Any]
    request: dict[str, Any]

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def requests(
    service: str, action: str, account: str, region: str, request: dict[str, Any], body: bytes
) -> list[Request]:
    """Give all that has to be allowed for a call to go through; never nothing."""
    asked = _Asked(action, account, region, _fields(request, body), request)
    find = _FINDERS.get((service, action)) or _FINDERS.get((service, "*"))
    found = list(find(asked)) if find is not None else []
    return found or [Request(f"{_PREFIXES.get(service, service)}:{action}")]


#: Services whose signing name is not the one that actions begin with.
_PREFIXES: Final = {"tagging": "tag"}


def _fields(request: dict[str, Any], body: bytes) -> dict[str, Any]:
    if request.get("HTTP_X_AMZ_TARGET"):
        try:
            told = json.loads(body or b"{}")
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _texts(value: Any) -> list[str]:
    return [str(one) for one in (value if isinstance(value, list) else [value]) if one]


def _tags(kind: str, tags: dict[str, str]) -> dict[str, Values]:
    """Give the tags of a resource as the global condition key and as the service's own."""
    return {
        f"{prefix}/{key}": (value,) for key, value in tags.items() for prefix in ("aws:ResourceTag", kind)
    }


def _parameters(asked: _Asked) -> Iterator[Request]:
    from moto.ssm.models import ssm_backends

    backend = ssm_backends[asked.account][asked.region]
    for told in _texts(asked.fields.get("Names") or asked.fields.get("Name")):
        name = told.partition(":parameter")[2] if told.startswith("arn:") else told
        name = name.partition(":")[0]  # a version or a label may follow
        tags = backend._resource_tags.get("Parameter", {}).get(name, {})
        resource = asked.arn("ssm", f"parameter/{name.lstrip('/')}")
        yield Request(f"ssm:{asked.action}", resource, _tags("ssm:resourceTag", tags))


def _stream(asked: _Asked) -> Iterator[Request]:
    group, stream = asked.fields.get("logGroupName", ""), asked.fields.get("logStreamName", "")
    tags = _log_group_tags(asked, group)
    yield Request(f"logs:{asked.action}", asked.arn("logs", f"log-group:{group}:log-stream:{stream}"), tags)


def _log_group_tags(asked: _Asked, group: str) -> dict[str, Values]:
    from moto.logs.models import logs_backends

    backend = logs_backends[asked.account][asked.region]
    if group not in backend.groups:
        return {}
    return _tags("aws:ResourceTag", backend.list_tags_for_resource(backend.groups[group].arn))


def _scaling_group(asked: _Asked) -> Iterator[Request]:
    from moto.autoscaling.models import autoscaling_backends

    groups = autoscaling_backends[asked.account][asked.region].autoscaling_groups
    group = groups.get(asked.fields.get("AutoScalingGroupName", ""))
    if asked.action == "TerminateInstanceInAutoScalingGroup":
        wanted = asked.fields.get("InstanceId")
        members = ((one, state.instance_id) for one in groups.values() for state in one.instance_states)
        group = next((one for one, member in members if member == wanted), None)
    tags = {tag["Key"]: str(tag.get("Value", "")) for tag in group.tags} if group is not None else {}
    name = asked.fields.get("AutoScalingGroupName", "*")
    nowhere = asked.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")
    resource = group.arn if group is not None else nowhere
    yield Request(f"autoscaling:{asked.action}", resource, _tags("autoscaling:ResourceTag", tags))


def _instances(asked: _Asked) -> Iterator[Request]:
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[asked.account][asked.region]
    for name, value in asked.fields.items():
        if name.startswith("InstanceId."):
            context = _tags("ec2:ResourceTag", dict(backend.tags.get(value, {})))
            resource = asked.arn("ec2", f"instance/{value}")
            yield Request(f"ec2:{asked.action}", resource, context | {"ec2:InstanceID": (value,)})


def _objects(asked: _Asked) -> Iterator[Request]:
    """Name S3's action by method and path, as the documentation of its rights does."""
    path = unquote(asked.request.get("PATH_INFO", "/")).lstrip("/")
    bucket, _, key = path.partition("/")
    query = {part.partition("=")[0] for part in asked.request.get("QUERY_STRING", "").split("&")}
    method = asked.request["REQUEST_METHOD"]
    if key:
        aborts = method == "DELETE" and "uploadId" in query
        actions = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}
        action = "AbortMultipartUpload" if aborts else actions.get(method, "DeleteObject")
        yield Request(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}")
    elif bucket and method in ("GET", "HEAD"):
        action = "GetBucketLocation" if "location" in query else "ListBucket"
        yield Request(f"s3:{action}", f"arn:aws:s3:::{bucket}")


_FINDERS: Final[dict[tuple[str, str], Callable[[_Asked], Iterator[Request]]]] = {
    **{
        ("ssm", name): _parameters
        for name in (
            "GetParameter",
            "GetParameters",
            "PutParameter",
            "DeleteParameter",
            "GetParameterHistory",
        )
    },
    **{
        ("logs", name): _stream
        for name in (
            "CreateLogStream",
            "PutLogEvents",
            "DescribeLogStreams",
            "GetLogEvents",
            "FilterLogEvents",
        )
    },
    **{
        ("autoscaling", name): _scaling_group
        for name in (
            "SetDesiredCapacity",
            "PutScheduledUpdateGroupAction",
            "UpdateAutoScalingGroup",
            "TerminateInstanceInAutoScalingGroup",
        )
    },
    ("ec2", "TerminateInstances"): _instances,
    ("s3", "*"): _objects,
}
