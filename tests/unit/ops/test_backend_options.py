"""Backend options set from Python, in the workspace's own file."""

import os

import pytest

import coiled_pulumi
from coiled_pulumi.errors import NoSuchStackError, SpecErrors, UsageError
from coiled_pulumi.ops import backend_options
from coiled_pulumi.spec import load

FILE = """\
# Ours.
config:
  coiled:workspace:
    name: dev
    region_name: us-west-2  # near us
    ingress:
      - ports: [8786, 8787]
        cidr: me
    clusters:
      main:
        firewall: {ports: [8786], cidr: me}  # short
        n_workers: 2
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A workspace file in a project, to stand in."""
    (tmp_path / "Pulumi.yaml").write_text("name: coiled\nruntime: python\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    file = tmp_path / "stacks" / "Pulumi.dev.yaml"
    file.write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return file


def test_it_is_a_public_name():
    assert coiled_pulumi.set_backend_options is backend_options.set_backend_options


def test_only_what_is_said_changes_and_the_diff_shows_it(file):
    diff = coiled_pulumi.set_backend_options({"region": "us-east-1"}, spot=True)

    assert diff == (
        "--- stacks/Pulumi.dev.yaml\n"
        "+++ stacks/Pulumi.dev.yaml\n"
        "@@ -2,7 +2,7 @@\n"
        " config:\n"
        "   coiled:workspace:\n"
        "     name: dev\n"
        "-    region_name: us-west-2  # near us\n"
        "+    region_name: us-east-1  # near us\n"
        "     ingress:\n"
        "       - ports: [8786, 8787]\n"
        "         cidr: me\n"
        "@@ -10,3 +10,4 @@\n"
        "       main:\n"
        "         firewall: {ports: [8786], cidr: me}  # short\n"
        "         n_workers: 2\n"
        "+    spot: true\n"
    )
    assert file.read_text() == FILE.replace("region_name: us-west-2", "region_name: us-east-1") + (
        "    spot: true\n"
    )


def test_a_dry_run_writes_nothing(file):
    assert coiled_pulumi.set_backend_options(zone_name="us-west-2b", workspace="dev", dry_run=True)
    assert file.read_text() == FILE


def test_what_is_there_already_changes_nothing(file):
    before = file.stat().st_mtime_ns

    assert coiled_pulumi.set_backend_options(aws_region="us-west-2", file=file) == ""
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"aws_region": "us-east-1"}, "region", "us-east-1"),
        ({"aws_region": "us-east-1", "backend": "aws"}, "region", "us-east-1"),
        ({"region_name": "us-east-1"}, "region", "us-east-1"),
        ({"zone": "us-west-2c"}, "zone", "us-west-2c"),
        ({"zone_name": "us-west-2c"}, "zone", "us-west-2c"),
        ({"use_dashboard_public_ip": False}, "use_scheduler_public_ip", False),
        ({"spot": True}, "spot", True),
        ({"keypair_name": "mine"}, "keypair_name", "mine"),
    ],
)
def test_coileds_names_are_ours(file, given, name, value):
    coiled_pulumi.set_backend_options(**given)

    assert getattr(load.load(file).written, name) == value


@pytest.mark.parametrize("name", ["ingress", "firewall"])
def test_one_firewall_is_a_list_of_one(file, name):
    coiled_pulumi.set_backend_options({name: {"ports": [22], "cidr": "192.0.2.0/24"}})

    (rule,) = load.load(file).written.ingress
    assert (rule.ports, rule.cidr) == (("22",), "192.0.2.0/24")
    assert "firewall: {ports: [8786], cidr: me}  # short\n" in file.read_text()


def test_a_disk_changes_by_its_keys_and_none_takes_one_out(file):
    coiled_pulumi.set_backend_options(disk={"size": 200, "iops": 4000})
    coiled_pulumi.set_backend_options(disk={"size": 300})
    disk = load.load(file).written.disk
    assert (disk.size, disk.iops) == (300, 4000)

    coiled_pulumi.set_backend_options(disk={"iops": None}, region=None)
    written = load.load(file).written
    assert (written.disk.size, written.disk.iops, written.region) == (300, None, None)

    coiled_pulumi.set_backend_options(disk=None)
    assert file.read_text() == FILE.replace("    region_name: us-west-2  # near us\n", "")


