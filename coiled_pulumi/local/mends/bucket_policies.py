"""A bucket that only takes TLS is usable here.

moto looks at a bucket's policy without its conditions: a statement that denies what comes without TLS denies
everything. AWS reads the condition. Here everything comes without TLS, and over loopback, where nobody listens in:
such a statement denies nothing.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html#transit
"""

from __future__ import annotations

import json
from typing import Any, Final

_WITHOUT_TLS: Final = {"Bool": {"aws:SecureTransport": "false"}}


def apply() -> None:
    """Leave such statements out where a policy is asked."""
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.s3.models import FakeBucket

    def get_permission(self: Any, action: str, resource: str) -> Any:
        if self.policy is None:
            return PermissionResult.NEUTRAL
        document = json.loads(self.policy)
        said = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
        kept = [statement for statement in said if statement.get("Condition") != _WITHOUT_TLS]
        return IAMPolicy(json.dumps(document | {"Statement": kept})).is_action_permitted(action, resource)

    FakeBucket.get_permission = get_permission
