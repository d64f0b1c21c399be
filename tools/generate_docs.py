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
    files = {DOCS / "stack-file.schema.json": _schema(), DOCS / "network.svg": _picture(), **_iam_files()}
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


def _iam_files() -> dict[Path, str]:
    """Make the policy documents of every workspace that comes with the repository."""
    from coiled_pulumi.plan.build import build
    from coiled_pulumi.plan.policy_documents import DOCUMENTS
    from coiled_pulumi.spec.load import load

    files = {}
    for file in sorted((ROOT / "stacks").glob("Pulumi.*.yaml")):
        plan = build(load(file).workspace)
        for name, make in DOCUMENTS.items():
            files[ROOT / "policies" / "iam" / plan.name / f"{name}.json"] = (
                json.dumps(make(plan), indent=2) + "\n"
            )
    return files


def _iam_reasons(name: str) -> str:
    """Make the table of a document's actions for the workspace of the picture."""
    from coiled_pulumi.plan.build import build
    from coiled_pulumi.plan.policy_documents import DOCUMENTS, explain
    from coiled_pulumi.spec.load import load

    plan = build(load(ROOT / "stacks" / f"Pulumi.{EXAMPLE}.yaml").workspace)
    rows = [
        (f"`{row.action}`", row.why, ", ".join(f"`{sid}`" for sid in row.sids))
        for row in explain(DOCUMENTS[name](plan))
    ]
    return table(("action", "why", "statements"), rows)


def _reference(part: str) -> Callable[[], str]:
    """Make the reference of the keys of a part of the workspace file: backend options, workspace or cluster."""

    def make() -> str:
        from coiled_pulumi.spec import reference

        rows = []
        for key in reference.keys().values():
            here = "cluster" if key.path[:2] == reference.CLUSTER else "workspace"
            option = reference.option(key.path)
            if (here == part and not option) or (part == "options" and here == "workspace" and option):
                rows.append(_row(key, aliases=part == "options"))
        head = ("key", "takes", "default", "what it is", "when it changes, the next `up`", "who may say it")
        return table((*head, "also") if part == "options" else head, rows)

    return make


def _row(key: Any, *, aliases: bool) -> tuple[str, ...]:
    words = key.required or not key.default or re.search(r"[ ']|^none$", key.default)
    default = "required" if key.required else key.default if words else f"`{key.default}`"
    takes = "; ".join(filter(None, (key.type, key.bounds)))
    who = ", ".join(key.levels)
    row = (f"`{key.text}`", takes, default, key.description, key.on_change, who)
    return (*row, ", ".join(f"`{alias}`" for alias in key.aliases)) if aliases else row


def _ways_out() -> str:
    """Make the table of the ways out of a network and what they cost."""
    from coiled_pulumi.catalog.prices import prices
    from coiled_pulumi.plan.build import build
    from coiled_pulumi.plan.cost import ways_out
    from coiled_pulumi.spec.load import parse

    def network(zones: int) -> Any:
        named = ", ".join(f"us-east-1{letter}" for letter in "abcdef"[:zones])
        return build(parse(f"name: x\nnetwork: {{zones: [{named}]}}", source="x").workspace).network

    costs = [ways_out(network(zones)) for zones in (1, 3, 6)]
    rows = [
        (
            f"`{ways[0].nat}`",
            *(f"{way.monthly:.2f}" for way in ways),
            f"{ways[0].per_gb:.3f}" if ways[0].per_gb else "",
        )
        for ways in zip(*costs, strict=True)
    ]
    dates = {price.date for price in prices().values()}
    head = ("`network.nat`", "1 zone", "3 zones", "6 zones", "each GB through it")
    return (
        table(head, rows)
        + f"\nUS dollars a month at list prices of us-east-1, as of {max(dates)}, before traffic.\n"
    )


#: What is asked of a machine, for the table of what is chosen.
ASKED = (
    {}, {"architecture": "arm64"}, {"cpu": 8}, {"memory": "64 GiB"}, {"cpu": 4, "memory": "32 GiB"},
    {"cpu": "[2, 4]", "memory": "[8 GiB, 16 GiB]"}, {"cpu": 16, "architecture": "arm64"}, {"gpu": 1},
    {"gpu": 1, "cpu": 16},
)  # fmt: skip


def _chosen() -> str:
    """Make the table of instance types that come of what is asked."""
    from coiled_pulumi.spec import machines
    from coiled_pulumi.spec.load import parse
    from coiled_pulumi.spec.settled import settle

    rows = []
    for asked in ASKED:
        text = "{" + ", ".join(f"{key}: {value}" for key, value in asked.items()) + "}"
        workspace = parse(f"name: x\nclusters: {{main: {{worker: {text}}}}}", source="x").workspace
        cluster = workspace.clusters["main"]
        found = machines.resolve(cluster.worker, "worker", settle(workspace, cluster))
        first, rest = found.types[:3], len(found.types) - 3
        types = ", ".join(f"`{name}`" for name in first) + (f" and {rest} more" if rest > 0 else "")
        rows.append((f"`{text}`" if asked else "nothing", types, found.image, str(found.disk_size)))
    return table(("asked of workers", "instance types, the preferred first", "image", "disk, GiB"), rows)


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
    """Give the spellings of an option, or what stands for an argument."""
    if option.param_type_name == "argument":
        return [option.metavar or option.name.upper()]
    return [*option.opts, *option.secondary_opts]


def _verbs() -> str:
    parts = []
    for name, command in verbs().items():
        text = " ".join((command.help or "").split())
        rows = [
            (
                ", ".join(f"`{flag}`" for flag in flags(param)),
                _default(param),
                " ".join((param.help or "").split()),
            )
            for param in command.params
        ]
        parts.append(
            f"### {name}\n\n{text}\n\n" + (table(("option", "default", "what it does"), rows) if rows else "")
        )
    return "\n" + "\n".join(parts) + "\n"


def _default(option: Any) -> str:
    # A callable or an empty default is one that nobody sees.
    return (
        ""
        if getattr(option, "is_flag", False) or not isinstance(option.default, int | str)
        else f"`{option.default}`"
    )


def _exit_codes() -> str:
    from coiled_pulumi.errors import CoiledPulumiError

    def below(kind: type[CoiledPulumiError]) -> Iterator[type[CoiledPulumiError]]:
        yield kind
        for inner in kind.__subclasses__():
            yield from below(inner)

    # Those of the command line; which further ones there are depends on what was imported before.
    found = (kind for kind in below(CoiledPulumiError) if kind.__module__ == CoiledPulumiError.__module__)
    kinds = sorted(found, key=lambda kind: (kind.exit_code, kind.__name__))
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
    "backend options": _reference("options"),
    "workspace keys": _reference("workspace"),
    "cluster keys": _reference("cluster"),
    "ways out": _ways_out,
    "chosen types": _chosen,
    "verbs": _verbs,
    "exit codes": _exit_codes,
    "iam setup": lambda: _iam_reasons("setup"),
    "iam ongoing": lambda: _iam_reasons("ongoing"),
    "iam instance": lambda: _iam_reasons("instance"),
    "mends": _mends,
    "policies": _policies,
    "names": _names,
    "arrows": _arrows,
}


def main() -> None:
    """Write what differs."""
    for path, text in rendered().items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
