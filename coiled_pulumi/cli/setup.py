"""`coiled-pulumi setup aws`: make an account ready, from nothing to a workspace that is up."""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import init, operate, options, setup_file, setup_quotas, up
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import UsageError

if TYPE_CHECKING:
    from coiled_pulumi.aws.discover import Identity
    from coiled_pulumi.ops.setup import Change
    from coiled_pulumi.plan.model import Workspace
    from coiled_pulumi.spec.load import Loaded

app = typer.Typer(help="Make an AWS account ready.", no_args_is_help=True)

_EXAMPLES = """\b
Examples:
  coiled-pulumi setup aws
  coiled-pulumi setup aws --region eu-west-1 --workspace prod --yes
  coiled-pulumi setup aws --quotas"""
_SIGNS = {"create": "[green]+[/]", "update": "[yellow]~[/]"}


@app.command("aws", short_help="State bucket, key, policies and the workspace.", epilog=_EXAMPLES)
def aws(
    region: Annotated[str | None, typer.Option(metavar="REGION", help="AWS region.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="Profile of the AWS CLI.")] = None,
    workspace: Annotated[
        str | None, typer.Option(metavar="NAME", help="Workspace to set up; without a file, to write.")
    ] = None,
    stack: options.Stack = None,
    file: options.File = None,
    quotas: Annotated[bool, typer.Option("--quotas", help="Only show quotas, and raise them.")] = False,
    cloudshell_link: Annotated[
        bool, typer.Option("--cloudshell-link", help="Only tell how to do it in AWS CloudShell.")
    ] = False,
    update_policies: Annotated[
        bool, typer.Option("--update-policies", help="Only make and update the two IAM policies.")
    ] = False,
    as_json: options.Json = False,
    yes: options.Yes = False,
) -> None:
    """Make what is missing in an account: where Pulumi keeps its state, IAM policies, and the workspace."""
    from coiled_pulumi.ops import setup

    console = Console(as_json=as_json)
    if quotas and update_policies:
        raise UsageError("--quotas and --update-policies exclude each other", "run one after the other")
    if cloudshell_link:
        steps = setup.cloudshell(region)
        console.data({"version": 1, "steps": steps.splitlines()}) if as_json else console.text(steps)
        return
    setup.use_profile(profile)
    loaded = setup_file.existing(stack or workspace, file, region)
    who = setup.who(region or (setup_file.region_of(loaded) if loaded else None))
    _introduce(console, who, given=bool(region), loaded=loaded)
    if quotas:
        setup_quotas.show(console, _plan(loaded.workspace) if loaded else None, who.region, yes=yes)
        return
    _Run(console, who, loaded, workspace or "dev", file, yes=yes).go(only_policies=update_policies)


class _Kept(Console):
    """Keeps the JSON document of `up`, which becomes a part of ours."""

    document: Any = None

    def data(self, value: Any) -> None:
        """Keep it."""
        self.document = value


class _Run:
    """One run of the setup: looks, shows, asks, makes."""

    def __init__(
        self,
        console: Console,
        who: Identity,
        loaded: Loaded | None,
        name: str,
        file: Path | None,
        *,
        yes: bool,
    ) -> None:
        from coiled_pulumi.ops import agent_wheel, setup

        self._console, self._who, self._yes = console, who, yes
        self._missing = loaded is None
        self._file = file
        self._loaded = loaded or setup_file.new(name, who.region)
        self._place = setup.place(who)
        self._wheel = agent_wheel.build()

    def go(self, *, only_policies: bool) -> None:
        """Do it."""
        from coiled_pulumi.ops import setup

        name = self._loaded.workspace.name
        if not only_policies and not self._missing:
            setup_file.refuse_other_backend(self._loaded, self._place)
        changes = self._changes(only_policies=only_policies)
        self._propose(changes, only_policies=only_policies)
        setup.make(changes, lambda change: self._console.note(f"made {change.what}"))
        result: dict[str, Any] = {}
        if not only_policies:
            if self._missing:
                with contextlib.redirect_stdout(sys.stderr):
                    init.init(name=name, region=self._who.region, yes=True)
                self._name_agent()
            setup.use(self._place)
        if not self._console.as_json:
            self._tell(only_policies=only_policies)
        if not only_policies:
            target = options.target(None if self._file else name, self._file)
            kept = _Kept(as_json=self._console.as_json)
            up.bring_up(kept, target, yes=self._yes, packs=(), check=True)
            result = {"up": kept.document}
        if self._console.as_json:
            self._console.data(self._data(changes) | result)

    def _changes(self, *, only_policies: bool) -> tuple[Change, ...]:
        from coiled_pulumi.aws import bootstrap
        from coiled_pulumi.ops import setup, setup_policies

        where, workspace = self._place, self._loaded.workspace
        if only_policies and not bootstrap.find_bucket(where.account, region=where.region):
            raise UsageError("the account has no place for the state yet", "coiled-pulumi setup aws")
        policies = setup_policies.policy_changes(
            where, workspace.name, setup_policies.documents(_plan(workspace))
        )
        if only_policies:
            return tuple(policies)
        found = [*setup.state_changes(where), *setup.agent_changes(where, self._wheel), *policies]
        if not self._missing and setup_file.lacks_agent(workspace):
            what = f"{self._loaded.source}: the agent that machines install"
            found.append(setup.Change(what, "update", self._name_agent))
        return tuple(found)

    def _name_agent(self) -> None:
        setup_file.name_agent(self._loaded.workspace.name, self._file, self._agent)

    def _propose(self, changes: tuple[Change, ...], *, only_policies: bool) -> None:
        """Show what will be made and ask; where there is nothing to make, there is nothing to ask."""
        from rich.markup import escape

        write = self._console.rich(stderr=True).print
        for change in changes:
            write(f"{_SIGNS[change.kind]} {escape(change.what)}")
            for line in change.lines:
                write(f"    [dim]{escape(line)}[/]")
        if self._missing and not only_policies:
            write(f"{_SIGNS['create']} stacks/Pulumi.{self._loaded.workspace.name}.yaml, to edit")
        if not changes:
            self._console.note("nothing to change in the account")
            return
        operate.confirm(self._console, f"Make this in account {self._who.account}?", yes=self._yes)

    @property
    def _agent(self) -> str:
        return self._wheel.address(self._place.bucket)

    def _tell(self, *, only_policies: bool) -> None:
        from coiled_pulumi.ops import setup, setup_policies

        console = self._console
        names = tuple(
            setup_policies.policy_name(self._loaded.workspace.name, p) for p in ("setup", "ongoing")
        )
        console.note("to work with these rights, attach the policies (setup can be detached afterwards):")
        for command in setup_policies.attach_commands(self._who, names):
            console.note(f"  {command}")
        if only_policies:
            return
        said = self._loaded.workspace
        if said.agent and said.agent != self._agent:
            console.note(
                "the file names another agent than that of this release; to have machines install this one:"
            )
            console.note(f"  coiled-pulumi set {shlex.quote(f'agent={self._agent}')} --stack {said.name}")
        console.note("for other shells, other machines and CI:")
        for name, value in setup.exports(self._place).items():
            console.text(f"export {name}={shlex.quote(value)}")
        provider = shlex.quote(self._place.secrets_provider)
        console.note(
            f"bare Pulumi makes a new stack with: pulumi stack init NAME --secrets-provider {provider}"
        )

    def _data(self, changes: tuple[Change, ...]) -> dict[str, Any]:
        from coiled_pulumi.ops import setup, setup_policies

        name = self._loaded.workspace.name
        return {
            "version": 1,
            "account": self._who.account,
            "arn": self._who.arn,
            "region": self._who.region,
            "workspace": name,
            "bucket": self._place.bucket,
            "agent": self._agent,
            "policies": [setup_policies.policy_name(name, part) for part in ("setup", "ongoing")],
            "environment": setup.exports(self._place),
            "changes": [{"kind": one.kind, "what": one.what, "lines": list(one.lines)} for one in changes],
        }


def _plan(workspace: Any) -> Workspace:
    from coiled_pulumi.plan.build import build

    return build(workspace)


def _introduce(console: Console, who: Identity, *, given: bool, loaded: Loaded | None) -> None:
    alias = f" ({who.alias})" if who.alias else ""
    source = loaded.source if loaded and not given else who.source
    profile = f", profile {who.profile}" if who.profile else ""
    console.note(f"account {who.account}{alias} as {who.arn}")
    console.note(f"region {who.region} (from {source}){profile}")
