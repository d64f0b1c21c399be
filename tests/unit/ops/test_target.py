"""Which file a command means, and what Pulumi is given for it."""

import json
import stat
from pathlib import Path

import pytest
import yaml
from _support import fake_pulumi

from coiled_pulumi.errors import EngineError, NoSuchStackError, SpecErrors, UsageError
from coiled_pulumi.ops import target as ops

BARE = "name: lab\nnetwork: {cidr: 10.50.0.0/16}\n"
STACK = """\
# a comment
config:
  aws:region: us-east-1
  aws:allowedAccountIds: ["012345678901"]
  lab:since: 2026-01-01
  lab:agreed: yes
  coiled:workspace:
    name: dev
    tags: {note: encryptedkey}
"""
PROJECT = "name: coiled\nruntime: python\nmain: stacks/\nstackConfigDir: stacks\n"


def _project(folder: Path, *stacks: str, settings: str = PROJECT) -> Path:
    (folder / "stacks").mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(settings)
    for stack in stacks:
        (folder / "stacks" / f"Pulumi.{stack}.yaml").write_text(STACK.replace("name: dev", f"name: {stack}"))
    return folder


def _find(folder, *, stack=None, file=None):
    return ops.find_file(stack=stack, file=file, folder=folder)


@pytest.mark.parametrize(
    ("stacks", "stack", "file", "found"),
    [
        (["dev"], None, None, "stacks/Pulumi.dev.yaml"),
        (["dev"], "dev", None, "stacks/Pulumi.dev.yaml"),
        (["dev", "prod"], "prod", None, "stacks/Pulumi.prod.yaml"),
        ([], None, "any.yaml", "any.yaml"),
        (["dev"], None, "any.yaml", "any.yaml"),
    ],
    ids=["only", "named", "of-several", "file", "file-in-project"],
)
def test_a_file_is_found(tmp_path, stacks, stack, file, found):
    folder = _project(tmp_path, *stacks)

    assert _find(folder, stack=stack, file=Path(file) if file else None) == Path(found)


def test_from_a_folder_inside_the_project_the_whole_path_is_given(tmp_path):
    folder = _project(tmp_path, "dev") / "deep" / "er"
    folder.mkdir(parents=True)

    assert _find(folder) == tmp_path / "stacks" / "Pulumi.dev.yaml"


@pytest.mark.parametrize(
    ("stacks", "stack", "file", "kind", "text"),
    [
        (
            ["dev"],
            "dev",
            "any.yaml",
            UsageError,
            "--stack and --file exclude each other\nhint: --file names the workspace by its file",
        ),
        (
            [],
            None,
            None,
            UsageError,
            "no workspace file here\nhint: coiled-pulumi init writes one; or name it with --file",
        ),
        (
            ["dev", "prod"],
            None,
            None,
            UsageError,
            "which workspace? found: dev, prod\nhint: name it with --stack",
        ),
        (
            ["dev", "prod"],
            "lab",
            None,
            NoSuchStackError,
            "no workspace 'lab' here (found: dev, prod)\nhint: coiled-pulumi init --name lab",
        ),
        (
            [],
            "lab",
            None,
            NoSuchStackError,
            "no workspace 'lab' here (found: none)\nhint: coiled-pulumi init --name lab",
        ),
    ],
    ids=["both", "none", "several", "unknown", "unknown-of-none"],
)
def test_a_file_that_is_not_clear_is_asked_for(tmp_path, stacks, stack, file, kind, text):
    folder = _project(tmp_path, *stacks)

    with pytest.raises(kind) as caught:
        _find(folder, stack=stack, file=Path(file) if file else None)

    assert type(caught.value) is kind
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (PROJECT, ["dev"]),
        ("name: coiled\nruntime: python\n", []),
        ("name: coiled\nstackConfigDir: stacks/\n", ["dev"]),
        ("name: coiled\nstackConfigDir:\n", []),
        ("name: another\nstackConfigDir: stacks\n", []),
        ("- name: coiled\n", []),
        ("name: {{ name }}\n  broken: [\n", []),
        ("", []),
    ],
    ids=["ours", "beside", "slash", "null", "another", "list", "template", "empty"],
)
def test_workspace_files_are_those_of_our_project(tmp_path, settings, found):
    folder = _project(tmp_path, "dev", settings=settings)

    assert list(ops.workspace_files(folder)) == found


