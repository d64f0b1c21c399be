"""`coiled-pulumi cluster rotate`: new certificates, which the machines take while they run."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coiled_pulumi.cli import cluster_options, operate, options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CancelledError, DeadlineError, UsageError

if TYPE_CHECKING:
    from coiled_pulumi.ops.sessions import Known
    from coiled_pulumi.ops.target import Place

#: Machines look every half minute or so; seconds that all of them have taken, and after which something is wrong.
_TAKEN, _PATIENCE = 75, 150.0
_INTERVAL = 2.0
#: What a machine writes when it has taken them: a text of `node.supervisor`.
_WORDS: Final = "there is another certificate"


def rotate(
    name: cluster_options.Name,
    stack: options.Stack = None,
    file: options.File = None,
    workspace: cluster_options.Workspace = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every machine says that it has taken them.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Give a cluster new certificates; nothing is restarted, and who is connected stays so.

    Machines take them within 75 seconds, for connections from then on.
    """
    from coiled_pulumi.ops import clusters

    console = Console(as_json=as_json)
    where = cluster_options.place(stack, file, workspace)
    known = cluster_options.record(where, name)
    if known.declared:
        what = f"cluster {name} stands in the file of {where.workspace}"
        later = known.cluster.rotation + 1
        hint = f"coiled-pulumi set clusters.{name}.rotation={later}, then: coiled-pulumi up"
        raise UsageError(what, hint)
    began = time.time()
    made, result = clusters.rotate(
        where, name, perform=functools.partial(operate.perform, console), tell=console.note
    )
    if not console.as_json:
        operate.show(console, "rotate", made, result)
    taken = _wait(console, where, known, name, began) if wait else None
    if console.as_json:
        more = {"cluster": name, "rotation": known.cluster.rotation + 1, "taken": taken}
        console.data(operate.as_data("rotate", made.stack, result) | more)
    elif taken is None:
        console.note(f"the machines of {name} take the new certificates within {_TAKEN} s")


def _wait(console: Console, where: Place, known: Known, name: str, began: float) -> int:
    """Wait until the machines that were there have taken the certificates; give how many those are.

    Raises:
        DeadlineError: some have not.
        CancelledError: Ctrl-C.
    """
    from coiled_pulumi.aws import node_logs

    groups = [group.name for group in known.cluster.groups.values()]
    follower = node_logs.logs(where.workspace, name, known.region, since=int(began * 1000))
    missing = {known.cluster.scheduler_id, *_members(groups, known.region)}
    count, until = len(missing), time.monotonic() + _PATIENCE
    console.note(f"waiting for {count} machines")
    try:
        while missing:
            missing -= {line.instance for line in follower.read() if _WORDS in line.text}
            if missing and time.monotonic() > until:
                # A machine that ended meanwhile says nothing, and need not.
                missing &= {known.cluster.scheduler_id, *_members(groups, known.region)}
                if missing:
                    what = f"{len(missing)} of {count} machines have not said that they took the new certificates"
                    raise DeadlineError(what, f"coiled-pulumi cluster logs {name} --instance {min(missing)}")
            if missing:
                time.sleep(_INTERVAL)
    except KeyboardInterrupt:
        raise CancelledError(
            "stopped waiting", "the machines take the new certificates by themselves"
        ) from None
    console.note(f"{count} machines have taken the new certificates")
    return count


def _members(groups: list[str], region: str) -> set[str]:
    from coiled_pulumi.aws import fleet

    return {one for group in fleet.look(groups, region).values() for one in group.staying}
