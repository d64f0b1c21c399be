"""What is bundled: its shape, where it is from, and that it can be made again."""

import importlib.util
import json
import re

import pytest
from _support.updating import ROOT

from coiled_pulumi import catalog
from coiled_pulumi.catalog import files, rows

DATA = ROOT / "coiled_pulumi" / "catalog" / "data"


@pytest.mark.parametrize("name", files.NAMES)
def test_a_file_says_who_when_and_nothing_twice(name):
    text = (DATA / f"{name}.json").read_text()
    document = files.bundled(name)

    assert files.fits(name, document)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", document["date"])
    assert text == rows.written(name, document)
    assert json.dumps(document[name], sort_keys=True) == json.dumps(json.loads(text)[name], sort_keys=True)


def test_no_other_files():
    assert {file.stem for file in DATA.iterdir()} == set(files.NAMES)


def test_the_files_are_what_the_tool_makes():
    spec = importlib.util.spec_from_file_location("generate_catalog", ROOT / "tools" / "generate_catalog.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    for name, made in tool.documents("today").items():
        bundled = files.bundled(name)
        assert made | {"date": bundled["date"]} == bundled, f"run python tools/generate_catalog.py for {name}"


def test_offerings_are_of_known_types_in_known_zones():
    types, regions = set(catalog.instance_types()), catalog.regions()
    unknown = set(regions) - set(files.document("offerings")["offerings"])

    for region in regions.keys() - unknown:
        letters = {zone[-1] for zone in regions[region].zones}
        offered = catalog.offered(region)
        assert len(offered) > 200
        assert offered.keys() <= types
        assert {letter for zones in offered.values() for letter in zones} <= letters
    assert len(unknown) < 8
    assert {catalog.offered(region) for region in unknown} <= {None}


def test_offerings_are_small():
    assert (DATA / "offerings.json").stat().st_size < 400_000


def test_a_row_of_offerings_reads_as_it_was_written():
    zones = {
        "m5.large": ["r-1a", "r-1b"],
        "m5.xlarge": ["r-1b", "r-1a"],
        "c5.large": ["r-1c"],
        "x.y": ["r-1a"],
    }
    row = rows.offerings(zones, ["m5.large", "m5.xlarge", "c5.large"])

    assert row == {"ab": "m5:large,xlarge", "c": "c5:large"}
    assert rows.offered(row) == {"m5.large": "ab", "m5.xlarge": "ab", "c5.large": "c"}


@pytest.mark.parametrize(
    ("name", "gpus", "gpu", "maker", "storage"),
    [
        ("g4dn.xlarge", 1, "T4", "NVIDIA", 125),
        ("p4d.24xlarge", 8, "A100", "NVIDIA", 8000),
        ("g6f.xlarge", 0, "L4", "NVIDIA", None),
        ("m6i.xlarge", 0, "", "", 0),
        ("m6id.xlarge", 0, "", "", 237),
    ],
)
def test_more_facts_of_a_type(name, gpus, gpu, maker, storage):
    facts = catalog.instance_type(name)

    assert (facts.gpus, facts.gpu, facts.gpu_maker) == (gpus, gpu, maker)
    assert storage in (None, facts.storage)
    assert facts.family == name.split(".")[0]
    assert facts.memory_gib == facts.memory / 1024


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("m6i.xlarge", ("L-1216C47A", "L-34B43A08")),
        ("im4gn.large", ("L-1216C47A", "L-34B43A08")),
        ("t3.micro", ("L-1216C47A", "L-34B43A08")),
        ("g4dn.xlarge", ("L-DB2E81BA", "L-3819A6DF")),
        ("gr6.4xlarge", ("L-DB2E81BA", "L-3819A6DF")),
        ("vt1.3xlarge", ("L-DB2E81BA", "L-3819A6DF")),
        ("p4d.24xlarge", ("L-417A185B", "L-7212CCBC")),
        ("x2iedn.xlarge", ("L-7295265B", "L-E3A00192")),
        ("inf2.xlarge", (None, None)),
        ("trn1.32xlarge", (None, None)),
        ("hpc7g.4xlarge", (None, None)),
        ("mac2.metal", (None, None)),
        ("u-6tb1.56xlarge", (None, None)),
        ("", (None, None)),
        ("7g.large", (None, None)),
    ],
)
def test_quota_of(name, codes):
    found = [catalog.quota_of(name, spot) for spot in (False, True)]

    assert tuple(one and one.code for one in found) == codes
    assert {one.unit for one in found if one} <= {"vCPUs"}


def test_every_type_that_is_chosen_has_a_quota():
    from coiled_pulumi.catalog.choose import Wish, choose

    for wish in (
        Wish(cpu=(1, 1024), memory=(0, 99_999)),
        Wish(gpus=1, cpu=(1, 1024)),
        Wish(architecture="arm64"),
    ):
        for name in choose(wish, region="us-east-1", most=10_000):
            assert catalog.quota_of(name) is not None


def test_quotas():
    assert catalog.quota("L-1216C47A").default == 5
    assert catalog.quota("L-DB2E81BA").default == 0
    assert catalog.quota("L-00000000") is None
    assert {one.service for one in catalog.quotas().values()} == {"ec2", "vpc"}
    assert {one.url.split("/")[2] for one in catalog.quotas().values()} == {"docs.aws.amazon.com"}


def test_prices():
    nat = catalog.price("nat_gateway")

    assert (nat.usd, nat.unit, nat.region) == (0.045, "hour", "us-east-1")
    assert nat.monthly() == pytest.approx(32.85)
    assert nat.monthly(hours=24) == pytest.approx(1.08)
    assert catalog.price("public_ipv4").monthly() == pytest.approx(3.65)
    assert catalog.price("unknown") is None
    with pytest.raises(ValueError, match="gp3 is paid by the GB-month, not by the hour"):
        catalog.price("gp3").monthly()
