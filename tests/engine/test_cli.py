"""Our command line on the real engine, for a workspace file that stands alone in a folder."""

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

FILE = """\
name: solo
network: {cidr: 10.50.0.0/16, zones: [us-east-1a]}
ingress: [{ports: [8786], cidr: me}]
clusters:
  one: {n_workers: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solo")
    (folder / "solo.yaml").write_text(FILE)
    return folder


def test_what_was_never_brought_up_has_no_outputs(bench, folder):
    done = bench.cli("outputs", "--file", "solo.yaml", folder=folder, code=6)
    assert done.stdout == ""
    assert "solo" in done.stderr


def test_up_asks_and_without_a_terminal_says_which_flag(bench, folder):
    done = bench.cli("up", "--file", "solo.yaml", folder=folder, code=2)
    assert done.stderr == "error: there is no terminal to ask on\nhint: add --yes\n"
    assert bench.inventory("solo") == {}


def test_preview_lists_what_up_would_create_and_changes_nothing(bench, folder):
    mark = bench.mark()
    done = bench.cli("preview", "--file", "solo.yaml", "--json", folder=folder)
    preview = json.loads(done.stdout)
    assert {key: preview[key] for key in ("version", "verb", "stack", "policies")} == {
        "version": 1,
        "verb": "preview",
        "stack": "solo",
        "policies": [],
    }
    assert {resource["op"] for resource in preview["resources"]} == {"create"}
    assert bench.mutations_since(mark) == []
    bench.cli("preview", "--file", "solo.yaml", "--expect-no-changes", folder=folder, code=7)


def test_up_reports_each_resource_and_outputs_name_the_scheduler(bench, folder):
    done = bench.cli("up", "--file", "solo.yaml", "--yes", folder=folder)
    assert "+ Instance solo-cluster-one-scheduler created" in done.stderr
    assert " created" in done.stdout.splitlines()[-1]
    record = json.loads(bench.cli("outputs", "--file", "solo.yaml", "--json", folder=folder).stdout)
    assert record["clusters"]["one"]["scheduler_address"].startswith("127.")
    shown = bench.cli("outputs", "--file", "solo.yaml", folder=folder).stdout
    assert record["clusters"]["one"]["scheduler_address"] in shown
    assert (folder / "solo.yaml").read_text() == FILE


def test_a_second_up_and_a_refresh_have_nothing_to_do(bench, folder):
    for verb in ("up", "refresh"):
        done = bench.cli(verb, "--file", "solo.yaml", "--yes", "--json", folder=folder)
        assert json.loads(done.stdout)["resources"] == []


def test_what_was_changed_and_deleted_behind_our_back_is_drift_and_is_repaired(bench, folder):
    bench.client("logs").put_retention_policy(logGroupName="solo", retentionInDays=7)
    bench.client("iam").delete_role_policy(RoleName="solo", PolicyName="solo")
    drift = {("update", "solo-logs"), ("delete", "solo-policy")}
    assert changed(bench, folder, "refresh", "--preview-only") == drift
    assert changed(bench, folder, "refresh", "--yes") == drift
    assert changed(bench, folder, "up", "--yes") == {("update", "solo-logs"), ("create", "solo-policy")}
    assert changed(bench, folder, "refresh", "--preview-only") == set()


def changed(bench, folder, *arguments) -> set[tuple[str, str]]:
    done = bench.cli(*arguments, "--file", "solo.yaml", "--json", folder=folder)
    return {(row["op"], row["name"]) for row in json.loads(done.stdout)["resources"]}


def test_a_rule_that_is_gone_stops_a_refresh_and_the_hint_is_the_way_out(bench, folder):
    ec2 = bench.client("ec2")
    groups = ec2.describe_security_groups()["SecurityGroups"]
    group = next(group for group in groups if group["GroupName"].startswith("solo-scheduler-group"))
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    done = bench.cli("refresh", "--file", "solo.yaml", "--yes", "--json", folder=folder, code=4)
    hint = json.loads(done.stdout)["error"]["hint"]
    urn = re.search(r"pulumi state delete '(.*)'", hint)[1]
    bench.run(["pulumi", "state", "delete", urn, "--yes", "--stack", "solo"], folder=project_of(bench))
    assert changed(bench, folder, "up", "--yes") == {("create", "solo-scheduler-ingress-8786-from-me")}


def project_of(bench):
    return next((Path(bench.env["XDG_STATE_HOME"]) / "coiled-pulumi" / "projects").glob("*/solo"))


def test_a_refusal_of_aws_is_a_line_with_exit_code_4_and_the_next_run_goes_on(bench, folder):
    # A second workspace whose log group exists already, and is not ours.
    (folder / "taken.yaml").write_text(FILE.replace("solo", "taken").replace("10.50", "10.51"))
    bench.client("logs").create_log_group(logGroupName="taken")
    done = bench.cli("up", "--file", "taken.yaml", "--yes", folder=folder, code=4)
    assert "ResourceAlreadyExistsException" in done.stderr
    assert "Traceback" not in done.stderr
    bench.client("logs").delete_log_group(logGroupName="taken")
    done = bench.cli("up", "--file", "taken.yaml", "--yes", "--json", folder=folder)
    assert "taken-logs" in {row["name"] for row in json.loads(done.stdout)["resources"]}
    bench.cli("destroy", "--file", "taken.yaml", "--yes", folder=folder)
    assert bench.inventory("taken") == {}


def test_another_network_takes_the_cluster_along(bench, folder):
    (folder / "solo.yaml").write_text(FILE.replace("10.50", "10.52"))
    done = bench.cli("up", "--file", "solo.yaml", "--yes", "--json", folder=folder)
    replaced = {row["name"] for row in json.loads(done.stdout)["resources"] if "replace" in row["op"]}
    assert replaced >= {"solo-vpc", "solo-nat", "solo-cluster-one-scheduler", "solo-cluster-one-workers"}
    assert replaced & {"solo-role", "solo-logs", "solo-nat-address"} == set()
    assert changed(bench, folder, "up", "--yes") == set()


def test_destroy_deletes_everything(bench, folder):
    done = bench.cli("destroy", "--file", "solo.yaml", "--yes", "--json", folder=folder)
    assert {row["op"] for row in json.loads(done.stdout)["resources"]} == {"delete"}
    assert bench.inventory("solo") == {}


def test_credentials_of_another_account_change_nothing(bench, folder):
    (folder / "other.yaml").write_text(FILE.replace("name: solo", 'name: other\naccount: "999999999999"'))
    mark = bench.mark()
    done = bench.cli("up", "--file", "other.yaml", "--yes", folder=folder, code=4)
    assert "123456789012" in done.stderr
    assert bench.mutations_since(mark) == []
