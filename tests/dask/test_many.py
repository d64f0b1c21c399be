"""Many people start clusters in one workspace at the same time; nobody is in another's way, nor in the workspace's."""

import contextlib
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _support.lab import Lab, until
from _support.recorder import Recorder

pytestmark = pytest.mark.engine

#: A program of one person: starts a cluster, says who its workers are, squares what it is given, and closes it.
SESSION = """
import json, sys
from coiled_pulumi import Cluster

def square(number):
    from distributed import get_worker
    return number * number, get_worker().name

if __name__ == "__main__":
    name, workers = sys.argv[1], int(sys.argv[2])
    with Cluster(name=name, n_workers=workers, wait_for_workers=True) as cluster:
        with cluster.get_client() as client:
            print(json.dumps(sorted(cluster.plan)), flush=True)
            for line in sys.stdin:
                numbers = json.loads(line)
                print(json.dumps(client.gather(client.map(square, numbers, pure=False))), flush=True)
    print("closed", flush=True)
"""
#: What makes something out of the workspace's network and rights, and so names them.
MADE_OF = {
    "ec2:RunInstances",
    "ec2:CreateLaunchTemplate",
    "autoscaling:CreateAutoScalingGroup",
}


class Person:
    """One who runs that program."""

    def __init__(self, lab: Lab, name: str, workers: int, **env: str) -> None:
        self.name, self.told = name, lab.folder / f"{name}.stderr"
        with self.told.open("w") as told:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SESSION, name, str(workers)],
                cwd=lab.folder,
                env=lab.env | env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
            )

    def says(self) -> str:
        """The next line."""
        line = self._process.stdout.readline()
        assert line, f"{self.name} ended\n{self.told.read_text()}"
        return line.rstrip("\n")

    def squares(self, *numbers: int) -> set[str]:
        """Compute, and give the workers that did."""
        self._process.stdin.write(json.dumps(numbers) + "\n")
        self._process.stdin.flush()
        found = json.loads(self.says())
        assert [result for result, _ in found] == [number * number for number in numbers]
        return {worker for _, worker in found}

    def leave(self) -> None:
        """Have the cluster closed; returns at once."""
        self._process.stdin.close()

    def left(self) -> None:
        """Wait until it is."""
        assert self.says() == "closed"
        assert self._process.wait(timeout=60) == 0, self.told.read_text()

    def end(self) -> None:
        """End the program, whatever it does: Ctrl-C has it clean up."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        if self._process.poll() is None:
            self._process.send_signal(2)
        self._process.wait(timeout=120)


@contextlib.contextmanager
def people(lab: Lab, *names: str, workers: int = 1, **env: str) -> Iterator[list[Person]]:
    """Have all of them begin at once, and leave nothing of what they started."""
    made: list[Person] = []
    try:
        for name in names:
            made.append(Person(lab, name, workers, **env))
        yield made
    finally:
        for one in made:
            one.end()
        for name in names:
            if lab.left(name):
                lab.cli("cluster", "stop", name, "--workspace", "lab", "--yes", code=None)


def test_two_clusters_share_the_network_and_one_outlives_the_other(lab):
    with people(lab, "first", "second", workers=2) as (first, second):
        workers = {one.name: set(json.loads(one.says())) for one in (first, second)}
        assert workers == {name: set(lab.role(name, "worker")) for name in ("first", "second")}
        assert not workers["first"] & workers["second"]
        machines = {name: lab.instances(name) for name in ("first", "second")}
        assert set(machines["first"]).isdisjoint(machines["second"])
        subnets = {name: {one["SubnetId"] for one in there.values()} for name, there in machines.items()}
        assert subnets["first"] == subnets["second"]

        assert first.squares(*range(20)) <= workers["first"]
        assert second.squares(*range(20)) <= workers["second"]
        first.leave()
        # While the other's machines end, and after that.
        assert second.squares(*range(20, 40)) <= workers["second"]
        first.left()
        assert lab.left("first") == {}
        assert second.squares(*range(40, 60)) <= workers["second"]
        assert set(lab.instances("second")) == set(machines["second"])
        second.leave()
        second.left()
        assert lab.left("second") == {}


def test_ten_start_at_once_and_the_workspace_stays_as_it_is(lab):
    names = [f"one-of-ten-{number}" for number in range(10)]
    before, known = stack_files(lab), shared(lab)
    assert before
    recorder = Recorder(lab.record.port)
    with recorder.listening(), people(lab, *names, AWS_ENDPOINT_URL=recorder.endpoint) as ten:
        workers = {one.name: json.loads(one.says()) for one in ten}
        assert {len(found) for found in workers.values()} == {1}
        assert len({worker for found in workers.values() for worker in found}) == 10
        for one in ten:
            assert list(one.squares(3, 4, 5)) == workers[one.name]
        for one in ten:
            one.leave()
        for one in ten:
            one.left()
        changes = [call for call in recorder.seen if call.mutating and call.service != "s3"]
    for name in names:
        assert lab.left(name) == {}
        # A machine that is being ended may take its time.
        until(lambda name=name: not lab.instances(name, "pending", "running", "shutting-down"))
    assert stack_files(lab) == before
    assert shared(lab) == known
    of_the_workspace = {text for text in known if not text.startswith("{")}
    assert {call.name for call in changes} > MADE_OF
    touched = [
        (call.name, sorted(named & of_the_workspace))
        for call in changes
        if call.name not in MADE_OF and (named := set(texts(call.parameters))) & of_the_workspace
    ]
    # What has happened is told in the workspace's notifications.
    assert {name for name, _ in touched} <= {"logs:PutLogEvents", "logs:CreateLogStream"}


def stack_files(lab: Lab) -> dict[str, str]:
    """Digests of the state of the workspace's stack, and of the history of its updates."""
    (kept,) = Path(lab.record.home).glob("backend/.pulumi")
    there = [
        file
        for kind in ("stacks", "history", "backups")
        for file in sorted((kept / kind).rglob("*"))
        if file.is_file() and ("/lab/" in str(file) or file.name.startswith("lab.json"))
    ]
    return {str(file.relative_to(kept)): hashlib.sha256(file.read_bytes()).hexdigest() for file in there}


def shared(lab: Lab) -> set[str]:
    """Ids and names of what the workspace's stack made, and the whole of each of its resources."""
    resources = json.loads(lab.export("lab"))["deployment"]["resources"]
    ids = {one["id"] for one in resources if "id" in one and one["type"].startswith("aws:")}
    ec2 = lab.client("ec2")
    tag = [{"Name": "tag:coiled-pulumi:workspace", "Values": ["lab"]}]
    described = (
        *ec2.describe_vpcs(Filters=tag)["Vpcs"],
        *ec2.describe_route_tables(Filters=tag)["RouteTables"],
        *ec2.describe_security_groups(Filters=tag)["SecurityGroups"],
        *ec2.describe_internet_gateways(Filters=tag)["InternetGateways"],
        *ec2.describe_nat_gateways(Filters=tag)["NatGateways"],
        *[
            # Addresses that are free are counted.
            {key: value for key, value in one.items() if key != "AvailableIpAddressCount"}
            for one in ec2.describe_subnets(Filters=tag)["Subnets"]
        ],
    )
    return ids | {json.dumps(one, sort_keys=True, default=str) for one in described}


def texts(value: object) -> Iterator[str]:
    """Give every text of the parameters of a call, but for tags: they name the workspace everywhere."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.startswith("Tag"):
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value
