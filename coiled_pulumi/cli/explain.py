"""`coiled-pulumi explain`: why a key of a workspace file has its value."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console

if TYPE_CHECKING:
    from coiled_pulumi.spec.explain import Explained

#: What levels are called.
_LEVELS = {"config": "dask's configuration"}


def explain(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH",
            help="A key of the file, as region or clusters.main.worker.disk.size. Without it: all backend options.",
            show_default=False,
            autocompletion=options.known_paths,
        ),
    ] = None,
    stack: options.Stack = None,
    file: options.File = None,
    cluster: options.OfCluster = None,
    as_json: options.Json = False,
) -> None:
    """Say why a key has its value: which level says so, in which line, and what it overrides.

    The levels are the machine, its cluster, the workspace, dask's configuration and the default, the first of them
    that says something counts.
    """
    from coiled_pulumi.spec import explain as spec
    from coiled_pulumi.spec import reference

    loaded = options.load(stack, file)
    console = Console(as_json=as_json)
    if path and cluster:
        path = f"clusters.{cluster}.{path}"
    one = spec.explain(loaded, path) if path else None
    inside = one is not None and not one.key.is_leaf and reference.ITEM not in one.key.path
    rows = spec.below(loaded, path) if path and inside else spec.backend_options(loaded, cluster)
    if as_json:
        told = [one] if one and not inside else rows
        console.data(
            {
                "version": 1,
                "file": loaded.source,
                "workspace": loaded.workspace.name,
                "keys": [_data(each) for each in told],
            }
        )
        return
    if one is not None:
        console.text(_text(one, with_value=not inside))
    if one is None or (inside and rows):
        console.rich().print(_table(rows))


def _data(one: Explained) -> dict[str, Any]:
    key = dataclasses.asdict(one.key)
    about = ("type", "bounds", "default", "required", "description", "on_change", "levels", "aliases")
    return {
        "path": one.path,
        "value": one.value,
        "level": one.level,
        "place": one.place,
        "note": one.note,
        "overridden": [dataclasses.asdict(said) for said in one.overridden],
        **{name: key[name] for name in about},
    }


def _text(one: Explained, *, with_value: bool) -> str:
    key = one.key
    lines = [
        ("set by", _by(one.level, one.place) if with_value or one.place else ""),
        ("because", one.note if with_value and one.value is not None else ""),
        *(("overrides", _overridden(said)) for said in one.overridden),
        ("what it is", key.description),
        ("takes", ", ".join(filter(None, (key.type, key.bounds.replace("`", ""))))),
        ("default", key.default),
        ("on change", key.on_change),
        ("also named", ", ".join(key.aliases)),
    ]
    head = f"{one.path} = {_shown(one)}" if with_value else f"{one.path} {one.note}"
    return "\n".join([head, *(f"  {name:<10}  {text}" for name, text in lines if text)])


def _table(rows: list[Explained]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("key", "value", "set by", "overrides"):
        table.add_column(heading)
    for one in rows:
        said = "; ".join(map(_overridden, one.overridden))
        style = "dim" if one.level == "default" else ""
        cells = (one.path, _shown(one), _by(one.level, one.place), said)
        table.add_row(*map(Text, cells), style=style)  # brackets of a list are no markup
    return table


def _shown(one: Explained) -> str:
    """Show a value as a file would have it, and in words what nobody says."""
    if one.value is None:
        return f"({one.note or one.key.default or 'nothing'})"
    from coiled_pulumi.spec import yaml_text

    return yaml_text.inline(one.value)


def _by(level: str, place: str) -> str:
    return f"{_LEVELS.get(level, level)}, {place}" if place else _LEVELS.get(level, level)


def _overridden(said: Any) -> str:
    from coiled_pulumi.spec import yaml_text

    note = f", {said.note}" if said.note else ""
    return f"{yaml_text.inline(said.value)} of {_by(said.level, said.place)}{note}"