def test_the_nearest_project_of_ours_counts(tmp_path):
    outer = _project(tmp_path, "dev")
    inner = _project(tmp_path / "inner", "prod")
    other = _project(tmp_path / "other", settings="name: other\n")

    assert ops.project_around(inner / "stacks") == inner
    assert ops.project_around(other / "stacks") == outer
    assert ops.project_around(Path("/")) is None


def _config(made: ops.Target) -> dict:
    return yaml.safe_load(made.config_file.read_text())


def test_a_bare_workspace_gets_a_project_of_ours(tmp_path):
    file = tmp_path / "lab.yaml"
    file.write_text(BARE)
    made = ops.target(file, state=tmp_path / "state")

    assert (made.stack, made.project) == ("lab", made.config_file.parent)
    assert made.project.is_relative_to(tmp_path / "state" / "projects")
    assert _config(made) == {
        "config": {"coiled:workspace": {"name": "lab", "network": {"cidr": "10.50.0.0/16"}}}
    }
    assert yaml.safe_load((made.project / "Pulumi.yaml").read_text()) == {
        "name": "coiled",
        "runtime": "python",
        "main": "program/",
    }
    assert "main()" in (made.project / "program" / "__main__.py").read_text()
    assert file.read_text() == BARE
    assert made.created_here is False


def test_a_workspace_of_a_project_is_run_in_it_and_its_other_settings_are_kept(tmp_path):
    folder = _project(tmp_path / "project", "dev")
    file = folder / "stacks" / "Pulumi.dev.yaml"
    made = ops.target(file, state=tmp_path / "state")

    assert made.project == folder
    assert _config(made) == {
        "config": {
            "aws:region": "us-east-1",
            "aws:allowedAccountIds": ["012345678901"],
            "lab:since": "2026-01-01",
            "lab:agreed": "yes",
            "coiled:workspace": {"name": "dev", "tags": {"note": "encryptedkey"}},
        }
    }
    assert file.read_text() == STACK
    assert made.created_here is False


def test_a_stack_file_outside_of_the_project_s_folder_stands_alone(tmp_path):
    folder = _project(tmp_path / "project", "dev")
    file = folder / "Pulumi.dev.yaml"
    file.write_text(STACK)

    assert ops.target(file, state=tmp_path / "state").project != folder


def _pulumi_writes(made: ops.Target, **keys: str) -> None:
    made.config_file.write_text(yaml.safe_dump(_config(made) | keys))


def test_the_salt_that_pulumi_wrote_is_kept_in_our_copy_and_never_in_the_user_s_file(tmp_path):
    file = tmp_path / "lab.yaml"
    file.write_text(BARE)
    _pulumi_writes(ops.target(file, state=tmp_path / "state"), encryptionsalt="v1:salt", else_="dropped")
    file.write_text(BARE + "tags: {team: data}\n")
    made = ops.target(file, state=tmp_path / "state")

    assert made.created_here is True
    assert _config(made) == {
        "encryptionsalt": "v1:salt",
        "config": {
            "coiled:workspace": {
                "name": "lab",
                "network": {"cidr": "10.50.0.0/16"},
                "tags": {"team": "data"},
            }
        },
    }
    assert file.read_text() == BARE + "tags: {team: data}\n"

    ops.forget_secrets(made)
    assert made.created_here is False
    assert list(_config(made)) == ["config"]


def test_keys_in_the_user_s_file_win_over_those_in_our_copy(tmp_path):
    file = tmp_path / "dev.yaml"
    file.write_text(STACK)
    _pulumi_writes(ops.target(file, state=tmp_path / "state"), encryptionsalt="v1:ours")
    own = "secretsprovider: awskms://alias/x\nencryptedkey: abc\n" + STACK
    file.write_text(own)
    made = ops.target(file, state=tmp_path / "state")
    settings = _config(made)

    assert {key: settings[key] for key in settings if key != "config"} == {
        "secretsprovider": "awskms://alias/x",
        "encryptedkey": "abc",
    }
    assert made.created_here is True
    assert file.read_text() == own


