"""What a benchmark finds: pairs of times, single times, sizes of states and phases, with their targets."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """The same step done in two ways, in turns; seconds of round i of one belong to round i of the other."""

    name: str
    subject: str
    base: str
    subject_seconds: tuple[float, ...]
    base_seconds: tuple[float, ...]
    limit: float | None = None
    """The most that the median of the ratios may be; none for what is only told."""
    note: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Give the ratio of every round."""
        return tuple(ours / base for ours, base in zip(self.subject_seconds, self.base_seconds, strict=True))

    @property
    def met(self) -> bool | None:
        """Tell whether the target is met; None where there is none."""
        return None if self.limit is None else statistics.median(self.ratios) <= self.limit


@dataclass(frozen=True, slots=True)
class Single:
    """One step by itself."""

    name: str
    seconds: tuple[float, ...]
    limit: float | None = None
    """The most that the median may be, in seconds."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Tell whether the target is met; None where there is none."""
        return None if self.limit is None else statistics.median(self.seconds) <= self.limit


@dataclass(frozen=True, slots=True)
class Size:
    """What one stack takes in the state backend."""

    name: str
    size: int
    """Bytes of the checkpoint file."""
    resources: int
    """Everything in the state: AWS resources, components, providers and the stack itself."""
    aws_resources: int


@dataclass(frozen=True, slots=True)
class Phases:
    """How long each phase of a boot took."""

    name: str
    seconds: Mapping[str, tuple[float, ...]]
    """By phase, of every worker of all rounds; `total` is the whole way."""

    @property
    def workers(self) -> int:
        """Count the workers of all rounds."""
        return len(self.seconds["total"])


Finding = Pair | Single | Size | Phases


def missed(findings: list[Finding]) -> list[str]:
    """Name what does not meet its target."""
    return [
        finding.name for finding in findings if isinstance(finding, Pair | Single) and finding.met is False
    ]


def plain(finding: Finding) -> dict[str, object]:
    """Turn a finding into what goes into the JSON file: the samples, and what was made of them."""
    fields = {"kind": type(finding).__name__.lower(), **asdict(finding)}
    if isinstance(finding, Pair):
        fields |= {"ratios": finding.ratios, "ratio": statistics.median(finding.ratios), "met": finding.met}
    if isinstance(finding, Single):
        fields |= {"median": statistics.median(finding.seconds), "met": finding.met}
    return fields


def in_turns(
    rounds: int, subject: Callable[[], float], base: Callable[[], float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure two things in turns after a warm-up of both: what drifts meanwhile hits both the same."""
    samples: Mapping[str, list[float]] = {"subject": [], "base": []}
    steps = {"subject": subject, "base": base}
    for number in range(-1, rounds):
        for name in order(number, ("subject", "base")):
            samples[name].append(steps[name]())
    return tuple(samples["subject"][1:]), tuple(samples["base"][1:])


def order(number: int, names: tuple[str, str]) -> tuple[str, ...]:
    """Give who goes first in a round: A B, then B A, so that going second costs nobody more."""
    return names if number % 2 == 0 else names[::-1]
