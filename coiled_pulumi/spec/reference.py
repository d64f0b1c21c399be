"""What every key of the workspace file is, read off the models: for the reference page, `explain` and completion."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from coiled_pulumi import catalog
from coiled_pulumi.errors import UsageError, echo
from coiled_pulumi.spec import durations
from coiled_pulumi.spec.aliases import ALIASES
from coiled_pulumi.spec.base import NEW_MACHINES, NEW_WORKERS, suggest
from coiled_pulumi.spec.cluster import WorkerGroup
from coiled_pulumi.spec.instance import Machine
from coiled_pulumi.spec.machines import DEFAULT_DISK, DEFAULT_DISK_DL, ROLES, Role
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.settled import DEFAULTS
from coiled_pulumi.spec.workspace import Workspace
from coiled_pulumi.spec.yaml12 import Path, render

#: In a path of a key: a name of the user's own, and an item of a list.
NAME, ITEM = "NAME", "[]"
#: Where the options of a cluster stand.
CLUSTER: Final = ("clusters", NAME)
#: Where its further groups of workers stand, and what these have beside a machine's keys.
GROUPS: Final = "worker_groups"
_OF_GROUP = WorkerGroup.model_fields.keys() - Machine.model_fields.keys()
_DEFAULT = re.compile(r"\s*Default: (.*)\.$", re.DOTALL)
_WORDS = {"object": "mapping", "string": "text", "integer": "whole number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the workspace file.

    Attributes:
        path: where it stands, with `NAME` for a name of the user's own and `[]` for an item of a list.
        type: what it takes.
        bounds: what of that is allowed.
        default: what counts where nobody says anything, as YAML or in words; empty for mappings with keys of their own.
        required: whether there is none.
        description: what it is.
        on_change: what the next `up` does when its value changes; empty for mappings and lists with keys of their own.
        levels: who may say it: `machine`, `group`, `cluster`, `workspace`, `config`.
        aliases: other names for it.
        inner: keys in it.
    """

    path: tuple[str, ...]
    type: str
    bounds: str
    default: str
    required: bool
    description: str
    on_change: str
    levels: tuple[str, ...]
    aliases: tuple[str, ...]
    inner: tuple[str, ...]

    @property
    def text(self) -> str:
        """Its path as `clusters.NAME.worker.cpu` or `ingress[].ports`."""
        return ".".join(self.path).replace(f".{ITEM}", ITEM)

    @property
    def is_leaf(self) -> bool:
        """Whether it takes one value as a whole; a list of mappings does too."""
        return not self.inner or self.type.startswith("list")


@functools.cache
def keys() -> Mapping[tuple[str, ...], Key]:
    """Give every key by its path, in the order of the models."""
    schema = Workspace.model_json_schema()
    return {key.path: key for key in _walk(schema, schema.get("$defs", {}), ())}


def plain(value: object, name: str = "") -> Any:
    """Give a value as a file would have it: what is not said is left out, bounds that are one number are that number.

    Args:
        value: of a model.
        name: the key that it is of.
    """
    if isinstance(value, BaseModel):
        said = {inner: plain(getattr(value, inner), inner) for inner in type(value).model_fields}
        return {inner: part for inner, part in said.items() if part is not None}
    if name == "memory" and isinstance(value, float):
        return f"{value:g} GiB"
    if name in ("cpu", "memory", "n_workers") and isinstance(value, tuple):
        low, high = (plain(bound, name) for bound in value)
        return low if low == high else [low, high]
    if name.endswith("_timeout") and isinstance(value, int):
        return durations.text(value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part, "port" if name == "ports" else "") for part in value]
    return int(value) if name == "port" and isinstance(value, str) and value.isdecimal() else value


def option(path: tuple[str, ...]) -> str:
    """Give the backend option that a path of a key is about, as `disk.size`; empty if it is none."""
    inside = path[len(CLUSTER) :] if path[: len(CLUSTER)] == CLUSTER else path
    return ".".join(inside) if inside and inside[0] in Options.model_fields else ""


