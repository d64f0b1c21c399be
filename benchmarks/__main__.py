"""Run the benchmarks: `python -m benchmarks [--rounds N] [--workers N] [--only NAME ...] [--write FILE] [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import dask_clusters, report
from benchmarks.commands import commands
from benchmarks.results import Finding, missed
from benchmarks.stacks import programs, workers

CASES = {"commands": commands, "programs": programs, "workers": workers, "dask": dask_clusters.clusters}


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for, write or print it, and tell by the exit code whether targets were met."""
    chosen = _parser().parse_args(arguments)
    where = report.machine()
    findings: list[Finding] = []
    for name in chosen.only or CASES:
        print(f"{name} ...", file=sys.stderr)
        more = {"most": chosen.workers} if name == "dask" else {}
        findings += CASES[name](chosen.rounds, **more)
    facts = {"date": report.today(), "rounds": chosen.rounds}
    page = report.as_markdown(findings, where, **facts)
    if chosen.write is None:
        print(page)
    else:
        chosen.write.parent.mkdir(parents=True, exist_ok=True)
        chosen.write.write_text(page)
        chosen.write.with_suffix(".json").write_text(report.as_json(findings, where, **facts))
    for name in missed(findings):
        print(f"target missed: {name}", file=sys.stderr)
    return 1 if chosen.check and missed(findings) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="How long things take, and against what."
    )
    parser.add_argument(
        "--rounds", type=_positive, default=5, help="of every stack; commands run 4 times as often"
    )
    parser.add_argument(
        "--workers",
        type=_positive,
        default=dask_clusters.MANY,
        help="that dask scales to; fewer where memory is short",
    )
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), help="these cases, in this order")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="the page, and a .json beside it; else stdout"
    )
    parser.add_argument("--check", action="store_true", help="exit code 1 when a target is missed")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
