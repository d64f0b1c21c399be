"""`coiled-pulumi init`: write a commented workspace file, and a Pulumi project around it where there is none."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import UsageError

PROJECT = """\
name: coiled
description: Dask clusters on your own AWS account
runtime: python
main: stacks/
stackConfigDir: stacks
"""

#: What editors read, beside the workspace files of a project; `coiled-pulumi schema` prints it.
SCHEMA = "stack-file.schema.json"

TEMPLATE = """\
# The workspace {name}: shared network, access and logs, and the Dask clusters in it.
# Check it with `coiled-pulumi validate`, see what it comes to with `coiled-pulumi plan`.
config:
  coiled:workspace:
    # Name of the Pulumi stack, the role, the instance profile and the log group.
    name: {name}
    region: {region}
    # Zone of clusters that name none, and of the NAT gateway. Default: the region's first.
    {zone_line}
    network:
      # /16 to /22; every zone of the region gets a public and a private subnet in it.
      # Changing it later replaces the network and everything in it.
      cidr: {cidr}
    # Who may reach the schedulers: 8786 is the Dask protocol, 8787 the dashboard. `me` is the address that you
    # come from, found when the workspace is brought up. Left out, 22, 8787 and 8786 are open to the world.
    ingress:
      - ports: [8786, 8787]
        cidr: {ingress}
    logs:
      retention_days: 30
    # Tags for everything, for example for your bill.
    tags: {{}}
    clusters:
      {cluster}:
        n_workers: {n_workers}
        scheduler:
          instance_type: {scheduler}
        worker:
          instance_type: {worker}
          disk:
            size: 100  # GiB
"""


def init(
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Slug of the workspace.")] = None,
    region: Annotated[str | None, typer.Option(metavar="REGION", help="AWS region.")] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Availability zone of clusters that name none.")
    ] = None,
    cidr: Annotated[str, typer.Option(metavar="CIDR", help="IPv4 block of the network.")] = "10.0.0.0/16",
    ingress: Annotated[
        str, typer.Option(metavar="CIDR", help="Who may reach the schedulers; `me` is you.")
    ] = "me",
    cluster: Annotated[str, typer.Option(metavar="NAME", help="Name of the first cluster.")] = "main",
    workers: Annotated[
        int, typer.Option("--n-workers", metavar="N", help="Workers of the first cluster.")
    ] = 5,
    worker: Annotated[str, typer.Option(metavar="TYPE", help="Instance type of the workers.")] = "m6i.xlarge",
    scheduler: Annotated[
        str, typer.Option(metavar="TYPE", help="Instance type of the scheduler.")
    ] = "m6i.large",
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", metavar="FILE", help="Write only this file, no project.", dir_okay=False
        ),
    ] = None,
    as_json: options.Json = False,
    yes: options.Yes = False,
) -> None:
    """Write a commented workspace file; asks for what matters, or takes it from flags."""
    from coiled_pulumi.ops.target import project_around, stack_folder
    from coiled_pulumi.spec.load import parse

    console = Console(as_json=as_json)
    ask = console.interactive and not yes and not as_json
    name = name or (ask and console.ask("Name of the workspace [dev]")) or "dev"
    region = region or (ask and console.ask("AWS region [us-east-1]")) or "us-east-1"
    text = TEMPLATE.format(
        name=_scalar(name),
        region=_scalar(region),
        zone_line=f"zone: {_scalar(zone)}" if zone else f"# zone: {_scalar(f'{region}a')}",
        cidr=_scalar(cidr),
        ingress=_scalar(ingress),
        cluster=_scalar(cluster),
        n_workers=workers,
        worker=_scalar(worker),
        scheduler=_scalar(scheduler),
    )
    root = project_around(Path.cwd())
    stacks = stack_folder(root) if root else Path.cwd() / "stacks"
    target = file or stacks / f"Pulumi.{name}.yaml"
    if not file and (not root or (stacks / SCHEMA).exists()):
        text = f"# yaml-language-server: $schema={SCHEMA}\n{text}"
    # Wrong flags are refused before anything is written, in the words of the file that they would become.
    parse(text, source=str(target) if _scalar(name) == name else "new file")
    files = {target: text} if file or root else {**_project(Path.cwd()), target: text}
    for path in files:
        if path.exists():
            raise UsageError(f"{path} exists", "choose another --name, or edit that file")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    if as_json:
        console.data({"version": 1, "workspace": name, "wrote": [str(path) for path in files]})
        return
    for path in files:
        console.text(f"wrote {path}")
    console.note(
        f"next: coiled-pulumi plan {f'--file {shlex.quote(str(file))}' if file else f'--stack {name}'}"
    )


def _scalar(text: str) -> str:
    """Write a flag's text as YAML that is read back as the same text, whatever is in it."""
    plain = re.fullmatch(r"[a-z][a-z0-9.-]*|[0-9]+(\.[0-9]+){3}/[0-9]+", text) and text not in (
        "null",
        "true",
        "false",
    )
    return text if plain else json.dumps(text, ensure_ascii=False)


def _project(folder: Path) -> dict[Path, str]:
    """Give what bare `pulumi up` needs, so that this tool is never a condition for using the workspace."""
    if (folder / "Pulumi.yaml").exists():
        msg = f"{folder / 'Pulumi.yaml'} is another Pulumi project"
        raise UsageError(msg, "run init in an empty folder, or give --file")
    from coiled_pulumi.ops.target import PROGRAM
    from coiled_pulumi.spec.schema import stack_file_schema

    stacks = folder / "stacks"
    schema = json.dumps(stack_file_schema(), indent=2) + "\n"
    return {folder / "Pulumi.yaml": PROJECT, stacks / "__main__.py": PROGRAM, stacks / SCHEMA: schema}