def split(text: str) -> Path:
    """Read a path as a person writes it: `clusters.main.ports[0]`; a tag's key may have dots.

    Raises:
        UsageError: it has another form.
    """
    if text.startswith("tags.") and text != "tags.":
        return ("tags", text.removeprefix("tags."))
    if not re.fullmatch(r"[^.\[\]]+(\[[0-9]{1,6}\])*(\.[^.\[\]]+(\[[0-9]{1,6}\])*)*", text):
        raise UsageError(
            f"must be a path of the workspace file, got {echo(text)}", "as in clusters.main.worker.cpu"
        )
    parts = re.findall(r"[^.\[\]]+|\[\d+\]", text)
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)


def canonical(path: Path) -> Path:
    """Give a path with our own names for Coiled's."""
    at = 2 if path[:1] == ("clusters",) else 0
    if len(path) <= at or not isinstance(path[at], str):
        return path
    return (*path[:at], ALIASES.get(path[at], path[at]), *path[at + 1 :])


def find(path: Path) -> tuple[Key, Path]:
    """Find the key that a path with our own names leads to, and what of the path lies within its value.

    Raises:
        UsageError: there is no such key; the hint has a near one, or all there are.
    """
    found: tuple[str, ...] = ()
    for index, part in enumerate(path):
        known = keys()
        for step in (part, ITEM if isinstance(part, int) else NAME):
            if (*found, step) in known or any(key[: len(found) + 1] == (*found, step) for key in known):
                found = (*found, step)  # type: ignore[assignment]
                break
        else:
            key = known.get(found)
            if key is not None and not key.inner and _may_go_on(key, path[index:]):
                return key, path[index:]
            raise UsageError(f"{render(path)}: {_no_key(part)}", _near(part, found))
    key = keys().get(found) or _of_a_name(found)
    return key, ()


def require_cluster(name: str, clusters: object, source: str) -> None:
    """Refuse a cluster that a file does not have.

    Raises:
        UsageError: it has no such cluster.
    """
    known = list(clusters) if isinstance(clusters, Mapping) else []
    if name not in known:
        hint = suggest(catalog.nearest(name, known, most=1))
        hint = hint or ("it has " + ", ".join(known) if known else "it has none")
        raise UsageError(f"{source} has no cluster {echo(name)}", hint)


def near(word: str, known: list[str], more: Iterable[str] = ()) -> str:
    """Make the hint for a word that is none of those that are known; other names for them are only suggested."""
    return suggest(catalog.nearest(word, [*known, *more], most=1)) or "known are " + ", ".join(known)


def _may_go_on(key: Key, rest: Path) -> bool:
    if len(rest) > 1:
        return False
    return "list" in key.type if isinstance(rest[0], int) else key.type == "mapping"


def _no_key(part: str | int) -> str:
    return "is not a list" if isinstance(part, int) else f"{echo(part)} is not a known key"


def _near(part: str | int, at: tuple[str, ...]) -> str:
    known = [key.path[len(at)] for key in keys().values() if key.path[:-1] == at]
    if at and (*at, ITEM, part) in keys():
        return f"did you mean {render((*at, 0, part))}"
    if not known or known == [NAME]:
        return ""
    if not at and (*CLUSTER, part) in keys():
        return f"it is for a cluster: clusters.NAME.{part}, or with --cluster NAME"
    return near(str(part), known, [alias for alias, name in ALIASES.items() if name in known])


def _of_a_name(path: tuple[str, ...]) -> Key:
    """Make the key for something that a user named, or for an item of a list of mappings."""
    inner = tuple(key.path[-1] for key in keys().values() if key.path[:-1] == path)
    outer = keys()[path[:-1]]
    return Key(path, "mapping", "", "", False, outer.description, outer.on_change, outer.levels, (), inner)  # noqa: FBT003


def _walk(model: Mapping[str, Any], known: Mapping[str, Any], at: tuple[str, ...]) -> Iterator[Key]:
    required = model.get("required", ())
    for name, found in model.get("properties", {}).items():
        kind = resolved(found, known)
        path, step = (*at, name), ()
        inside = kind
        if kind.get("type") == "array":
            inside, step = resolved(kind.get("items", {}), known), (ITEM,)
        elif isinstance(values := kind.get("patternProperties") or kind.get("additionalProperties"), dict):
            one = next(iter(values.values())) if "patternProperties" in kind else values
            inside, step = resolved(one, known), (NAME,)
        yield _key(path, found, kind, tuple(inside.get("properties", ())), required=name in required)
        yield from _walk(inside, known, (*path, *step))


