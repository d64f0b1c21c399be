"""Write the parts of the documentation that follow from the code.

Run by hand: `python tools/generate_docs.py`. Whole files (the JSON Schema, the picture of the network) are
replaced; in Markdown only what stands between `<!-- generated: NAME -->` and `<!-- end -->` is. A test fails
where a file differs from what this module would write.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
_SECTION = re.compile(r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
#: The workspace of the picture.
EXAMPLE = "prod"
#: The workspace of the table of names; its page shows the same text.
SMALL = """\
name: dev
network:
  zones: [us-east-1a]
ingress:
  - ports: [8786]
    cidr: me
clusters:
  main: {}
"""


def rendered() -> dict[Path, str]:
    """Give every generated file as it should be, by path."""
    files = {DOCS / "stack-file.schema.json": _schema(), DOCS / "network.svg": _picture()}
    for page in pages():
        files[page] = _SECTION.sub(
            lambda found: found[1] + SECTIONS[found[2]]() + found[3], page.read_text("utf-8")
        )
    return files


def pages() -> list[Path]:
    """Give the pages that may have generated sections."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Make a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _schema() -> str:
    from coiled_pulumi.spec.schema import stack_file_schema

    return json.dumps(stack_file_schema(), indent=2) + "\n"


def _picture() -> str:
    from coiled_pulumi.plan.build import build
    from coiled_pulumi.plan.draw import draw
    from coiled_pulumi.spec.load import load

    return draw(build(load(ROOT / "stacks" / f"Pulumi.{EXAMPLE}.yaml").workspace))


def _options() -> str:
    """Make the reference of the workspace file."""
    from coiled_pulumi.spec.schema import workspace_schema

    schema = workspace_schema()
    rows = list(_walk(schema, schema.get("$defs", {}), "", {}))
    return table(("path", "type", "default", "bounds", "what it is"), rows)


def _walk(
    model: dict[str, Any], known: dict[str, Any], path: str, defaults: dict[str, Any]
) -> Iterator[tuple[str, ...]]:
    """Give one row per option; what a field's default says wins over the default inside of it."""
    for name, found in model.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        default = defaults.get(name, found.get("default"))
        yield _row(at, found, known, default, required=name in model.get("required", ()))
        kind = _resolved(found, known)
        inner, step = kind, ""
        if kind.get("type") == "array":
            inner, step = _resolved(kind["items"], known), "[]"
        elif "patternProperties" in kind:
            inner, step = _resolved(next(iter(kind["patternProperties"].values())), known), ".NAME"
        yield from _walk(inner, known, at + step, default if isinstance(default, dict) and not step else {})


def _row(
    path: str, found: dict[str, Any], known: dict[str, Any], default: Any, *, required: bool
) -> tuple[str, ...]:
    kind = _resolved(found, known)
    if required:
        shown = "required"
    elif kind.get("properties") or default is None:
        shown = ""
    else:
        shown = f"`{json.dumps(default)}`"
    return f"`{path}`", _type(kind), shown, _bounds(kind), found.get("description", "").replace("\n", " ")


