"""What IAM decides for one request: a small evaluator of identity policies.

It knows what our documents and the tests need of the language: Allow and Deny, wildcards and variables in
resources and conditions, wildcards in actions, the string, ARN, Bool and Null operators with `IfExists`, and the two
set operators. Anything else in a document is an error, so that no condition is passed over.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Values = tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """One question to IAM.

    Attributes:
        action: with its service, as `ec2:RunInstances`.
        resource: an ARN, or `*` for an action without resources.
        context: condition keys and their values; keys that have several values have them all.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, Values] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource} with {dict(sorted(self.context.items()))}"


def allows(documents: Sequence[Mapping[str, Any]], request: Request) -> bool:
    """Decide: an Allow that matches and no Deny that does."""
    return effects(documents, request) == {"Allow"}


def effects(documents: Sequence[Mapping[str, Any]], request: Request) -> set[str]:
    """Give the effects of all statements that match: nothing, Allow, Deny or both."""
    return {
        statement["Effect"]
        for document in documents
        for statement in _many(document["Statement"])
        if _matches(statement, request)
    }


def refused(documents: Sequence[Mapping[str, Any]], requests: Iterable[Request]) -> Request | None:
    """Give the first request that is not allowed; a call goes through only if none is refused."""
    return next((request for request in requests if not allows(documents, request)), None)


def _matches(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise NotImplementedError(f"statements with {sorted(unknown)}")
    return (
        any(_like(request.action.lower(), action.lower()) for action in _many(statement["Action"]))
        and any(_fits_resource(request, resource) for resource in _many(statement["Resource"]))
        and all(
            _holds(operator, key, _many(values), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _fits_resource(request: Request, pattern: str) -> bool:
    resolved = _resolved(pattern, request.context)
    return resolved is not None and _arn_like(request.resource, resolved)


#: `${key}` or `${key, 'default'}`; `${*}`, `${?}` and `${$}` are the signs themselves.
_VARIABLE = re.compile(r"\$\{([^},]+?)\s*(?:,\s*'([^']*)')?\}")
#: What came out of a variable is no wildcard: it stands as one of these until it is compared.
_LITERAL = str.maketrans({"*": "\ue000", "?": "\ue001"})
_BACK = str.maketrans({"\ue000": "*", "\ue001": "?"})


def _resolved(text: str, context: Mapping[str, Values]) -> str | None:
    """Put the request's values into a text; None when it names one that is not there, or is there several times."""
    known = True

    def value(hit: re.Match[str]) -> str:
        nonlocal known
        name, default = hit[1], hit[2]
        if name in ("*", "?", "$"):
            return name.translate(_LITERAL)
        found = context.get(_spelt(name, context), ())
        if len(found) == 1:
            return found[0].translate(_LITERAL)
        if default is None:
            known = False
        return (default or "").translate(_LITERAL)

    resolved = _VARIABLE.sub(value, text) if "${" in text else text
    return resolved if known else None


def _spelt(key: str, context: Mapping[str, Values]) -> str:
    """Find a key as the request spells it: condition keys don't care for case, the tag's key in them neither."""
    return next((known for known in context if known.lower() == key.lower()), key)


def _holds(operator: str, key: str, values: Sequence[Any], context: Mapping[str, Values]) -> bool:
    """Decide one line of a condition.

    Values are alternatives; negated operators want none of them. A key that is not there fails, but for negated
    operators, `IfExists`, and `ForAllValues`, for which it holds. A value with a variable that the request does not
    have is equal to nothing, and where it had to be different the line fails.
    """
    given = context.get(_spelt(key, context))
    resolved = [_resolved(str(value), context) for value in values]
    wanted = [value for value in resolved if value is not None]
    if len(wanted) < len(resolved) and "Not" in operator:
        return False
    if operator == "Null":
        return (not given) == (str(wanted[0]).lower() == "true")
    quantifier, _, rest = operator.rpartition(":")
    base = rest.removesuffix("IfExists")
    negated = "Not" in base
    try:
        compare = _COMPARE[base.replace("Not", "")]
    except KeyError:
        raise NotImplementedError(f"the operator {operator}") from None

    def fits(value: str) -> bool:
        return any(compare(value, want) for want in wanted) != negated

    match quantifier:
        case "ForAllValues":
            return all(fits(value) for value in given or ())
        case "ForAnyValue":
            return any(fits(value) for value in given or ()) or (not given and rest != base)
        case "":
            if not given:
                return negated or rest != base
            return all(fits(value) for value in given) if negated else any(fits(value) for value in given)
        case _:
            raise NotImplementedError(f"the operator {operator}")


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


@functools.lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text.replace("\ue000", r"\*").replace("\ue001", r"\?"), re.DOTALL)


def _like(value: str, pattern: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


def _arn_like(value: str, pattern: str) -> bool:
    """Compare part by part: a wildcard before the last colon does not reach over one."""
    if pattern == "*":
        return True
    ours, theirs = value.split(":", 5), pattern.split(":", 5)
    return len(ours) == len(theirs) and all(map(_like, ours, theirs))


_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, want: value == want.translate(_BACK),
    "StringEqualsIgnoreCase": lambda value, want: value.lower() == want.translate(_BACK).lower(),
    "StringLike": _like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda value, want: value.lower() == str(want).lower(),
}
