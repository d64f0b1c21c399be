"""Answers that a recorder gives in place of the local AWS: what IAM refuses, and faults put in by a test."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from _support.authorisations import requests_of
from _support.calls_seen import Seen
from _support.evaluator import Request, refused
from _support.recorder import Watcher
from coiled_pulumi.local.answers import Answer, error

_CALLER = "arn:aws:iam::123456789012:user/tester"
#: What each service calls a refusal; https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_CODES = {
    "ec2": ("403 Forbidden", "UnauthorizedOperation"),
    "logs": ("400 Bad Request", "AccessDeniedException"),
    "ssm": ("400 Bad Request", "AccessDeniedException"),
}
_OTHERS = ("403 Forbidden", "AccessDenied")
#: Stands for EC2's encoded message: long, opaque, and nothing that a person should be shown.
BLOB = base64.b64encode(b"an encoded authorization failure message" * 20).decode().rstrip("=")


def enforce(documents: Sequence[Mapping[str, Any]]) -> Watcher:
    """Refuse what documents don't allow, in the words of the service that was asked."""

    def watch(call: Seen) -> Answer | None:
        request = refused(documents, requests_of(call))
        return None if request is None else refusal(call, request)

    return watch


def refusal(call: Seen, request: Request) -> Answer:
    """Give the answer of AWS to a call that IAM refused."""
    status, code = _CODES.get(call.service, _OTHERS)
    text = (
        f"User: {_CALLER} is not authorized to perform: {request.action} on resource: {request.resource} "
        f"because no identity-based policy allows the {request.action} action"
    )
    if call.service == "ec2":
        text = (
            f"You are not authorized to perform this operation. {text}. "
            f"Encoded authorization failure message: {BLOB}"
        )
    return error(call.service, status, code, text)


@dataclasses.dataclass
class Fault:
    """An error in place of an answer.

    Attributes:
        service: whose call, by its signing name.
        action: which call.
        code: AWS's name of the error.
        message: the sentence that comes with it.
        status: of HTTP, with its words.
        first: the number of the first call that fails, from 1.
        times: how many fail from then on.
        hits: how many did.
    """

    service: str
    action: str
    code: str
    message: str = "put in by a test"
    status: str = "400 Bad Request"
    first: int = 1
    times: int = 1
    hits: int = 0


def inject(*faults: Fault) -> Watcher:
    """Answer the calls that the faults name with errors."""
    counts = [0] * len(faults)
    lock = threading.Lock()

    def watch(call: Seen) -> Answer | None:
        for index, fault in enumerate(faults):
            if (call.service, call.action) == (fault.service, fault.action):
                with lock:
                    counts[index] += 1
                    hit = fault.first <= counts[index] < fault.first + fault.times
                    fault.hits += hit
                if hit:
                    return error(call.service, fault.status, fault.code, fault.message)
        return None

    return watch


def slow(seconds: float, *services: str) -> Watcher:
    """Have the calls of services take longer, each by itself."""
    never = threading.Event()

    def watch(call: Seen) -> Answer | None:
        if call.service in services:
            never.wait(seconds)
        return None

    return watch


def throttle(every: int, *services: str) -> Watcher:
    """Answer every so many-th call of services that it came too fast."""
    counts = itertools.count(1)

    def watch(call: Seen) -> Answer | None:
        if call.service not in services or next(counts) % every:
            return None
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html
        code = "RequestLimitExceeded" if call.service == "ec2" else "ThrottlingException"
        if call.service == "autoscaling":
            code = "Throttling"
        status = "503 Service Unavailable" if call.service == "ec2" else "400 Bad Request"
        return error(call.service, status, code, "Rate exceeded")

    return watch


def shut(region: str) -> Watcher:
    """Tell of one region that it is not enabled; AWS answers nothing in such a one, and so nobody may ask there."""
    row = f"<regionName>{region}</regionName><optInStatus>not-opted-in</optInStatus>"
    body = f"<DescribeRegionsResponse><regionInfo><item>{row}</item></regionInfo></DescribeRegionsResponse>"

    def watch(call: Seen) -> Answer | None:
        if call.name == "ec2:DescribeRegions":
            return Answer("200 OK", (("Content-Type", "text/xml"),), body.encode())
        return None

    return watch
