"""Which part may import which: one table, and a reader of imports that nothing escapes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "coiled_pulumi"
#: What a part may import besides itself and the standard library; `*` is everything.
ALLOWED: dict[str, frozenset[str]] = {
    part: frozenset(names.split())
    for part, names in {
        "": "ops cluster",  # the package's own __init__, lazily
        "errors": "",
        "values": "",
        "me": "errors",
        "catalog": "values errors",
        "spec": "catalog values errors pydantic",
        "plan": "spec catalog values errors",
        "certificates": "values cryptography",
        "components": "plan values certificates pulumi pulumi_aws",
        "outputs": "errors",
        "program": "spec plan components outputs errors me pulumi pulumi_aws",
        "aws": "catalog values errors boto3 botocore",
        "engine": "errors",
        "local": "errors moto werkzeug boto3 botocore",
        "ops": "catalog spec plan outputs aws engine local errors values pulumi",
        "cluster": "ops outputs values errors distributed dask tornado rich",
        "node": "errors values dask distributed tornado botocore",
        "cli": "*",
        "__main__": "cli",
    }.items()
}
#: Single modules that may import more than their part.
MORE: dict[str, frozenset[str]] = {
    "spec.yaml12": frozenset({"yaml"}),
    "spec.yaml_nodes": frozenset({"yaml"}),
    "spec.yaml_text": frozenset({"yaml"}),
    "spec.secret_lines": frozenset({"yaml"}),
    "spec.dask_config": frozenset({"dask"}),
    "local.hosts.user_data": frozenset({"yaml"}),  # cloud-init's, of an instance
    "ops.target": frozenset({"yaml"}),  # Pulumi's own files, not the user's
    "ops.watching": frozenset({"certificates"}),
    "ops.agent_wheel": frozenset({"node"}),  # its modules, as files
    "engine.language_host": frozenset({"pulumi", "grpc", "google"}),
    "engine.program": frozenset({"pulumi", "grpc", "google"}),
}
#: Nobody imports these, so that they can be taken away.
ENTRIES = frozenset({"cli", "__main__"})
MAX_LINES, MANY_LINES = 600, 400
#: Names that say nothing of what is inside.
EMPTY_NAMES = frozenset(
    {"utils", "util", "helpers", "helper", "manager", "config", "common", "misc", "info", "data"}
)


@dataclass(frozen=True, order=True)
class Violation:
    """Something that breaks a convention."""

    file: str
    line: int
    what: str


def modules(root: Path) -> dict[str, Path]:
    """Give every module below a package's folder by its dotted name without the package's own."""
    found = {}
    for file in sorted(root.rglob("*.py")):
        parts = list(file.relative_to(root).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[tuple[str, int]]:
    """Give what a module imports as full dotted names: anywhere in it, relative ones resolved.

    `from a import b` counts as `a.b`, because `b` may be a module.
    """
    package = [PACKAGE, *module.split(".")] if module else [PACKAGE]
    package = package if is_package else package[:-1]
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((alias.name, node.lineno) for alias in node.names)
            case ast.ImportFrom():
                above = package[: len(package) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if _is_import(func):
                yield name, node.lineno


def _is_import(func: ast.expr) -> bool:
    return getattr(func, "attr", getattr(func, "id", "")) in ("import_module", "__import__")


def check_imports(root: Path) -> list[Violation]:
    """Give every import that goes against the arrows."""
    found = []
    known = modules(root)
    for module, file in known.items():
        tree = ast.parse(file.read_text(), str(file))
        part = module.split(".")[0]
        if part not in ALLOWED:
            found.append(Violation(str(file), 1, f"{part} is in no layer: add it to ALLOWED"))
            continue
        for name, line in imported(tree, module, is_package=file.name == "__init__.py"):
            target = _target(name)
            if not _may(module, part, target):
                found.append(Violation(str(file), line, f"{module or PACKAGE} must not import {target}"))
    return sorted(set(found))


def _target(name: str) -> str:
    """Give the part of our package, or the foreign top-level package, that a dotted name stands for."""
    first, _, rest = name.partition(".")
    return (rest.split(".")[0] if rest else PACKAGE) if first == PACKAGE else first


def _may(module: str, part: str, target: str) -> bool:
    if target in sys.stdlib_module_names or (target == part and part):
        return True
    if target in ENTRIES and part not in ENTRIES:
        return False
    allowed = ALLOWED[part] | MORE.get(module, frozenset())
    return "*" in allowed or target in allowed


def check_isolated(root: Path) -> list[Violation]:
    """Give every import of our package, for code that has to stand on its own."""
    found = []
    for file in sorted(root.rglob("*.py")):
        for name, line in imported(ast.parse(file.read_text()), "x", is_package=False):
            if name.split(".")[0] == PACKAGE and name != f"{PACKAGE}.{PACKAGE}":
                found.append(Violation(str(file), line, f"must not import {name}"))
    return found


def check_sizes(root: Path) -> list[Violation]:
    """Give every module that is too long to be read in one go."""
    return [
        Violation(str(file), lines, f"has {lines} lines, at most {MAX_LINES} are allowed")
        for file, lines in _sizes(root)
        if lines > MAX_LINES
    ]


def long_modules(root: Path) -> list[str]:
    """Give every module that is worth a hard look."""
    return [f"{file}: {lines} lines" for file, lines in _sizes(root) if lines > MANY_LINES]


def _sizes(root: Path) -> list[tuple[Path, int]]:
    return [(file, len(file.read_text().splitlines())) for file in modules(root).values()]


def check_names(root: Path) -> list[Violation]:
    """Give every module whose name says nothing."""
    return [
        Violation(str(file), 1, f"'{module}' says nothing of what is inside")
        for module, file in modules(root).items()
        if module.split(".")[-1] in EMPTY_NAMES
    ]


def check_annotations(root: Path) -> list[Violation]:
    """Give every module whose annotations are text: Pulumi's analyzer of components cannot read them."""
    return [
        Violation(str(file), node.lineno, "must not import annotations from __future__")
        for file in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
