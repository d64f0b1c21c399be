"""Whole stacks: ours against the hand-written program, and few workers against many."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from pathlib import Path

import yaml

from benchmarks.results import Finding, Pair, Size, order
from benchmarks.sandbox import Sandbox, Stack, aws_types, sandbox
from coiled_pulumi.local import calls

ROOT = Path(__file__).resolve().parents[1]
DEV = ROOT / "stacks" / "Pulumi.dev.yaml"
HANDWRITTEN = Path(__file__).resolve().parent / "handwritten"
#: Our resources may cost this much more than the same ones written by hand.
OVERHEAD = 1.05
#: A thousand workers may take this much longer than five.
GROWTH = 1.10
#: An `up` that changes nothing is short: so many of them in one round.
AGAIN = 3
FEW, MANY = 5, 1000
_OURS, _HAND = "coiled-pulumi", "hand-written"


def programs(rounds: int) -> list[Finding]:
    """Bring up, bring up again and destroy dev, ours and the hand-written one in turns on one local AWS."""
    with sandbox() as aws:
        stacks = {
            _OURS: aws.stack(ROOT, "dev", yaml.safe_load(DEV.read_text())),
            _HAND: aws.stack(HANDWRITTEN, "dev", {}),
        }
        seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        changes: Counter[str] = Counter()
        sizes: list[Finding] = []
        for number in range(-1, rounds):  # the first round is the warm-up
            turns = order(number, (_OURS, _HAND))
            for step in ("up", *("second up",) * AGAIN, "destroy"):
                if step == "destroy" and not sizes:
                    sizes = _sizes(stacks)
                turns = turns[::-1]  # within a round too
                for who in turns:
                    ran = stacks[who].destroy() if step == "destroy" else stacks[who].up()
                    changes[f"{who} {step}"] = max(changes[f"{who} {step}"], ran.changes)
                    if number >= 0:
                        seconds[step][who].append(ran.seconds)
    pairs = [
        Pair(
            f"{step} of dev",
            _OURS,
            _HAND,
            tuple(by[_OURS]),
            tuple(by[_HAND]),
            OVERHEAD,
            f"resources changed: {changes[f'{_OURS} {step}']} and {changes[f'{_HAND} {step}']}",
        )
        for step, by in seconds.items()
    ]
    return [*pairs, *sizes]


def workers(rounds: int) -> list[Finding]:
    """Bring up 5 and 1,000 workers in turns, each from nothing, on one local AWS."""
    seconds: dict[int, list[float]] = {FEW: [], MANY: []}
    answering: dict[int, Counter[str]] = {}
    with sandbox() as aws:
        stacks = {count: aws.stack(ROOT, f"bench-{count}", with_workers(count)) for count in (FEW, MANY)}
        sizes: dict[int, Size] = {}
        for number in range(-1, rounds):
            for count in order(number, (MANY, FEW)):
                before = calls.count(aws.calls)
                ran = stacks[count].up()
                answering[count] = server_seconds(calls.read(aws.calls, before))
                sizes[count] = _size(f"{count:,} workers", stacks[count])
                stacks[count].destroy()
                if number >= 0:
                    seconds[count].append(ran.seconds)
    if sizes[FEW].resources != sizes[MANY].resources:
        msg = f"the number of resources grows with the workers: {sizes[FEW]}, {sizes[MANY]}"
        raise AssertionError(msg)
    return [
        Pair(
            "up of 5 and 1,000",
            f"{MANY:,} workers",
            f"{FEW} workers",
            tuple(seconds[MANY]),
            tuple(seconds[FEW]),
            GROWTH,
            f"{sizes[MANY].resources} resources each; " + _slowest(answering),
        ),
        sizes[MANY],
    ]


def with_workers(count: int) -> dict[str, object]:
    """Give dev's settings under another name and with another number of workers."""
    settings = copy.deepcopy(yaml.safe_load(DEV.read_text()))
    workspace = settings["config"]["coiled:workspace"]
    workspace["name"] = f"bench-{count}"
    workspace["clusters"]["main"]["n_workers"] = count
    return settings


def server_seconds(answered: list[calls.Call]) -> Counter[str]:
    """Add up how long the local AWS took to answer, by action."""
    total: Counter[str] = Counter()
    for call in answered:
        total[f"{call.service}:{call.action}"] += call.ms / 1000  # type: ignore[assignment]
    return total


def _slowest(answering: dict[int, Counter[str]]) -> str:
    grown = Counter(answering[MANY])
    grown.subtract(answering[FEW])
    action, seconds = grown.most_common(1)[0]
    few, many = (sum(answering[count].values()) for count in (FEW, MANY))
    return f"local AWS answering {many:.1f} s against {few:.1f} s, most of it {action} (+{seconds:.1f} s)"


def _sizes(stacks: dict[str, Stack]) -> list[Finding]:
    """Take the sizes of both states, and make sure that both made the same."""
    ours, hand = (aws_types(stack.resources()) for stack in (stacks[_OURS], stacks[_HAND]))
    if ours != hand:
        msg = f"not the same AWS resources: only ours {ours - hand}, only hand-written {hand - ours}"
        raise AssertionError(msg)
    return [_size(f"dev, {who}", stack) for who, stack in stacks.items()]


def _size(name: str, stack: Stack) -> Size:
    resources = stack.resources()
    return Size(name, stack.size(), len(resources), aws_types(resources).total())


__all__ = ["Sandbox", "programs", "server_seconds", "with_workers", "workers"]