def test_each_backend_has_a_copy_of_its_own(tmp_path, monkeypatch):
    file = tmp_path / "lab.yaml"
    file.write_text(BARE)
    copies = set()
    for url in ("", "s3://one", "s3://two", "s3://one"):
        monkeypatch.setenv("PULUMI_BACKEND_URL", url)
        copies.add(ops.target(file, state=tmp_path / "state").config_file)

    assert len(copies) == 3


def test_a_file_that_is_wrong_leaves_nothing_behind(tmp_path):
    file = tmp_path / "lab.yaml"
    file.write_text("name: lab\nregion: mars\n")

    with pytest.raises(SpecErrors):
        ops.target(file, state=tmp_path / "state")

    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("text", "line"), [(BARE, 1), (STACK.replace("name: dev", "name: lab"), 8)])
def test_a_file_with_the_name_of_another_stack_is_refused(tmp_path, text, line):
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(text)
    made = ops.target(file, state=tmp_path / "state")
    ops.require_name(made.loaded, None)
    ops.require_name(made.loaded, "lab")

    with pytest.raises(SpecErrors) as caught:
        ops.require_name(made.loaded, "prod")

    assert str(caught.value) == f"{file}:{line}: name: must be the stack's name 'prod', got 'lab'"


@pytest.fixture
def made(tmp_path):
    (tmp_path / "lab.yaml").write_text(BARE)
    return ops.target(tmp_path / "lab.yaml", state=tmp_path / "state")


@pytest.fixture
def environ(tmp_path):
    fake = fake_pulumi.write(tmp_path / "bin")
    return {"PATH": f"{fake.folder}:/usr/bin:/bin", "HOME": str(tmp_path)}


def _log_in(folder: Path, current: str) -> None:
    folder.mkdir()
    (folder / "credentials.json").write_text(json.dumps({"current": current}))


def test_without_an_engine_nothing_is_begun(made, tmp_path):
    with pytest.raises(EngineError, match="there is no Pulumi on this machine"):
        ops.require_backend(made, {"PATH": str(tmp_path), "HOME": str(tmp_path)})


def test_without_a_place_for_state_nothing_is_begun(made, environ, tmp_path):
    _log_in(tmp_path / ".pulumi", "")

    with pytest.raises(UsageError) as caught:
        ops.require_backend(made, environ)

    assert str(caught.value) == (
        "there is no place for Pulumi's state: PULUMI_BACKEND_URL is not set and nobody is logged in\n"
        "hint: export PULUMI_BACKEND_URL=s3://BUCKET, "
        'or use the local AWS: eval "$(coiled-pulumi local env)"'
    )


@pytest.mark.parametrize("variable", ["PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN"])
def test_a_variable_names_the_place_for_state(made, environ, variable):
    ops.require_backend(made, environ | {variable: "something"})


@pytest.mark.parametrize("variable", ["", "PULUMI_HOME", "PULUMI_CREDENTIALS_PATH"])
def test_a_login_names_the_place_for_state(made, environ, tmp_path, variable):
    folder = tmp_path / ("elsewhere" if variable else ".pulumi")
    _log_in(folder, "s3://bucket")

    ops.require_backend(made, environ | ({variable: str(folder)} if variable else {}))


def test_a_project_may_name_the_place_for_state(environ, tmp_path):
    folder = _project(tmp_path / "p", "dev", settings=PROJECT + "backend: {url: 's3://bucket'}\n")
    made = ops.target(folder / "stacks" / "Pulumi.dev.yaml", state=tmp_path / "state")

    ops.require_backend(made, environ)


@pytest.mark.parametrize(
    ("environ", "home"),
    [
        ({"XDG_STATE_HOME": "/x"}, "/x/coiled-pulumi"),
        ({"HOME": "/h"}, "/h/.local/state/coiled-pulumi"),
        ({"XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/coiled-pulumi"),
    ],
)
def test_state_home(environ, home):
    assert ops.state_home(environ) == Path(home)


def test_what_is_kept_is_the_owners_alone(tmp_path):
    file = tmp_path / "lab.yaml"
    file.write_text("name: lab\n")
    for _ in range(2):
        made = ops.target(file, state=tmp_path / "state")
        assert stat.S_IMODE((tmp_path / "state" / "projects").stat().st_mode) == 0o700
        assert stat.S_IMODE(made.config_file.stat().st_mode) == 0o600
        made.config_file.chmod(0o644)  # as older versions left it
