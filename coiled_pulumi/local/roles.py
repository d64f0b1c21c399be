"""What an instance may do at the API: temporary credentials of its role, and what IAM says to each of its calls."""

from __future__ import annotations

import dataclasses
import json
import secrets
import string
import sys
import time
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from coiled_pulumi.local import policies
from coiled_pulumi.local.answers import Answer, error, moment
from coiled_pulumi.local.authorised import requests

#: How long credentials are good, and when others are handed out, in seconds: AWS's last six hours, and new ones are
#: there at least five minutes before the end.
LIFETIME: Final = 6 * 3600.0
_RENEW: Final = 3600.0
_ALPHABET: Final = string.ascii_uppercase + "234567"
#: How each service says that something is not allowed.
_DENIALS: Final = {
    "ec2": ("403 Forbidden", "UnauthorizedOperation"),
    "logs": ("400 Bad Request", "AccessDeniedException"),
    "servicequotas": ("400 Bad Request", "AccessDeniedException"),
    "ssm": ("400 Bad Request", "AccessDeniedException"),
    "tagging": ("400 Bad Request", "AccessDeniedException"),
}


@dataclass(frozen=True, slots=True)
class Session:
    """One instance's use of its role."""

    key_id: str
    secret: str
    token: str
    ends: float
    """In seconds since the epoch."""
    account: str
    region: str
    role: str
    role_id: str
    instance: str

    def __repr__(self) -> str:
        """Leave the secrets out."""
        return f"Session({self.arn!r})"

    @property
    def arn(self) -> str:
        """What AWS calls who uses the credentials."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role}/{self.instance}"

    @property
    def user_id(self) -> str:
        """The role's id and the session's name, which at instances is the instance's id."""
        return f"{self.role_id}:{self.instance}"


class Roles:
    """The credentials that were handed out to instances."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._newest: dict[str, str] = {}

    def session(self, key_id: str) -> Session | None:
        """Look up whose key it is; also those whose time is over, which say so themselves."""
        return self._sessions.get(key_id)

    def credentials(self, instance: Any) -> dict[str, str] | None:
        """Give an instance its present credentials as the metadata service shows them; None without a role."""
        role = role_of(instance)
        if role is None:
            return None
        session = self._sessions.get(self._newest.get(instance.id, ""))
        if session is None or session.role_id != role.id or session.ends - time.time() < _RENEW:
            session = self._make(instance, role)
        return {
            "Role": role.name,
            "Code": "Success",
            "LastUpdated": moment(session.ends - LIFETIME),
            "Type": "AWS-HMAC",
            "AccessKeyId": session.key_id,
            "SecretAccessKey": session.secret,
            "Token": session.token,
            "Expiration": moment(session.ends),
        }

    def _make(self, instance: Any, role: Any) -> Session:
        now = time.time()
        self._sessions = {key: one for key, one in self._sessions.items() if one.ends + LIFETIME > now}
        session = Session(
            key_id="ASIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
            secret=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(200),
            ends=float(int(now + LIFETIME)),
            account=instance.ec2_backend.account_id,
            region=instance.ec2_backend.region_name,
            role=role.name,
            role_id=role.id,
            instance=instance.id,
        )
        self._sessions[session.key_id] = session
        self._newest[instance.id] = session.key_id
        return session


#: The ones of this process.
ROLES: Final = Roles()


def role_of(instance: Any) -> Any:
    """Give the role of an instance's profile as moto keeps it; None where there is none."""
    association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
    roles = association.iam_instance_profile.roles if association is not None else []
    return roles[0] if roles else None


def refusal(
    session: Session, service: str, action: str, region: str, request: dict[str, Any], body: bytes
) -> Answer | None:
    """Decide as IAM a call of an instance; None when it may go on.

    Args:
        session: who calls.
        service: the signing name.
        action: as AWS names it.
        region: that the call is for.
        request: the WSGI environment.
        body: of the request.
    """
    if (service, action) == ("sts", "GetCallerIdentity"):
        return None  # nobody can be denied it
    documents = documents_of(session)
    about = _about_caller(session, region)
    for one in requests(service, action, session.account, region, request, body):
        effects = _effects(documents, dataclasses.replace(one, context=about | dict(one.context)))
        if effects != {"Allow"}:
            return _denied(session, service, one, explicit="Deny" in effects)
    return None


def identity(session: Session) -> Answer:
    """Answer GetCallerIdentity."""
    body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{escape(session.arn)}</Arn><UserId>{escape(session.user_id)}</UserId>"
        f"<Account>{session.account}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{secrets.token_hex(16)}</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    ).encode()
    return Answer("200 OK", (("Content-Type", "text/xml"), ("Content-Length", str(len(body)))), body)


def documents_of(session: Session) -> list[dict[str, Any]]:
    """Give the inline and the attached policies of a role as they are now; none of a role that is gone."""
    from moto.iam.models import iam_backends

    role = iam_backends[session.account]["aws"].roles.get(session.role_id)
    if role is None:
        return []
    texts = [*role.policies.values()]
    for policy in role.managed_policies.values():
        texts += [one.document for one in policy.versions if one.version_id == policy.default_version_id]
    return [text if isinstance(text, dict) else json.loads(text) for text in texts]


def _about_caller(session: Session, region: str) -> dict[str, policies.Values]:
    place = f"arn:aws:ec2:{session.region}:{session.account}:instance/{session.instance}"
    return {
        "aws:userid": (session.user_id,),
        "aws:PrincipalArn": (f"arn:aws:iam::{session.account}:role/{session.role}",),
        "aws:PrincipalAccount": (session.account,),
        "aws:PrincipalType": ("AssumedRole",),
        "aws:RequestedRegion": (region,),
        # Stands for a call to AWS, which is always encrypted; here it stays on the machine.
        "aws:SecureTransport": ("true",),
        "aws:SourceInstanceARN": (place,),
        "ec2:SourceInstanceARN": (place,),
    }


def _effects(documents: list[dict[str, Any]], asked: policies.Request) -> set[str]:
    try:
        return policies.effects(documents, asked)
    except NotImplementedError as err:
        # Not passed over in silence: what can't be read allows nothing.
        print(f"a policy can't be read by the local AWS: {err}", file=sys.stderr, flush=True)
        return set()


def _denied(session: Session, service: str, asked: policies.Request, *, explicit: bool) -> Answer:
    status, code = _DENIALS.get(service, ("403 Forbidden", "AccessDenied"))
    on = f" on resource: {asked.resource}" if asked.resource != "*" else ""
    why = (
        "with an explicit deny in an identity-based policy"
        if explicit
        else f"because no identity-based policy allows the {asked.action} action"
    )
    text = f"User: {session.arn} is not authorized to perform: {asked.action}{on} {why}"
    if service == "ec2":
        text = f"You are not authorized to perform this operation. {text}"
    return error(service, status, code, text)
