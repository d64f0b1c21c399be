"""What an error of AWS means: cause and next step, whichever way it reached us.

The same errors come in three forms: as boto3's exceptions (`of`), inside the text of the Pulumi engine, written by
the Go SDK (`parse`), and as the reason of a scaling activity (`parse`). What is known of each code is in
`fault_table`, how they look without one in `fault_forms`. Nothing here repeats an encoded authorization message or
anything else that looks like one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from coiled_pulumi.aws.fault_forms import NETWORK, OWN, PHRASES, VCPU_QUOTAS
from coiled_pulumi.aws.fault_table import ENDINGS, TABLE, Entry
from coiled_pulumi.errors import CoiledPulumiError, CredentialsError, DeploymentError, UsageError

#: Longest piece of AWS's own message that is repeated, in characters.
MAX_MESSAGE: Final = 300
#: Longest run of characters of the base64 alphabets that is repeated: longer ones are blobs, never words.
MAX_RUN: Final = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of AWS, explained.

    Attributes:
        code: AWS's own, as `VcpuLimitExceeded`; where there was no answer of AWS, one of `fault_forms.OWN`.
        what: cause in one sentence, without encoded blobs.
        hint: the next step.
        kind: `capacity`, `quota`, `rights`, `credentials`, `throttling`, `region`, `account`, `conflict`, `request`,
            `service` (AWS itself failed), `network` (AWS was not reached) or `other`.
        quota: code of the quota, as `L-1216C47A`; empty where there is none.
    """

    code: str
    what: str
    hint: str = ""
    kind: str = "other"
    quota: str = ""


def explain(
    code: str,
    message: str,
    *,
    action: str = "",
    request_id: str = "",
    region: str = "",
    instance_type: str = "",
) -> Fault:
    """Explain an error; an unknown code keeps its code, its message, request id and action.

    Args:
        code: as AWS gave it.
        message: as AWS gave it; at most 300 characters of it are repeated.
        action: what was asked of AWS, as `ec2:RunInstances` or `RunInstances`.
        request_id: of the call; only told where AWS's support would ask for it.
        region: where, if known.
        instance_type: what was to be launched, if known: it tells which quota of vCPUs counts.
    """
    said = clean(message)[:MAX_MESSAGE].strip().rstrip(".")
    entry = _entry(code)
    if entry is None:
        where = ", ".join(
            part for part in (action, region, f"request {request_id}" if request_id else "") if part
        )
        return _fault(code, f"{code}: {said}" + (f" ({where})" if where else ""))
    if entry.kind == "rights":
        return _denied(code, message, action)
    names = {"message": said or code, "action": action or "the call", "region": region}
    what, hint = _sentences(entry, f"{code}: {clean(message)}", names)
    quota = _quota(entry.quota, instance_type)
    notes = [] if code in OWN else [code]
    if quota:
        notes.append(f"quota {quota}")
    if entry.kind == "service" and request_id:
        notes.append(f"request {request_id}")
    return _fault(code, what + (f" ({', '.join(notes)})" if notes else ""), hint, entry.kind, quota)


def clean(text: str) -> str:
    """Take out what no person can read, encoded authorization messages and other blobs, and put it on one line."""
    return " ".join(_BLOB.sub("[...]", _without_encoded(text)).split())


def redact(text: str) -> str:
    """Take blobs out of a text that need not be AWS's: lines stay, and so do long paths of files."""
    return _WORDLESS.sub("[...]", _without_encoded(text))


def _without_encoded(text: str) -> str:
    # Taking one out may bring the halves of another together.
    while (shorter := _ENCODED.sub("", text)) != text:
        text = shorter
    return text


def parse(text: str, *, instance_type: str = "") -> Fault | None:
    """Find the error of AWS in what the engine, its plugin or a scaling activity said; None if there is none.

    Args:
        text: one message, without the plugin's wrapping.
        instance_type: as in `explain`.
    """
    text = text.strip()
    asked = _OPERATION.search(text)
    action = f"{_prefix(asked['service'])}:{asked['operation']}" if asked else ""
    for pattern in (_ANSWER, _API, _BOTO, _LAST):
        if found := pattern.search(text):
            groups = found.groupdict()
            return explain(
                found["code"],
                found["message"].split("\n", 1)[0],
                action=action or groups.get("operation") or "",
                request_id=groups.get("request") or "",
                instance_type=instance_type,
            )
    for phrase, code in PHRASES:
        if re.search(phrase, text):
            return explain(code, text, action=action, instance_type=instance_type)
    if found := _NAMED.search(text):
        return explain(found["code"], found["message"] or "", action=action, instance_type=instance_type)
    return _unreached(text, asked["operation"]) if asked else None


