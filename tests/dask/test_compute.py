"""A cluster that a Python program starts: it computes, tells, is told apart from strangers, and leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from _support import promises
from _support.lab import until
from distributed import Client, Security, get_client, get_worker

import coiled_pulumi

pytestmark = [
    pytest.mark.engine,
    # distributed's own, when connections end while a cluster is closed.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROOT = Path(__file__).parents[2]
SECRET = "canary-\u00e4\u4f60\n\t'\"$`\\-7f3a91c2e8"  # noqa: S105 planted


def tasks():
    """Give functions that travel as a whole, as those of a notebook do: machines know nothing of this module."""

    def double(number):
        return 2 * number

    def whoami(_):
        return get_worker().name

    return double, whoami


double, whoami = tasks()


@pytest.fixture(scope="module")
def cluster(inside):
    with coiled_pulumi.Cluster(
        name="compute",
        n_workers=2,
        environ={"SECRET": SECRET, "EMPTY": ""},
        wait_for_workers=True,
        no_client_timeout=None,
        tags={"team": "data"},
    ) as made:
        yield made


@pytest.fixture
def client(cluster):
    with cluster.get_client() as made:
        yield made


def test_it_computes_on_its_workers(cluster, client, inside):
    assert client.gather(client.map(double, range(50))) == [2 * number for number in range(50)]
    names = set(client.gather(client.map(whoami, range(40), pure=False)))
    assert names == set(inside.role("compute", "worker"))


def test_variables_arrive_to_the_byte(client):
    def read():
        return os.environb[b"SECRET"], os.environb[b"EMPTY"]

    assert set(client.run(read).values()) == {(SECRET.encode(), b"")}
    assert client.run_on_scheduler(read) == (SECRET.encode(), b"")


def test_clients_in_tasks_work(client):
    def inner(number):
        return get_client().submit(double, number, pure=False).result()

    assert client.submit(inner, 21).result(timeout=30) == 42


@pytest.mark.parametrize("promise", promises.ALL, ids=lambda promise: promise.__name__)
def test_what_distributed_promises_of_any_cluster(client, promise, tmp_path):
    more = (tmp_path,) if promise is promises.test_performance_report else ()
    promise(client, *more)


def test_a_line_of_a_task_is_in_the_workers_stream_within_five_seconds(cluster, client, inside):
    line = f"a line of a task at {time.time()}"

    def say():
        print(line)
        return get_worker().name

    follow = subprocess.Popen(
        [sys.executable, "-m", "coiled_pulumi", "cluster", "logs", "compute", "--follow", "--json"],
        env=inside.env,
        cwd=inside.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert follow.stdout.readline()  # it has begun: what was there before comes first
        worker = client.submit(say, pure=False).result()
        printed = time.monotonic()
        seen = next(json.loads(found) for found in follow.stdout if line in found)
        assert time.monotonic() - printed < 5
        assert worker in json.dumps(seen)
    finally:
        follow.send_signal(signal.SIGINT)
        follow.wait(timeout=10)
        follow.stdout.close()
    stream = f"compute/worker/{worker}"
    events = inside.client("logs").get_log_events(logGroupName="lab", logStreamName=stream)["events"]
    assert any(line in event["message"] for event in events)


def test_a_second_process_attaches_by_name_and_leaves_it_running(cluster, inside):
    script = (
        "from coiled_pulumi import Cluster\n"
        "with Cluster(name='compute') as cluster, cluster.get_client() as client:\n"
        "    print(client.submit(sum, [1, 2, 3]).result())\n"
    )
    assert inside.python(script).stdout.splitlines()[-1] == "6"
    assert len(inside.role("compute", "worker")) == 2


def test_a_plain_install_does_without_the_repository(cluster, inside, tmp_path):
    wheel = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    inside.run(wheel)
    (built,) = tmp_path.glob("*.whl")
    plain = tmp_path / "plain"
    inside.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(plain), str(built)]
    )
    script = (
        "import coiled_pulumi\n"
        "print(coiled_pulumi.__file__)\n"
        "with coiled_pulumi.Cluster(name='compute') as cluster, cluster.get_client() as client:\n"
        "    print(client.submit(sum, [4, 5]).result())\n"
    )
    # Neither workspace nor backend are in its environment: Dask's configuration names them.
    (tmp_path / "dask").mkdir()
    named = {"workspace": "lab", "backend": inside.env["PULUMI_BACKEND_URL"]}
    (tmp_path / "dask" / "ours.yaml").write_text(json.dumps({"coiled-pulumi": named}))
    env = {"COILED_PULUMI_WORKSPACE": "", "PULUMI_BACKEND_URL": "", "DASK_CONFIG": str(tmp_path / "dask")}
    said = inside.python(script, PYTHONPATH=str(plain), **env).stdout.splitlines()
    assert said[0].startswith(str(plain))
    assert said[-1] == "9"


def test_a_killed_worker_is_replaced_and_the_computation_finishes(cluster, client, inside):
    def slow(number):
        time.sleep(0.5)
        return number

    before = inside.role("compute", "worker")
    futures = client.map(slow, range(40), pure=False, retries=3)
    inside.cli("local", "kill", before[0])
    assert client.gather(futures) == list(range(40))
    after = until(
        lambda: len(found := inside.role("compute", "worker")) == 2 and before[0] not in found and found
    )
    new = next(name for name in after if name not in before)
    until(lambda: new in {one["name"] for one in client.scheduler_info(n_workers=-1)["workers"].values()})


def test_secrets_are_nowhere_in_the_open(cluster, inside):
    needles = [
        SECRET.splitlines()[0].encode(),
        SECRET.splitlines()[1].encode(),
        cluster.security.tls_client_key.splitlines()[1].encode(),
        cluster.dashboard_link.partition("token=")[2].encode(),
    ]
    ec2, autoscaling = inside.client("ec2"), inside.client("autoscaling")
    logs, texts = inside.client("logs"), []
    for name in inside.instances("compute"):
        texts.append(str(ec2.describe_instance_attribute(InstanceId=name, Attribute="userData")))
    texts.append(str(ec2.describe_launch_template_versions(Versions=["$Latest"])))
    texts.append(str(ec2.describe_instances()) + str(autoscaling.describe_auto_scaling_groups()))
    for stream in logs.describe_log_streams(logGroupName="lab")["logStreams"]:
        texts.append(
            str(logs.get_log_events(logGroupName="lab", logStreamName=stream["logStreamName"])["events"])
        )
    texts.append(inside.export("lab.compute"))
    places = {"api": "\n".join(texts).encode()}
    for file in (inside.record.home, inside.env["XDG_STATE_HOME"]):
        for path in Path(file).rglob("*"):
            # What a machine itself holds on its own disk is its business.
            if path.is_file() and "hosts" not in path.relative_to(file).parts[:1]:
                places[str(path)] = path.read_bytes()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            places[str(process)] = process.read_bytes()
        except OSError:
            continue
    assert [(where, needle) for where, text in places.items() for needle in needles if needle in text] == []


def test_logs_by_worker(cluster):
    found = cluster.get_logs()
    assert any("Registered to" in text for text in found.values())


def test_security_of_the_client_is_needed(cluster):
    nobody = Security(require_encryption=True)
    with pytest.raises((OSError, TimeoutError, TypeError)):
        Client(cluster.scheduler_address, security=nobody, timeout=5)
