"""Every rule against the resources in `cases/`, which the program itself could never ask for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from coiled_policies.resource import UNKNOWN, Finding, Resource
from coiled_policies.table import RULES, ResourceRule

FOLDER = Path(__file__).parent / "cases"
BY_NAME = {rule.name: rule for rule in RULES}


class Loader(yaml.SafeLoader):
    """Reads `!unknown` as the value that exists only after the update."""


Loader.add_constructor("!unknown", lambda _loader, _node: UNKNOWN)


@dataclass(frozen=True)
class Case:
    rule: str
    verdict: str
    content: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.rule}.{self.verdict}: {self.content['case']}"

    def findings(self) -> list[Finding]:
        rule = BY_NAME[self.rule]
        if isinstance(rule, ResourceRule):
            return list(rule.check(resource({"name": "it", **self.content})))
        return list(rule.check([resource(entry) for entry in self.content["resources"]]))


def resource(entry: dict[str, Any]) -> Resource:
    return Resource(
        type=entry["type"],
        name=entry["name"],
        props=entry["props"],
        urn=entry["name"],
        default_tags=entry.get("default_tags", {}),
        group=entry.get("group"),
    )


def cases() -> list[Case]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        rule, verdict, _ = path.name.split(".")
        with path.open() as text:
            found += [Case(rule, verdict, content) for content in yaml.load(text, Loader)]  # noqa: S506 (a safe loader)
    return found


CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_finds_what_the_case_says(case: Case) -> None:
    findings = case.findings()
    said = {
        "expect": [finding.message for finding in findings if not finding.unknown],
        "unknown": [finding.message for finding in findings if finding.unknown],
    }
    assert said == {"expect": case.content.get("expect", []), "unknown": case.content.get("unknown", [])}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict_in_the_file_name_holds(case: Case) -> None:
    assert {True: "fail", False: "pass"}[bool(case.findings())] == case.verdict


def test_every_rule_has_passing_and_failing_cases() -> None:
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {f"{rule.name}.{verdict}.yaml" for rule in RULES for verdict in ("pass", "fail")}


@pytest.mark.parametrize(
    "odd", [None, True, 7.0, "text", [], [None], [[]], {}, {"tags": 1.0}, {"a": {"b": []}}]
)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_survives_odd_shapes(rule, odd: object) -> None:
    entries = [entry for case in CASES for entry in case.content.get("resources", [case.content])]
    keys = {key for entry in entries for key in entry["props"]}
    kinds = sorted({entry["type"] for entry in entries})
    resources = [Resource(kind, "odd", dict.fromkeys(keys, odd), urn=kind) for kind in kinds]
    subjects = resources if isinstance(rule, ResourceRule) else [resources]
    findings = [finding for subject in subjects for finding in rule.check(subject)]
    assert {type(finding) for finding in findings} <= {Finding}