def of(error: Any) -> CoiledPulumiError:
    """Turn what boto3 raised into an error of ours: `CredentialsError`, `UsageError` or `DeploymentError`."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return _unanswered(error)
    detail = response.get("Error", {})
    fault = explain(
        str(detail.get("Code") or "Unknown"),
        str(detail.get("Message") or ""),
        action=getattr(error, "operation_name", ""),
        request_id=response.get("ResponseMetadata", {}).get("RequestId", ""),
    )
    return as_error(fault)


def as_error(fault: Fault) -> CoiledPulumiError:
    """Give the error of ours that fits a fault."""
    kind = CredentialsError if fault.kind == "credentials" else DeploymentError
    return kind(fault.what, fault.hint)


def statement(action: str) -> str:
    """Tell in which of the two IAM documents an action is: `Setup` or `Ongoing`.

    Setup makes what all clusters share (network, role, log group); Ongoing is what starting and stopping a cluster
    takes.
    """
    service, _, operation = action.rpartition(":")
    made = _SETUP.get(service) if service else _SETUP["ec2"]
    return "Setup" if made is not None and made.match(operation) else "Ongoing"


#: Actions of the Setup document, by service.
_SETUP: Final = {
    "ec2": re.compile(
        r"(Create|Delete|Modify|Attach|Detach|Associate|Disassociate|Allocate|Release|Replace|Accept|Enable|Disable|"
        r"Authorize|Revoke|Update)(Default)?(Vpc|Subnet|InternetGateway|EgressOnly|NatGateway|Route|Address|"
        r"SecurityGroup|NetworkAcl|Dhcp|FlowLogs|ManagedPrefixList)"
    ),
    "iam": re.compile(r"(?!PassRole|Get|List(?!InstanceProfilesForRole)|Simulate)"),
    "logs": re.compile(
        r"(Create|Delete)LogGroup|PutRetentionPolicy|DeleteRetentionPolicy|Tag|Untag|Associate"
    ),
    "servicequotas": re.compile(r"Request"),
}
#: How the Go SDK names services that IAM names otherwise.
_SERVICES: Final = {
    "cloudwatch logs": "logs",
    "auto scaling": "autoscaling",
    "service quotas": "servicequotas",
    "secrets manager": "secretsmanager",
    "resource groups tagging api": "tag",
    "elastic load balancing v2": "elasticloadbalancing",
}
_ENCODED = re.compile(r"Encoded\s+authorization\s+failure\s+message:?\s*\S*", re.IGNORECASE)
_BLOB = re.compile(rf"[A-Za-z0-9+/=_-]{{{MAX_RUN + 1},}}")
_WORDLESS = re.compile(rf"(?<![A-Za-z0-9+/=_.-])(?!/)[A-Za-z0-9+/=_-]{{{MAX_RUN + 1},}}")
_CODE = r"(?P<code>[A-Z][A-Za-z0-9]+(?:\.[A-Z][A-Za-z0-9]+)*)"
_OPERATION = re.compile(r"operation error (?P<service>[\w ]+?): (?P<operation>\w+)")
#: The Go SDK: an error that the API's model knows has no "api error" in front of it.
_ANSWER = re.compile(
    rf"StatusCode: \d+, RequestID: (?P<request>[\w-]*), (?:HostID: [^,]*, )?(?:api error )?{_CODE}: (?P<message>.*)",
    re.DOTALL,
)
_API = re.compile(rf"api error {_CODE}: (?P<message>.*)", re.DOTALL)
_BOTO = re.compile(
    rf"An error occurred \({_CODE}\) when calling the (?P<operation>\w+) operation(?: \([^)]*\))?: (?P<message>.*)",
    re.DOTALL,
)
#: A waiter of the plugin: the reason that the resource itself gives.
_LAST = re.compile(rf"last error: (?:Client\.|Server\.(?!Internal))?{_CODE}: (?P<message>.*)", re.DOTALL)
#: A code of ours to know with nothing around it that says so. One word alone could be any word: it needs a colon.
_NAMED = re.compile(
    r"\b(?P<code>"
    + "|".join(
        re.escape(code) + ("" if re.search(r"[a-z0-9.][A-Z]", code) else r"(?=: )")
        for code in sorted(TABLE, key=len, reverse=True)
        if code not in OWN
    )
    + r")\b(?:(?:: | - )(?P<message>[^\n]*))?"
)
_WHO = re.compile(r"(?P<who>arn:[\w:/.@+=,-]+) is not authorized to perform: (?P<action>[\w-]+:\w+)")
#: Who else has a say than the identity's own policies.
_ABOVE = (
    r"service control policy|resource control policy|permissions boundary|session policy|VPC endpoint policy"
)
_WHY = re.compile(
    rf"(?P<how>explicit deny in an?|no) (?P<policy>{_ABOVE}|identity-based policy|resource-based policy)"
)


def _entry(code: str) -> Entry | None:
    if code in TABLE:
        return TABLE[code]
    short = code.rpartition(".")[2] if code.startswith(("Client.", "Server.")) else code
    endings = ((ending, entry) for endings, entry in ENDINGS for ending in endings.split())
    return TABLE.get(short) or next((entry for ending, entry in endings if code.endswith(ending)), None)


def _fault(code: str, what: str, hint: str = "", kind: str = "other", quota: str = "") -> Fault:
    """Make a fault; whatever went into its sentences, no blob comes out."""
    return Fault(clean(code)[:80], clean(what), clean(hint), kind, quota)


def _sentences(entry: Entry, text: str, names: dict[str, str]) -> tuple[str, str]:
    """Fill in the sentences: the better ones if the message is one that says more."""
    for pattern, what, hint in entry.seen:
        if found := re.search(pattern, text):
            known = names | {key: value[:MAX_RUN] for key, value in found.groupdict().items()}
            return what.format_map(known), (hint or entry.hint).format_map(known)
    return entry.what.format_map(names), entry.hint.format_map(names)


def _quota(code: str, instance_type: str) -> str:
    """Give the quota that counts for an instance type, where the table names that of the standard families."""
    if not instance_type or code not in VCPU_QUOTAS[""]:
        return code
    letters = re.match(r"[a-z]*", instance_type)
    family = letters[0] if letters else ""
    generation = re.match(r"[a-z]+\d+", instance_type)
    known = VCPU_QUOTAS.get(generation[0] if generation else "") or VCPU_QUOTAS.get(family) or VCPU_QUOTAS[""]
    return known[VCPU_QUOTAS[""].index(code)]


def _denied(code: str, message: str, action: str) -> Fault:
    """Say which action is missing to whom, and in which document it is."""
    text = clean(message)
    if code.endswith("ServiceLinkedRoleCreationNotPermitted"):
        action = "iam:CreateServiceLinkedRole"
    who = _WHO.search(text)
    action = who["action"] if who else action
    what = f"not allowed: {action or 'the call'}" + (f" as {who['who']}" if who else "")
    why = _WHY.search(text)
    if why and (why["how"] != "no" or re.fullmatch(_ABOVE, why["policy"])):
        verdict = f"no {why['policy']} allows it" if why["how"] == "no" else f"denied by its {why['policy']}"
        hint = f"ask who keeps the {why['policy']}: another policy of the identity does not help"
        return _fault(code, f"{what}, {verdict} ({code})", hint, "rights")
    if action.startswith(("s3:", "kms:")):
        thing = "bucket" if action.startswith("s3:") else "key"
        hint = f"allow it on the {thing} of Pulumi's state to this identity"
        return _fault(code, f"{what} ({code})", hint, "rights")
    part = statement(action)
    command = "coiled-pulumi iam setup" if part == "Setup" else "coiled-pulumi iam ongoing"
    hint = f"it is in the {part} statement, which this identity needs: {command}"
    return _fault(code, f"{what} ({code})", hint, "rights")


def _prefix(service: str) -> str:
    name = service.strip().lower()
    return _SERVICES.get(name, name.replace(" ", ""))


def _unreached(text: str, operation: str) -> Fault | None:
    """Explain a call that got no answer of AWS's, from what the Go SDK says of the connection."""
    target = re.search(r'"(https?://[^/"]+)', text)
    for pattern, code in NETWORK:
        if found := re.search(pattern, text):
            end = text[found.start() :].split("\n", 1)[0].strip(" ,:")
            place = target[1] if target else operation
            return explain(code, f"{place}: {end}")
    return None


