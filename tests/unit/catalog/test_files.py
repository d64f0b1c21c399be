"""The user's copies: they win where they are good, and never get in the way where they are not."""

import json
import os

import pytest

from coiled_pulumi import catalog
from coiled_pulumi.catalog import files


@pytest.fixture
def folder():
    found = files.copies()
    found.mkdir(parents=True)
    return found


def _copy(name, **other):
    return files.bundled(name) | other


def test_where_copies_are(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert files.copies() == tmp_path / "coiled-pulumi" / "catalog"
    for nothing in ("", "relative/folder"):
        monkeypatch.setenv("XDG_DATA_HOME", nothing)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert files.copies() == tmp_path / ".local" / "share" / "coiled-pulumi" / "catalog"


def test_without_copies_everything_is_bundled():
    assert [source.name for source in catalog.sources()] == list(files.NAMES)
    assert {source.path.parent.name for source in catalog.sources()} == {"data"}
    assert catalog.ignored() == []


def test_a_copy_takes_the_place_of_the_bundled_file(folder):
    row = {"xx-north-1": {"opt_in": True, "zones": ["xx-north-1a", "xx-north-1b"]}}
    path = files.write_copy(
        "regions", json.dumps(_copy("regions", regions=row, date="2030-01-02", source="me"))
    )
    catalog.forget()

    assert list(catalog.regions()) == ["xx-north-1"]
    assert catalog.sources()[0] == catalog.Source("regions", "me", "2030-01-02", path)
    assert catalog.instance_type("m6i.xlarge") is not None
    assert catalog.ignored() == []


BAD = {
    "empty": "",
    "not JSON": "{",
    "another version": json.dumps(_copy("regions", version=2)),
    "no version": json.dumps({"regions": {}}),
    "a list": "[]",
    "null": "null",
    "no rows": json.dumps(_copy("regions", regions={})),
    "rows of another kind": json.dumps(_copy("regions", regions=5)),
    "a row without zones": json.dumps(_copy("regions", regions={"a-1": {"opt_in": True, "zones": []}})),
    "zones of another region": json.dumps(
        _copy("regions", regions={"a-1": {"opt_in": True, "zones": ["b-1a"]}})
    ),
    "zones as text": json.dumps(_copy("regions", regions={"a-1": {"opt_in": True, "zones": "a-1a"}})),
    "source of another kind": json.dumps(_copy("regions", source=None)),
    "deep": "[" * 100_000,
    "bytes": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_bad_copy_is_left_aside(folder, text):
    path = folder / "regions.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    assert "us-east-1" in catalog.regions()
    assert catalog.sources()[0].path.parent.name == "data"
    assert catalog.ignored() == [path]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("instance_types", {"m5.large": ["x86_64", 2, 8192]}),
        ("instance_types", {"m5.large": ["x86_64", "2", 8192, 0, 0, "", ""]}),
        ("instance_types", {"m5": ["x86_64", 2, 8192, 0, 0, "", ""]}),
        ("offerings", {"us-east-1": {"ab": 5}}),
        ("offerings", {"us-east-1": "ab"}),
        ("quotas", {"L-1": {"service": "ec2", "name": "n", "unit": "u", "url": "x", "default": "5"}}),
        ("prices", {"x": {"name": "n", "usd": None, "unit": "hour", "url": "x"}}),
    ],
)
def test_rows_of_another_shape_are_left_aside(folder, name, rows):
    (folder / f"{name}.json").write_text(json.dumps(_copy(name, **{name: rows})))

    assert files.document(name) == files.bundled(name)
    with pytest.raises(ValueError, match=f"not a catalog of {name}"):
        files.write_copy(name, json.dumps(_copy(name, **{name: rows})))


def test_a_folder_in_place_of_a_copy(folder):
    (folder / "prices.json").mkdir()

    assert catalog.price("nat_gateway") is not None
    assert catalog.ignored() == [folder / "prices.json"]


def test_a_dangling_link_in_place_of_a_copy(folder):
    (folder / "prices.json").symlink_to(folder / "nowhere")

    assert catalog.price("nat_gateway") is not None
    assert catalog.ignored() == [folder / "prices.json"]


def test_a_copy_is_written_whole_or_not_at_all(monkeypatch):
    path = files.write_copy("prices", json.dumps(_copy("prices", date="2030-01-01")))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write_copy("prices", json.dumps(_copy("prices", date="2031-01-01")))
    assert [file.name for file in path.parent.iterdir()] == ["prices.json"]
    assert json.loads(path.read_text())["date"] == "2030-01-01"


def test_applied_quotas_are_of_one_account(folder):
    applied = {"us-east-1": {"L-1216C47A": 64.0}}
    files.write_copy("quotas", json.dumps(_copy("quotas", account="111122223333", applied=applied)))
    catalog.forget()

    ask = {"region": "us-east-1", "account": "111122223333"}
    assert catalog.applied_quota("L-1216C47A", **ask) == 64
    assert catalog.applied_quota("L-34B43A08", **ask) is None
    assert catalog.applied_quota("L-1216C47A", **ask | {"region": "eu-west-1"}) is None
    assert catalog.applied_quota("L-1216C47A", **ask | {"account": "444455556666"}) is None
