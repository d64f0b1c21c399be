"""How a failed run of the engine becomes an error: what went wrong with which resource, and the next step."""

from __future__ import annotations

import re
from typing import Final

from coiled_pulumi.aws import faults
from coiled_pulumi.aws.faults import Fault
from coiled_pulumi.errors import (
    CancelledError,
    ChangesFoundError,
    CoiledPulumiError,
    CredentialsError,
    DeadlineError,
    DeploymentError,
    NoSuchStackError,
    PolicyError,
    UsageError,
)
from coiled_pulumi.ops.events import Diagnostic, Progress, name_of

#: Pulumi's exit codes that have an error of ours (pulumi/pulumi, `cmd/exit_codes.go`).
_BY_CODE: Final[dict[int, type[CoiledPulumiError]]] = {
    2: UsageError,
    3: CredentialsError,
    4: DeploymentError,
    5: PolicyError,
    6: NoSuchStackError,
    7: ChangesFoundError,
    8: CancelledError,
    9: DeadlineError,
}
#: What the AWS plugin wraps around an error: where in its code, how many there are, and its own version.
_WRAPPING: Final = re.compile(
    r"^\S+\.go:\d+: sdk\.helper_schema: |^(?:\w+ urn:\S+: )?\d+ errors? occurred:\n|^\s*\* |:? provider=aws@\S+$",
    re.MULTILINE,
)
#: Codes of credentials that were good when the run began.
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "SSOTokenExpired"})
#: A piece of what the engine says that is not AWS's, and the next step.
_HINTS: Final = (
    # hashicorp/terraform-provider-aws issue 45303: a refresh fails on a rule that is gone, instead of noting it.
    ("Missing Resource Identity", "it was deleted outside of Pulumi; make it anew: pulumi state delete '{urn}' && "
     "coiled-pulumi up"),
    ("currently locked by", "another run is at work; if none is: pulumi cancel"),
    ("passphrase", "set PULUMI_CONFIG_PASSPHRASE to the passphrase of this backend"),
    ("PULUMI_ACCESS_TOKEN", "set PULUMI_BACKEND_URL, or use the local AWS: eval \"$(coiled-pulumi local env)\""),
    ("no stack named", "bring it up with: coiled-pulumi up"),
)  # fmt: skip


def failure(code: int, progress: Progress, text: str, *, verb: str = "up") -> CoiledPulumiError:
    """Turn a failed run into an error: what the engine said, without its wall of text.

    Resources that met the same fault share a line, in the order in which they met it; each next step is told once.

    Args:
        code: with which the engine ended.
        progress: what it reported.
        text: what it printed; only read where it reported no error.
        verb: what was to be done.
    """
    mandatory = [f for f in progress.findings if f.level == "mandatory"]
    if mandatory:
        lines = [f"{f.policy}: {_named(f.urn, f.message)}" for f in mandatory]
        return PolicyError("a mandatory policy is violated\n" + "\n".join(dict.fromkeys(lines)))
    said = [(d.urn, unwrapped(d)) for d in progress.errors] or [("", line) for line in _complaints(text)]
    # The plugin says the same twice, in two wrappings: after this they are the same.
    known = [(urn, line, faults.parse(line)) for urn, line in dict.fromkeys(said)]
    met = [fault for _, _, fault in known if fault is not None]
    what = "\n".join(_lines(known)) or f"pulumi ended with exit code {code}"
    hint = "\n".join(dict.fromkeys(fault.hint for fault in met if fault.hint)) or _hint(progress, what)
    if any(fault.kind == "credentials" for fault in met):
        return _unsigned(met, progress, what, hint, verb)
    kind = _BY_CODE.get(code) or (DeploymentError if progress.rows else CoiledPulumiError)
    error = kind(what, hint)
    if isinstance(error, DeploymentError):
        error.faults = tuple(met)
    return error


def unwrapped(diagnostic: Diagnostic) -> str:
    """Give what was said, without the plugin's wrapping."""
    return _WRAPPING.sub("", diagnostic.message).strip()


def _lines(known: list[tuple[str, str, Fault | None]]) -> list[str]:
    """Give a line for each fault, with all who met it in front, and the other texts as they are."""
    who: dict[str, list[str]] = {}
    for urn, line, fault in known:
        if fault is None:
            who.setdefault(_named(urn, faults.redact(line)), [])
            continue
        names = who.setdefault(fault.what, [])
        if (name := _name(urn)) and name not in names:
            names.append(name)
    return [f"{', '.join(names)}: {what}" if names else what for what, names in who.items()]


def _unsigned(met: list[Fault], progress: Progress, what: str, hint: str, verb: str) -> CredentialsError:
    """Say how far the run came if the credentials were good at first; what else failed then follows from that."""
    begun = [row for row in progress.changed if not row.type.startswith(("pulumi:", "coiled:"))]
    done = [row for row in begun if row.state == "done"]
    if done and any(fault.code in _EXPIRED for fault in met):
        what = f"credentials expired after {len(done)} of {len(begun)} resources\n{what}"
        hint = f"renew them, as with `aws sso login`, and run {verb} again: it goes on from here"
    return CredentialsError(what, hint)


def _named(urn: str, text: str) -> str:
    name = _name(urn)
    return text if not name or text.startswith(f"{name}:") else f"{name}: {text}"


def _name(urn: str) -> str:
    """Give the logical name; none for what speaks for all resources."""
    of_all = not urn or "::pulumi:pulumi:Stack::" in urn or "::pulumi:providers:" in urn
    return "" if of_all else name_of(urn)


def _hint(progress: Progress, what: str) -> str:
    for piece, hint in _HINTS:
        if piece in what:
            return hint.format(urn=next((d.urn for d in progress.errors if piece in d.message), "URN"))
    return ""


def _complaints(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error:")]
    return errors or lines[-3:]