def _unanswered(error: Any) -> CoiledPulumiError:
    """Give an error of ours for what boto3 raises when there is no answer; by name, so that botocore stays unloaded."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if "ProfileNotFound" in names:
        return UsageError(
            clean(str(error)), "name one that `aws configure list-profiles` shows, or unset AWS_PROFILE"
        )
    said = clean(str(error))[:MAX_MESSAGE]
    for name, code in _BOTO_KINDS:
        if name in names:
            return as_error(explain(code, said))
    return DeploymentError(said or type(error).__name__)


#: What boto3 raises without an answer of AWS, most special ones first.
_BOTO_KINDS: Final = (
    ("PartialCredentialsError", "PartialCredentials"),
    ("UnauthorizedSSOTokenError", "SSOTokenExpired"),
    ("SSOTokenLoadError", "SSOTokenExpired"),
    ("TokenRetrievalError", "SSOTokenExpired"),
    ("NoCredentialsError", "NoCredentials"),
    ("CredentialRetrievalError", "NoCredentials"),
    ("NoAuthTokenError", "NoCredentials"),
    ("SSLError", "CertificateNotTrusted"),
    ("ConnectTimeoutError", "Timeout"),
    ("ReadTimeoutError", "Timeout"),
    ("ConnectionError", "CannotConnect"),
    ("HTTPClientError", "CannotConnect"),
    ("ResponseParserError", "NotAws"),
)
