"""Commands that need no engine: how fast they are there, and that they ask nobody."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.results import Finding, Pair, Single, in_turns
from benchmarks.sandbox import cli, run
from benchmarks.stacks import DEV

#: `--help` may take this much of what importing typer alone takes.
HELP = 2.0
#: A plan of a thousand clusters, in seconds.
PLAN = 2.0
CLUSTERS = 1000
#: These are short: one round of the stacks is so many of these.
PER_ROUND = 4

#: Runs our command so that the first socket, or the first other program, ends it with exit code 97.
_ALONE = """
import os, sys
from coiled_pulumi.cli.app import main
def hook(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"):
        os.write(2, f"{event} {arguments}".encode())
        os._exit(97)
sys.addaudithook(hook)
sys.argv[0] = "coiled-pulumi"
main()
"""


def commands(rounds: int) -> list[Finding]:
    """Time `--help`, `validate` and `plan`."""
    rounds *= PER_ROUND
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many.yaml"
        # As JSON, which is YAML too: a YAML writer would alias what is equal, and aliases are limited.
        many.write_text(json.dumps(with_clusters(CLUSTERS)))
        validate = ["validate", "--file", str(DEV)]
        plan = ["plan", "--file", str(many), "--json"]
        for arguments in (validate, plan):
            run([sys.executable, "-c", _ALONE, *arguments], env=_environment())
        return [
            _help(rounds),
            Single("validate dev", _times(validate, rounds), note="no socket, no other program"),
            Single(
                f"plan --json of {CLUSTERS:,} clusters",
                _times(plan, rounds),
                PLAN,
                "no socket, no other program",
            ),
        ]


def with_clusters(count: int) -> dict[str, object]:
    """Give dev's settings with many clusters of its kind."""
    settings = yaml.safe_load(DEV.read_text())
    clusters = settings["config"]["coiled:workspace"]["clusters"]
    for number in range(1, count):
        clusters[f"c{number:04}"] = dict(clusters["main"], n_workers=1)
    return settings


def _help(rounds: int) -> Pair:
    ours, typer = in_turns(
        rounds,
        lambda: run([cli(), "--help"], env=_environment()).seconds,
        lambda: run([sys.executable, "-c", "import typer"], env=_environment()).seconds,
    )
    return Pair("--help", "coiled-pulumi --help", "import typer", ours, typer, HELP)


def _times(arguments: list[str], rounds: int) -> tuple[float, ...]:
    command = [cli(), *arguments]
    return tuple([run(command, env=_environment()).seconds for _ in range(-1, rounds)][1:])


def _environment() -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1"}