def _refusal(**given) -> str:
    with pytest.raises(SpecErrors) as caught:
        coiled_pulumi.set_backend_options(**given)
    return str(caught.value)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_written(file):
    told = _refusal(
        regoin="us-east-1",
        spot="yes",
        zone="us-west-9z",
        disk={"size": 1, "sise": 2},
        network={},
        aws_secret_access_key="abc",
        use_efa=True,
    )

    source = os.path.join("stacks", "Pulumi.dev.yaml")
    assert told.splitlines() == [
        f"{source}: {line}"
        for line in (
            "aws_secret_access_key: is not kept: credentials come from the environment; "
            "AWS_PROFILE, or whatever else AWS's own tools read",
            "disk.sise: is not a known key; did you mean size",
            "disk.size: must be at least 8, got 1",
            "network: is no backend option, it is for the workspace's file alone; "
            "coiled-pulumi set network.KEY=VALUE",
            "regoin: is not a known key; did you mean region",
            "spot: must be true or false, got 'yes'",
            "use_efa: is not a known key; known are region, zone, ingress, spot, spot_on_demand_fallback, "
            "spot_on_demand_base, keypair_name, use_placement_group, ami_id, agent, ami_version, "
            "use_scheduler_public_ip, capacity_reservation_id, disk",
        )
    ]
    assert "abc" not in told
    assert file.read_text() == FILE


def test_what_does_not_fit_is_told_in_the_line_of_the_file_as_it_is(file):
    file.write_text(FILE + "    zone: us-west-2b\n")

    assert _refusal(region="us-east-1", spot=True) == (
        "stacks/Pulumi.dev.yaml:13: zone: must be a zone of us-east-1, got 'us-west-2b'; "
        "did you mean us-east-1b"
    )


def test_the_same_option_twice_is_refused(file):
    assert _refusal(region="us-east-1", region_name="us-east-1") == (
        "stacks/Pulumi.dev.yaml: region_name: is the same as region, give one of them"
    )
    with pytest.raises(UsageError, match="region is given twice"):
        coiled_pulumi.set_backend_options({"region": "us-east-1"}, region="us-east-1")


def test_a_name_in_the_place_of_options_is_refused(file):
    with pytest.raises(UsageError, match="options are a mapping or keywords, got text"):
        coiled_pulumi.set_backend_options("dev", spot=True)
    assert "backend: must be aws, got 'gcp'" in _refusal(backend="gcp")


def test_what_no_file_can_have_is_refused(file):
    assert "ingress: must be made of mappings, lists" in _refusal(ingress=[{"ports": range(3), "cidr": "me"}])
    with pytest.raises(UsageError, match="options are a mapping or keywords"):
        coiled_pulumi.set_backend_options([("spot", True)])
    assert file.read_text() == FILE


def test_what_is_for_another_place_is_told_with_that_place(file):
    told = _refusal(n_workers=3, account="123456789012")
    assert (
        "n_workers: is no backend option, it is for one cluster; coiled-pulumi set clusters.NAME.n_" in told
    )
    assert (
        "account: is no backend option, it is for the workspace's file alone; coiled-pulumi set account="
        in told
    )


def test_the_errors_name_arguments_of_python(file, monkeypatch):
    with pytest.raises(UsageError, match="workspace and file exclude each other"):
        coiled_pulumi.set_backend_options(spot=True, workspace="dev", file=file)
    monkeypatch.setattr(backend_options.target, "workspace_files", lambda _: {})
    with pytest.raises(UsageError, match="or name it with file="):
        coiled_pulumi.set_backend_options(spot=True)


def test_the_workspace_is_found_as_the_command_line_finds_it(file, tmp_path):
    (file.parent / "Pulumi.prod.yaml").write_text(FILE.replace("name: dev", "name: prod"))
    with pytest.raises(UsageError, match="which workspace"):
        coiled_pulumi.set_backend_options(spot=True)
    with pytest.raises(NoSuchStackError):
        coiled_pulumi.set_backend_options(spot=True, workspace="nosuch")

    bare = tmp_path / "lab.yaml"
    bare.write_text("name: lab\n")
    coiled_pulumi.set_backend_options(spot=True, file=bare)
    assert bare.read_text() == "name: lab\nspot: true\n"


def test_a_file_that_is_wrong_can_be_put_right(file):
    file.write_text(FILE.replace("us-west-2", "us-wst-2"))

    assert coiled_pulumi.set_backend_options(region="us-west-2")
    assert file.read_text() == FILE
