"""`coiled-pulumi init`: write a commented workspace file, and a Pulumi project around it where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import UsageError

PROGRAM = '"""What `pulumi up` runs."""\n\nfrom coiled_pulumi.program import main\n\nmain()\n'
PROJECT = """\
name: coiled
description: Dask clusters on your own AWS account
runtime: python
main: stacks/
stackConfigDir: stacks
"""

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


def init(  # noqa: PLR0913 each is a flag
    name: Annotated[str | None, typer.Option(help="Slug of the workspace.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region.")] = None,
    zone: Annotated[str | None, typer.Option(help="Availability zone of clusters that name none.")] = None,
    cidr: Annotated[str, typer.Option(help="IPv4 block of the network.")] = "10.0.0.0/16",
    ingress: Annotated[str, typer.Option(help="Who may reach the schedulers: `me` or a block.")] = "me",
    cluster: Annotated[str, typer.Option(help="Name of the first cluster.")] = "main",
    workers: Annotated[int, typer.Option("--n-workers", help="Workers of the first cluster.")] = 5,
    worker: Annotated[str, typer.Option(help="Instance type of the workers.")] = "m6i.xlarge",
    scheduler: Annotated[str, typer.Option(help="Instance type of the scheduler.")] = "m6i.large",
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Write only this file, no project.", dir_okay=False)
    ] = None,
    yes: options.Yes = False,
) -> None:
    """Write a commented workspace file; asks for what matters, or takes it from flags."""
    from coiled_pulumi.ops.target import project_around
    from coiled_pulumi.spec.load import parse

    console = Console()
    ask = console.interactive and not yes
    name = name or (typer.prompt("Name of the workspace", "dev", err=True) if ask else "dev")
    region = region or (typer.prompt("AWS region", "us-east-1", err=True) if ask else "us-east-1")
    text = TEMPLATE.format(
        name=name,
        region=region,
        zone_line=f"zone: {zone}" if zone else f"# zone: {region}a",
        cidr=cidr,
        ingress=ingress,
        cluster=cluster,
        n_workers=workers,
        worker=worker,
        scheduler=scheduler,
    )
    root = project_around(Path.cwd())
    target = file or (root or Path.cwd()) / "stacks" / f"Pulumi.{name}.yaml"
    # Wrong flags are refused before anything is written, in the words of the file that they would become.
    parse(text, source=str(target))
    if target.exists():
        raise UsageError(f"{target} exists", "choose another --name, or edit that file")
    if file is None and root is None:
        _write_project(Path.cwd(), console)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    console.text(f"wrote {target}")
    console.note(f"next: coiled-pulumi plan {f'--file {file}' if file else f'--stack {name}'}")


def _write_project(folder: Path, console: Console) -> None:
    """Write what bare `pulumi up` needs, so that this tool is never a condition for using the workspace."""
    if (folder / "Pulumi.yaml").exists():
        msg = f"{folder / 'Pulumi.yaml'} is another Pulumi project"
        raise UsageError(msg, "run init in an empty folder, or give --file")
    (folder / "stacks").mkdir(exist_ok=True)
    for path, text in ((folder / "Pulumi.yaml", PROJECT), (folder / "stacks" / "__main__.py", PROGRAM)):
        path.write_text(text)
        console.text(f"wrote {path}")
