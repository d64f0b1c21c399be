"""`catalog`, without an AWS."""

import json

import pytest

from coiled_pulumi import catalog
from coiled_pulumi.catalog import files


@pytest.fixture(autouse=True)
def _fresh():
    catalog.forget()
    yield
    catalog.forget()


def test_show(cli):
    done = cli("catalog", "show")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("regions: 2")
    assert done.out.count("\n") == 2 * len(files.NAMES)


def test_show_as_json_names_copies_and_those_not_used(cli):
    path = files.write_copy("prices", json.dumps(files.bundled("prices") | {"source": "me"}))
    bad = path.with_name("regions.json")
    bad.write_text("{")
    catalog.forget()
    data = cli("catalog", "show", "--json").data

    assert (data["version"], data["ignored"]) == (1, [str(bad)])
    assert [one["name"] for one in data["files"]] == list(files.NAMES)
    assert data["files"][-1] == {
        "name": "prices",
        "source": "me",
        "date": files.bundled("prices")["date"],
        "path": str(path),
    }
    assert (
        cli("catalog", "show").err == f"not used, because it cannot be read or is of another version: {bad}\n"
    )


def test_a_broken_copy_does_not_stop_other_verbs(cli, solo):
    files.copies().mkdir(parents=True)
    (files.copies() / "regions.json").write_text("{")

    assert cli("validate", "--file", str(solo)).code == 0


def test_update_without_credentials(cli, monkeypatch):
    from coiled_pulumi.aws import session

    session.client.cache_clear()
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = cli("catalog", "update")

    assert done.code in (3, 4)
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert not files.copies().exists()
