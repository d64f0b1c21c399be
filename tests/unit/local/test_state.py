from __future__ import annotations

import json
import stat
from pathlib import Path

from coiled_pulumi.local import state
from coiled_pulumi.local.state import Record

RECORD = Record(
    pid=7,
    process_start="99",
    port=4566,
    access_key_id="AKIAEXAMPLE",
    secret_access_key="hush",
    started_at=1.5,
    version="0.1.0",
)


def test_variable_names_the_folder() -> None:
    assert state.default_home({"COILED_PULUMI_LOCAL_HOME": "/a/b"}) == Path("/a/b")


def test_state_folder_of_the_user_is_next() -> None:
    assert state.default_home({"XDG_STATE_HOME": "/s"}) == Path("/s/coiled-pulumi/local")


def test_without_variables_it_is_below_the_home_folder() -> None:
    assert state.default_home({}) == Path.home() / ".local/state/coiled-pulumi/local"


def test_record_comes_back_with_the_folder_it_was_read_from(tmp_path: Path) -> None:
    state.save(tmp_path, RECORD)
    loaded = state.load(tmp_path)
    assert loaded is not None
    assert loaded.home == tmp_path
    assert loaded.secret_access_key == RECORD.secret_access_key


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    state.prepare(home)
    state.save(home, RECORD)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (home, state.state_file(home))]
    assert modes == [0o700, 0o600]


def test_saving_leaves_no_other_file(tmp_path: Path) -> None:
    state.save(tmp_path, RECORD)
    state.save(tmp_path, RECORD)
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_record_of_another_shape_counts_as_none(tmp_path: Path) -> None:
    state.state_file(tmp_path).write_text(json.dumps({"pid": 1}))
    assert state.load(tmp_path) is None


def test_secrets_are_not_in_the_repr() -> None:
    assert "hush" not in repr(RECORD)
