"""From pydantic's findings to one line each, in our words.

Pydantic's own text is never shown: it repeats whole inputs, secrets and alias bombs included.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from coiled_pulumi import catalog
from coiled_pulumi.errors import MAX_PROBLEMS, Problem, echo
from coiled_pulumi.spec.aliases import ALIASES, Normal
from coiled_pulumi.spec.base import Refusal, suggest, unquoted
from coiled_pulumi.spec.software import is_secret
from coiled_pulumi.spec.yaml12 import Path, lookup, render

Hint = str | Callable[[], str]

_CONSTRAINTS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "too_short": "must have at least {min_length} item",
    "too_long": "must have at most {max_length} items",
    "missing": "is required",
    "extra_forbidden": "is not a known key",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
}
#: What to write where nothing was written.
_NOTHING = {
    "model_type": "write {} for the defaults",
    "dict_type": "write {} for none",
    "tuple_type": "write [] for none",
}


def problems(
    error: ValidationError, root: type[BaseModel], value: Normal, lines: Mapping[Path, int], at: Path
) -> list[Problem]:
    """Turn pydantic's findings into problems with path and line.

    Args:
        error: what pydantic raised.
        root: the model that was read.
        value: what it was read from, for the one scalar that a line repeats, and for the names that were written.
        lines: line by path in the file.
        at: where in the file the value stands.
    """
    found: list[tuple[Problem, Hint]] = []
    details = error.errors(include_input=False, include_url=False)
    failed = [detail["loc"] for detail in details]
    for detail in details:
        # A list whose items all failed is also called too short: only the items are worth a line.
        depth = len(detail["loc"])
        if detail["type"] == "too_short" and any(detail["loc"] == loc[:depth] != loc for loc in failed):
            continue
        of_key = _is_of_key(detail["loc"], value.value)
        path = detail["loc"][:-1] if of_key else detail["loc"]
        got = path[-1] if of_key else lookup(value.value, path)
        what, hint = _sentence(detail["type"], detail.get("ctx", {}), path, root, got)
        written = value.back(path)
        found.append((Problem(render(written), what, line_of(lines, (*at, *written))), hint))
    # Looking for near words takes milliseconds; nobody reads the hints of problems that are only counted.
    found.sort(key=lambda pair: (pair[0].line, pair[0].path, pair[0].what))
    shown = [
        replace(problem, hint=hint() if callable(hint) else hint) for problem, hint in found[:MAX_PROBLEMS]
    ]
    return shown + [problem for problem, _ in found[MAX_PROBLEMS:]]


def _is_of_key(location: Path, value: object) -> bool:
    """Tell whether a finding is about a mapping's key: pydantic marks it with one that somebody may have themselves."""
    around = lookup(value, location[:-1])
    return location[-1:] == ("[key]",) and not (isinstance(around, dict) and "[key]" in around)


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Give the line of a path, or of the nearest thing around it, or 0."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)


def _sentence(
    kind: str, context: dict[str, Any], path: Path, root: type[BaseModel], value: object
) -> tuple[str, Hint]:
    secret = is_secret(path)
    if kind == "value_error" and isinstance(refusal := context.get("error"), Refusal):
        silent = "got " in refusal.what or isinstance(value, dict | list) or secret
        return refusal.what + ("" if silent else f", got {echo(value)}"), refusal.hint
    constraint = _CONSTRAINTS.get(kind, "is not valid").format(**context)
    if kind == "missing":
        return constraint, ""
    if kind == "extra_forbidden":
        return constraint, lambda: _known(root, path)
    if secret:
        return constraint, _form(kind, value)
    got = context["actual_length"] if kind == "too_long" else echo(value)
    return f"{constraint}, got {got}", _form(kind, value)


def _known(root: type[BaseModel], path: Path) -> str:
    known = known_keys(root, path[:-1])
    others = [alias for alias, name in ALIASES.items() if name in known]
    if deeper := _deeper(root, path, known):
        return suggest(deeper)
    return suggest(catalog.nearest(str(path[-1]), known + others, most=1)) or "known are " + ", ".join(known)


def _deeper(root: type[BaseModel], path: Path, known: list[str]) -> list[str]:
    """Give where a key stands that was written one level too high, as `cpu` of a cluster for `worker.cpu`."""
    *outer, name = path
    return [f"{key}.{name}" for key in known if name in known_keys(root, (*outer, key))]


def _form(kind: str, value: object) -> str:
    """Give the hint for a value that is right but for how it is written."""
    if value is None:
        return _NOTHING.get(kind, "")
    if kind == "string_type" and not isinstance(value, dict | list):
        return "quote it"
    return unquoted(value) if kind == "int_type" else ""


def known_keys(root: type[BaseModel], path: Path) -> list[str]:
    """Give the keys that the model at a path knows, in the order of its definition."""
    annotation: Any = root
    for part in path:
        annotation = _step(annotation, part)
    model = _model_in(annotation)
    return list(model.model_fields) if model else []


def _step(annotation: Any, part: str | int) -> Any:
    model = _model_in(annotation)
    if model is not None and isinstance(part, str) and part in model.model_fields:
        return model.model_fields[part].annotation
    for choice in _choices(annotation):
        origin, args = typing.get_origin(choice), typing.get_args(choice)
        if origin is dict:
            return args[1]
        if origin in (tuple, list):
            return args[0]
    return None


def _choices(annotation: Any) -> list[Any]:
    """Give the alternatives of an annotation without `Annotated` around them."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if typing.get_origin(annotation) in (typing.Union, type(int | str)):
        return [inner for choice in typing.get_args(annotation) for inner in _choices(choice)]
    return [annotation]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for choice in _choices(annotation):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return choice
    return None
