"""The IAM documents allow what the real engine and AWS plugin ask of AWS, and little else."""

import dataclasses

import pytest
from _support import iam_runs, known_facts, mutated_calls
from _support.authorisations import requests_of
from _support.evaluator import refused
from _support.recorder import Recorder
from _support.refusals import BLOB, enforce
from _support.updating import UPDATE

from coiled_pulumi.local import inventory
from coiled_pulumi.plan import policy_documents

pytestmark = pytest.mark.engine

ONE = "  one: {n_workers: 1, worker: {instance_type: m6i.large}}\n"
CHANGED = iam_runs.FILE.replace("[8786]", "[8786, 8787]").replace("{team: data, crew: red}", "{team: other}")
CHANGED += "logs: {retention_days: 7}\n"
RESHAPED = CHANGED.replace("m6i.large}", "m6i.large, disk: {size: 120}}")
TWO = ONE + ONE.replace("one", "two")
MORE = TWO.replace("two: {n_workers: 1", "two: {n_workers: 3")
SETUP, ONGOING = iam_runs.documents(iam_runs.plan())

#: Granted, and never asked for in these runs.
UNUSED = {
    "iam:CreateServiceLinkedRole": "AWS makes its own roles with an account's first group; the local AWS has none",
    "autoscaling:DescribeScalingActivities": "only read when workers do not come",
    "logs:FilterLogEvents": "only read when somebody reads logs",
    "servicequotas:GetAWSDefaultServiceQuota": "only read for quotas that the account has no value of",
    "logs:GetLogEvents": "only read when somebody reads logs",
    "ec2:ReplaceRoute": "only where the way out moves to another zone, or becomes another one",
    "autoscaling:TerminateInstanceInAutoScalingGroup": "only where a client retires workers of a running cluster",
    "iam:DetachRolePolicy": "only where somebody attached a policy to the role",
}


#: Asked for by `up` before it begins, and told as not known where it is refused.
ONLY_ASKED = {
    "iam:SimulatePrincipalPolicy": "what others may do is nobody's business; the calls themselves tell"
}


class Runs:
    """A workspace that is changed by our command line, behind a recorder."""

    def __init__(self, bench, recorder, folder):
        self.recorder, self.folder = recorder, folder
        self.bench = dataclasses.replace(bench, env=bench.env | {"AWS_ENDPOINT_URL": recorder.endpoint})
        self.calls = {}
        self.enforced = []

    def run(self, phase, verb, text, *arguments, code=0):
        """Run a verb on a workspace file; keep its calls under the name of the phase."""
        (self.folder / "narrow.yaml").write_text(text)
        agree = () if verb in ("start", "scale") else ("--yes",)
        words = ("cluster", verb, "three") if verb in ("start", "scale", "stop") else (verb,)
        self.recorder.watchers[:] = [enforce(self.enforced)] if self.enforced else []
        mark = self.recorder.mark()
        words = (*words, *arguments, "--file", "narrow.yaml", *agree)
        done = self.bench.cli(*words, folder=self.folder, code=code)
        self.calls[phase] = self.recorder.seen[mark:]
        return done

    def of(self, *phases):
        """The calls of some phases, or of all that nothing was refused in; what only asks for rights is left out."""
        calls = [call for name, calls in self.calls.items() if name in (phases or PHASES) for call in calls]
        return [call for call in calls if not call.dry and call.name not in ONLY_ASKED]


SHARED = ("up", "change", "destroy")
CLUSTERS = ("add", "grow", "remove and reshape", "start", "scale", "stop", "refresh")
PHASES = SHARED + CLUSTERS


@pytest.fixture(scope="module")
def runs(bench, tmp_path_factory):
    client = inventory.clients(bench.record)
    with Recorder(bench.record.port, known_facts.lookup(client)).listening() as recorder:
        runs = Runs(bench, recorder, tmp_path_factory.mktemp("narrow"))
        runs.run("up", "up", iam_runs.FILE)
        runs.run("change", "up", CHANGED)
        # From here on Setup is detached: what follows is done with what Ongoing allows.
        runs.enforced = [ONGOING]
        runs.run("add", "up", CHANGED.replace(ONE, TWO))
        runs.run("grow", "up", CHANGED.replace(ONE, MORE))
        runs.run("remove and reshape", "up", RESHAPED)
        runs.run("start", "start", RESHAPED, "--set", "worker.instance_type=m6i.large", "--n-workers", "1")
        runs.run("scale", "scale", RESHAPED, "2")
        runs.run("stop", "stop", RESHAPED)
        runs.run("refresh", "refresh", RESHAPED)
        runs.refused = runs.run(
            "zone", "up", RESHAPED.replace("[us-east-1a]", "[us-east-1a, us-east-1b]"), code=4
        )
        runs.enforced = [SETUP, ONGOING]
        runs.run("destroy", "destroy", RESHAPED)
        yield runs


def test_each_call_of_a_workspace_is_allowed_by_setup_and_ongoing(runs):
    assert _refused([SETUP, ONGOING], runs.of()) == []


def test_calls_for_clusters_are_allowed_by_ongoing_alone(runs):
    assert [name for name in CLUSTERS if not runs.calls[name]] == []
    assert _refused([ONGOING], runs.of(*CLUSTERS)) == []


def _refused(documents, calls):
    found = [refused(documents, requests_of(call)) for call in calls]
    return [str(request) for request in found if request is not None]


def test_setup_and_ongoing_allow_little_that_is_never_used(runs):
    granted = {action for document in (SETUP, ONGOING) for action in policy_documents.actions(document)}
    used = {request.action for call in runs.of() for request in requests_of(call)}
    assert granted - used == set(UNUSED)
    assert len(UNUSED) <= len(granted) / 10


def test_without_setup_a_new_zone_ends_in_one_line_that_names_the_right(runs):
    shown = runs.refused.stdout + runs.refused.stderr
    assert "ec2:CreateSubnet" in shown
    assert BLOB[:60] not in shown
    assert "Traceback" not in shown
    made = {call.name for call in runs.calls["zone"] if call.mutating and not call.dry and call.status < 300}
    assert made <= {"logs:PutLogEvents"}  # what happened is told to everybody


def test_recorded_calls_that_are_changed_are_refused(runs):
    found = mutated_calls.mutated(runs.of(), iam_runs.plan())
    assert len(found) >= 40
    assert [name for name, call in found.items() if call.allowed([SETUP, ONGOING])] == []


def test_the_sample_of_recorded_calls_has_every_kind_of_call(runs):
    if UPDATE:
        iam_runs.RECORDED.write_text(iam_runs.dump(runs.of()))
    assert {call.name for call in iam_runs.load()} == {call.name for call in runs.of()}


def test_everything_is_gone(runs, bench):
    assert bench.inventory(iam_runs.WORKSPACE) == {}
