"""How the local AWS is told to fail, and to tell what runs: a signed call to a service of its own, beside AWS's.

Only who has the server's keys can make one, as with every other call; it is not in the log of API calls, because
AWS has no such calls.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Final

from coiled_pulumi.errors import CoiledPulumiError, EngineError, UsageError
from coiled_pulumi.local.answers import Answer
from coiled_pulumi.local.limits import LIMITS, QUOTAS

if TYPE_CHECKING:
    from coiled_pulumi.local.state import Record

#: The signing name.
SERVICE: Final = "coiled-pulumi-local"
#: A launch of all that groups could not launch before may take a while, in seconds.
_PATIENCE: Final = 120.0


def ask(record: Record, verb: str, **fields: Any) -> dict[str, Any]:
    """Tell the running server something; give its answer.

    Args:
        record: the running server.
        verb: `quota` (code, value, region), `approve` (request_id, or everything without one), `no-capacity`
            (type, zone, clear), `spot-interrupt` (instance, after), `kill` (instance) or `hosts` (nothing).
        fields: of the verb.

    Raises:
        UsageError: there is no such quota, request, zone or instance.
        EngineError: the server does not answer.
    """
    body = json.dumps({"verb": verb} | fields).encode()
    connection = http.client.HTTPConnection("127.0.0.1", record.port, timeout=_PATIENCE)
    try:
        connection.request("POST", "/", body, _signed(record, body))
        response = connection.getresponse()
        text = response.read()
    except OSError as error:
        raise EngineError(f"the local AWS does not answer: {error}", "coiled-pulumi local status") from None
    finally:
        connection.close()
    if response.status == 200:
        answer: dict[str, Any] = json.loads(text)
        return answer
    if response.status == 400:
        raise UsageError(**json.loads(text))
    raise EngineError(f"the local AWS refused the call ({response.status})", "coiled-pulumi local status")


def _signed(record: Record, body: bytes) -> dict[str, str]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("POST", f"http://127.0.0.1:{record.port}/", data=body)
    SigV4Auth(Credentials(record.access_key_id, record.secret_access_key), SERVICE, "us-east-1").add_auth(
        request
    )
    return dict(request.headers.items())


def answer(body: bytes) -> Answer:
    """Answer a call, in the server; its signature was checked before."""
    fields = json.loads(body)
    verbs = {
        "quota": _quota,
        "approve": _approve,
        "no-capacity": _no_capacity,
        "spot-interrupt": _interrupt,
        "kill": _kill,
        "hosts": _hosts,
    }
    try:
        return _json("200 OK", verbs[fields.pop("verb")](**fields))
    except CoiledPulumiError as error:
        return _json("400 Bad Request", {"what": error.what, "hint": error.hint})


def _json(status: str, fields: dict[str, Any]) -> Answer:
    text = json.dumps(fields).encode()
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(text))))
    return Answer(status, headers, text)


def _quota(*, code: str, value: float, region: str) -> dict[str, Any]:
    if code not in QUOTAS:
        known = ", ".join(sorted(QUOTAS))
        raise UsageError(f"the local AWS has no quota '{code[:60]}'", f"it has {known}")
    _require_region(region)
    before = LIMITS.value(region, code)
    LIMITS.values[region, code] = value
    if value > before:
        _relaunch()
    return {"code": code, "name": QUOTAS[code].name, "region": region, "before": before, "value": value}


def _approve(*, request_id: str = "") -> dict[str, Any]:
    pending = [one.request_id for one in LIMITS.requests.values() if one.status == "PENDING"]
    if request_id and request_id not in LIMITS.requests:
        raise UsageError(
            f"nobody asked for '{request_id[:60]}'", f"pending: {', '.join(pending) or 'no request'}"
        )
    done = [LIMITS.approve(one) for one in ([request_id] if request_id else pending)]
    _relaunch()
    return {
        "approved": [
            {"request_id": one.request_id, "code": one.code, "region": one.region, "value": one.value}
            for one in done
        ]
    }


def _no_capacity(*, type: str, zone: str, clear: bool) -> dict[str, Any]:  # noqa: A002 the name of the flag
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    if type not in INSTANCE_TYPES:
        raise UsageError(f"the local AWS has no instance type '{type[:60]}'", "write one as m6i.xlarge")
    _require_region(zone[:-1])
    if clear:
        LIMITS.shortages.discard((type, zone))
        _relaunch()
    else:
        LIMITS.shortages.add((type, zone))
    return {"shortages": [list(one) for one in sorted(LIMITS.shortages)]}


def _interrupt(*, instance: str, after: float) -> dict[str, Any]:
    from coiled_pulumi.local import lifecycle

    return lifecycle.interrupt(instance, after)


def _kill(*, instance: str) -> dict[str, Any]:
    from coiled_pulumi.local import lifecycle

    return lifecycle.kill(instance)


def _hosts() -> dict[str, Any]:
    from coiled_pulumi.local.machines import MACHINES

    return MACHINES.status()


def _require_region(region: str) -> None:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    if region not in ec2_backends[DEFAULT_ACCOUNT_ID]:
        raise UsageError(
            f"there is no region '{region[:60]}'", "write one as us-east-1, a zone as us-east-1a"
        )


def _relaunch() -> None:
    from coiled_pulumi.local.mends import quotas

    quotas.relaunch()
