"""What an error code of AWS means: cause and next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coiled_pulumi.errors import CoiledPulumiError, DeploymentError


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of AWS, explained.

    Attributes:
        code: AWS's own, as `VcpuLimitExceeded`.
        what: cause in one sentence, without encoded blobs.
        hint: the next step.
        kind: `capacity`, `quota`, `rights`, `credentials`, `throttling`, `region`, `conflict`, `request` or `other`.
        quota: code of the quota, as `L-1216C47A`; empty where there is none.
    """

    code: str
    what: str
    hint: str = ""
    kind: str = "other"
    quota: str = ""


def explain(code: str, message: str, *, action: str = "", request_id: str = "", region: str = "") -> Fault:
    """Explain an error; an unknown code keeps its code, request id and action."""
    where = ", ".join(
        part for part in (action, region, f"request {request_id}" if request_id else "") if part
    )
    return Fault(code, f"{code}: {message}" + (f" ({where})" if where else ""))


def of(error: Any) -> CoiledPulumiError:
    """Turn what boto3 raised into an error of ours."""
    response = getattr(error, "response", None)
    if response is None:
        return DeploymentError(str(error))
    detail = response.get("Error", {})
    fault = explain(
        detail.get("Code", "Unknown"),
        detail.get("Message", ""),
        action=getattr(error, "operation_name", ""),
        request_id=response.get("ResponseMetadata", {}).get("RequestId", ""),
    )
    return DeploymentError(fault.what, fault.hint)
