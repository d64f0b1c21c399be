"""Groups of workers at run time, on the local AWS."""

import pytest
from _support.recorder import Recorder
from _support.refusals import Fault, inject

from coiled_pulumi.aws import fleet, machines, session
from coiled_pulumi.errors import DeploymentError
from coiled_pulumi.ops import watching
from coiled_pulumi.ops.sessions import Security, Session
from coiled_pulumi.outputs import GroupOutputs

REGION = "us-east-1"


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def recorder(aws, monkeypatch):
    with Recorder(aws.record.port).listening() as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
        session.client.cache_clear()
        yield made


def session_of(**groups):
    made = {label: GroupOutputs(name, 0, 20, runtime=True) for label, name in groups.items()}
    return Session("solo", "mine", REGION, f"{REGION}a", "", "127.0.0.1", made, Security("", "", "", ""), 0)


def test_groups_are_seen_with_their_members(aws):
    one, other = aws.group(2), aws.group(0)
    found = fleet.look([one, other, "nowhere"], REGION)

    assert sorted(found) == sorted([one, other])
    assert (found[one].desired, found[one].most, sorted(found[one].staying)) == (2, 20, aws.members(one))
    assert (found[other].desired, found[other].staying) == (0, ())


def test_a_group_gets_another_size_within_its_bound(aws):
    name = aws.group(1, most=4)
    fleet.resize(name, 4, REGION)
    assert len(aws.members(name)) == 4

    with pytest.raises(DeploymentError, match="above max value 4"):
        fleet.resize(name, 5, REGION)
    assert aws.desired(name) == 4


def test_groups_are_emptied_and_those_that_are_gone_passed_over(aws):
    one, other = aws.group(3), aws.group(1)
    fleet.empty([one, "nowhere", other], REGION)

    assert (aws.desired(one), aws.members(one), aws.members(other)) == (0, [], [])


def test_members_that_are_let_go_are_not_replaced(aws):
    name = aws.group(5)
    gone = aws.members(name)[:2]
    assert fleet.release(name, gone, REGION) == ()

    assert (aws.desired(name), len(aws.members(name))) == (3, 3)
    assert not set(gone) & set(aws.members(name))
    assert {one.state for one in machines.of(gone, REGION).values()} <= {"shutting-down", "terminated"}


def test_who_ended_by_itself_is_told_and_its_replacement_not_wanted(aws):
    name = aws.group(3)
    known = aws.members(name)
    gone, *kept = known
    aws.ec2.terminate_instances(InstanceIds=[gone])
    assert len(aws.members(name)) == 3  # AWS has started another

    watching.shrink(session_of(workers=name), "workers", (gone,), known=known)
    # Not one of those that work instead, whichever the group itself would choose.
    assert (aws.desired(name), aws.members(name)) == (2, kept)
    assert fleet.release(name, ["i-0123456789abcdef0"], REGION) == ("i-0123456789abcdef0",)


def test_what_has_not_come_is_taken_back_and_nobody_ends_for_it(aws):
    name = aws.group(20, cidr="10.0.0.0/28")  # which has room for 11
    there = aws.members(name)
    assert (aws.desired(name), len(there)) == (20, 11)

    watching.shrink(session_of(workers=name), "workers", (), fewer=4)
    assert (aws.desired(name), aws.members(name)) == (16, there)
    watching.shrink(session_of(workers=name), "workers", (), fewer=9)
    assert (aws.desired(name), aws.members(name)) == (11, there)
    watching.shrink(session_of(workers=name), "workers", (there[0],), fewer=3)
    assert (aws.desired(name), aws.members(name)) == (10, there[1:])


def test_throttling_is_waited_out_and_nobody_is_let_go_twice(aws, recorder):
    name, clock = aws.group(3), Clock()
    gone = aws.members(name)[:1]
    # As often as boto3 itself tries, and once more.
    fault = Fault(
        "autoscaling", "TerminateInstanceInAutoScalingGroup", "Throttling", times=session.MAX_ATTEMPTS + 1
    )
    recorder.watchers.append(inject(fault))
    assert fleet.release(name, gone, REGION, pause=clock.pause, clock=clock) == ()

    assert (aws.desired(name), aws.members(name)) == (2, sorted(set(aws.members(name)) - set(gone)))
    assert fault.hits == session.MAX_ATTEMPTS + 1
    assert clock.now > 0
    calls = [call for call in recorder.seen if call.action == fault.action and call.status == 200]
    assert len(calls) == 1


def test_many_are_let_go_in_batches(aws, recorder):
    name = aws.group(30, most=40)
    gone = aws.members(name)[: fleet.BATCH + 5]
    assert fleet.release(name, gone, REGION) == ()

    assert (aws.desired(name), len(aws.members(name))) == (5, 5)
    calls = [call for call in recorder.seen if call.action == "TerminateInstanceInAutoScalingGroup"]
    assert len(calls) == len(gone)


def test_states_of_machines_that_aws_has_forgotten_are_left_out(aws):
    machine = aws.machine()
    found = machines.of([machine, "i-0123456789abcdef0"], REGION)
    assert {name: one.state for name, one in found.items()} == {machine: "running"}