def _key(
    path: tuple[str, ...],
    found: Mapping[str, Any],
    kind: Mapping[str, Any],
    inner: tuple[str, ...],
    *,
    required: bool,
) -> Key:
    text = " ".join(found.get("description", "").split())
    words = _DEFAULT.search(text)
    name = option(path)
    return Key(
        path=path,
        type=_type(kind),
        bounds=_bounds(kind),
        default=_default(path, found, words[1] if words else "", inner, required=required),
        required=required,
        description=_DEFAULT.sub("", text),
        on_change=_on_change(path, found.get("x-on-change") or kind.get("x-on-change", "")),
        levels=_levels(path, name),
        aliases=tuple(alias for alias, ours in ALIASES.items() if ours == name),
        inner=inner,
    )


def _default(
    path: tuple[str, ...], found: Mapping[str, Any], words: str, inner: tuple[str, ...], *, required: bool
) -> str:
    if required:
        return ""
    name = option(path)
    value = plain(DEFAULTS[name]) if name in DEFAULTS else found.get("default")
    if value is None or name == "ingress":
        if path[-2:] == ("disk", "size") and (role := role_of(path)):
            return _disk(role)
        return words or ("" if inner else "none")
    if inner and isinstance(value, dict):
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def role_of(path: Path) -> Role | None:
    """Give the role of the machine that a path leads into; None if it leads into none."""
    inside = path[len(CLUSTER) :] if path[:1] == CLUSTER[:1] else ()
    if inside[:1] == (GROUPS,) and len(inside) > 2:
        return "worker"
    return next((role for role in ROLES if inside[:1] == (role,)), None)


def _disk(role: Role) -> str:
    size = DEFAULT_DISK[role]
    return str(size) if size == DEFAULT_DISK_DL else f"{size}, {DEFAULT_DISK_DL} for the image DL"


def _on_change(path: tuple[str, ...], effect: str) -> str:
    """Say of one kind of machine what the model says of both."""
    if path[:2] != CLUSTER or effect not in (NEW_MACHINES.effect, NEW_WORKERS.effect):
        return effect
    role = role_of(path)
    return {"scheduler": "replaces the scheduler", "worker": NEW_WORKERS.effect}.get(role or "", effect)


def _levels(path: tuple[str, ...], name: str) -> tuple[str, ...]:
    if name:
        return ("cluster", "workspace", "config")
    if path[: len(CLUSTER)] != CLUSTER:
        return ("workspace",)
    if len(path) == len(CLUSTER) + 1:
        return ("cluster",)
    if path[len(CLUSTER)] == GROUPS and path[-1] in _OF_GROUP:
        return ("group",)
    return ("machine", "cluster", "workspace", "config") if "disk" in path[:-1] else ("machine",)


def resolved(found: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and take the one real choice of what may be left out."""
    choices = [choice for choice in found.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        found = choices[0]
    return known[found["$ref"].rsplit("/", 1)[-1]] if "$ref" in found else found


def _type(kind: Mapping[str, Any]) -> str:
    if "anyOf" in kind:
        choices = dict.fromkeys(_type(choice) for choice in kind["anyOf"] if choice.get("type") != "null")
        return " or ".join(choices)
    return "list" if kind.get("type") == "array" else _WORDS.get(kind.get("type", ""), kind.get("type", ""))


def _bounds(kind: Mapping[str, Any]) -> str:
    said = []
    if "anyOf" in kind:
        said += dict.fromkeys(filter(None, (_bounds(choice) for choice in kind["anyOf"])))
    if "minimum" in kind or "maximum" in kind:
        said.append(f"{kind.get('minimum', '')} to {kind.get('maximum', '')}".strip())
    if "enum" in kind:
        said.append(", ".join(map(str, kind["enum"])))
    if "const" in kind:
        said.append(f"only {kind['const']}")
    if "minItems" in kind or "maxItems" in kind:
        said.append(_items(kind.get("minItems"), kind.get("maxItems")))
    if "pattern" in kind:
        said.append(f"`{kind['pattern']}`")
    return "; ".join(said)


def _items(least: int | None, most: int | None) -> str:
    if least == most:
        return f"{least} items"
    if least and most:
        return f"{least} to {most} items"
    return f"at least {least} item" if least else f"at most {most} items"