def _resolved(found: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, and take the one real choice of what may be left out."""
    choices = [choice for choice in found.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        found = choices[0]
    return known[found["$ref"].rsplit("/", 1)[-1]] if "$ref" in found else found


def _type(kind: dict[str, Any]) -> str:
    if "anyOf" in kind:
        return " or ".join(_type(choice) for choice in kind["anyOf"])
    if kind.get("type") == "array":
        return "list"
    words = {"object": "mapping", "string": "text", "integer": "whole number"}
    return words.get(kind.get("type", ""), kind.get("type", ""))


def _bounds(kind: dict[str, Any]) -> str:
    said = []
    if "minimum" in kind or "maximum" in kind:
        said.append(f"{kind.get('minimum', '')} to {kind.get('maximum', '')}")
    if "enum" in kind:
        said.append(", ".join(map(str, kind["enum"])))
    if "const" in kind:
        said.append(f"only {kind['const']}")
    if "minItems" in kind:
        said.append(f"at least {kind['minItems']}")
    if "pattern" in kind:
        said.append(f"`{kind['pattern']}`")
    return "; ".join(said)


def verbs() -> dict[str, Any]:
    """Give every command of the command line by what is typed, groups left out."""
    import typer.main

    from coiled_pulumi.cli.app import app

    def leaves(command: Any, words: str) -> Iterator[tuple[str, Any]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from leaves(inner, f"{words} {name}".strip())
        if not hasattr(command, "commands"):
            yield words, command

    return dict(leaves(typer.main.get_command(app), ""))


def flags(option: Any) -> list[str]:
    """Give the spellings of an option."""
    return [*option.opts, *option.secondary_opts]


def _verbs() -> str:
    parts = []
    for name, command in verbs().items():
        text = " ".join((command.help or "").split())
        rows = [
            (", ".join(f"`{flag}`" for flag in flags(param)), _default(param), param.help or "")
            for param in command.params
        ]
        parts.append(
            f"### {name}\n\n{text}\n\n" + (table(("option", "default", "what it does"), rows) if rows else "")
        )
    return "\n" + "\n".join(parts) + "\n"


def _default(option: Any) -> str:
    # A callable or an empty default is one that nobody sees.
    return "" if option.is_flag or not isinstance(option.default, int | str) else f"`{option.default}`"


def _exit_codes() -> str:
    from coiled_pulumi.errors import CoiledPulumiError

    def below(kind: type[CoiledPulumiError]) -> Iterator[type[CoiledPulumiError]]:
        yield kind
        for inner in kind.__subclasses__():
            yield from below(inner)

    kinds = sorted(below(CoiledPulumiError), key=lambda kind: (kind.exit_code, kind.__name__))
    rows = [
        (str(kind.exit_code), f"`{kind.__name__}`", (kind.__doc__ or "").splitlines()[0]) for kind in kinds
    ]
    return table(("code", "error", "meaning"), [("0", "", "Done."), *rows])


def _mends() -> str:
    from coiled_pulumi.local import mends

    rows = []
    for mend in mends.MENDS:
        name = mend.__module__.rsplit(".", 1)[-1]
        first = (sys.modules[mend.__module__].__doc__ or "").splitlines()[0]
        rows.append((f"[`{name}`](../coiled_pulumi/local/mends/{name}.py)", first))
    return table(("mend", "what holds with it"), rows)


def _policies() -> str:
    sys.path.insert(0, str(ROOT / "policies"))
    try:
        from coiled_policies.table import RULES
    finally:
        sys.path.pop(0)
    levels = {
        name: json.loads((ROOT / "policies" / "config" / f"{name}.json").read_text())
        for name in ("dev", "prod")
    }
    rows = [
        (
            f"[`{rule.name}`]({rule.url})",
            rule.summary,
            rule.severity,
            rule.level,
            *(level[rule.name]["enforcementLevel"] for level in levels.values()),
        )
        for rule in RULES
    ]
    return table(
        ("rule", "what it demands", "severity", "level", "`config/dev.json`", "`config/prod.json`"), rows
    )


def _names() -> str:
    """Make the table of logical names from the plan of a small workspace."""
    from coiled_pulumi.plan.build import build
    from coiled_pulumi.plan.model import to_data
    from coiled_pulumi.spec.load import parse

    items: dict[str, Any] = {}

    def collect(value: object) -> None:
        if isinstance(value, dict):
            if {"key", "name", "tags"} <= value.keys():
                items[str(value["key"])] = value
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(to_data(build(parse(SMALL, source="small").workspace)))
    rows = [
        (f"`{key}`", f"`{item['name']}`", f"`{item['tags']['coiled-pulumi:key']}`")
        for key, item in sorted(items.items())
    ]
    return table(("key", "logical name", "tag `coiled-pulumi:key`"), rows)


def _arrows() -> str:
    """Make the table of layers from the one that the convention test goes by."""
    tree = ast.parse((ROOT / "tests" / "conventions" / "layers.py").read_text("utf-8"))
    (allowed,) = (
        node.value.generators[0].iter.func.value  # type: ignore[attr-defined]
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "ALLOWED"
    )
    rows = []
    for part, names in ast.literal_eval(allowed).items():
        here = (ROOT / "coiled_pulumi" / part).is_dir() or (ROOT / "coiled_pulumi" / f"{part}.py").is_file()
        if part and here:
            rows.append(
                (f"`{part}`", "everything" if names == "*" else ", ".join(f"`{n}`" for n in names.split()))
            )
    return table(("part", "may import"), rows)


SECTIONS: dict[str, Callable[[], str]] = {
    "options": _options,
    "verbs": _verbs,
    "exit codes": _exit_codes,
    "mends": _mends,
    "policies": _policies,
    "names": _names,
    "arrows": _arrows,
}


def main() -> None:
    """Write what differs."""
    for path, text in rendered().items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
