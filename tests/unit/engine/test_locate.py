from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from coiled_pulumi.engine import locate, versions


def test_nothing_is_found_on_an_empty_machine(world) -> None:
    assert locate.find(world.environ) is None


def test_fitting_pulumi_on_path_wins_over_the_cache(world) -> None:
    world.engine(locate.build_folder(world.environ))
    mine = world.on_path("pulumi", "echo v3.260.1")
    host = world.on_path("pulumi-language-python", "exit 0")
    assert locate.find(world.environ) == locate.Engine(
        pulumi=mine,
        plugin=None,
        language_host=host,
        source="path",
        version="3.260.1",
        bin_dirs=(world.root / "path",),
    )


@pytest.mark.parametrize("body", ["echo v3.200.0", "echo v4.0.0", "echo nonsense", "exit 3"])
def test_unfit_pulumi_on_path_is_passed_over(world, body: str) -> None:
    world.on_path("pulumi", body)
    assert locate.find(world.environ) is None
    world.engine(locate.build_folder(world.environ))
    found = locate.find(world.environ)
    assert found is not None
    assert found.source == "build"


def test_plugin_of_a_path_engine_is_the_one_in_the_users_home(world) -> None:
    world.on_path("pulumi", "echo v3.259.0")
    plugin = world.program(locate.plugin_in(world.root / "home" / ".pulumi"), "exit 0")
    found = locate.find(world.environ)
    assert found is not None
    assert found.plugin == plugin


def test_release_wins_over_build(world) -> None:
    world.engine(locate.build_folder(world.environ))
    world.engine(locate.release_folder(world.environ))
    found = locate.find(world.environ)
    assert found is not None
    assert found.source == "download"


@pytest.mark.parametrize("missing", ["bin/pulumi", "bin/pulumi-language-python", "plugin"])
def test_half_a_build_is_no_engine(world, missing: str) -> None:
    folder = locate.build_folder(world.environ)
    world.engine(folder)
    (locate.plugin_in(folder / "home") if missing == "plugin" else folder / missing).unlink()
    assert locate.find(world.environ) is None


def test_child_of_a_built_engine_finds_the_same_engine(world) -> None:
    world.engine(locate.build_folder(world.environ))
    first = locate.find(world.environ)
    assert first is not None
    inside = world.environ | locate.environment(first, world.environ)
    assert locate.find(inside) == first
    # Nested once more, nothing piles up.
    assert inside | locate.environment(first, inside) == inside


def test_environment_of_a_build(world) -> None:
    folder = locate.build_folder(world.environ)
    world.engine(folder)
    found = locate.find(world.environ)
    assert found is not None
    assert locate.environment(found, world.environ, disable_metadata=True) == {
        "PATH": os.pathsep.join([str(folder / "bin"), world.environ["PATH"]]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "COILED_PULUMI_PYTHON": sys.executable,
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CREDENTIALS_PATH": str(world.root / "home" / ".pulumi"),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_environment_of_a_path_engine_leaves_pulumi_to_the_user(world) -> None:
    world.on_path("pulumi", "echo v3.259.0")
    found = locate.find(world.environ)
    assert found is not None
    assert set(locate.environment(found, world.environ)) == {
        "PATH",
        "PULUMI_SKIP_UPDATE_CHECK",
        "COILED_PULUMI_PYTHON",
    }


def test_any_change_of_the_recipe_changes_its_hash(world) -> None:
    for part in ("cli", "provider"):
        (world.root / part).mkdir()
        (world.root / part / "go.mod").write_text("module x\n")
    before = locate.recipe_hash(world.root)
    (world.root / "provider" / "types.go").write_text("package main\n")
    assert locate.recipe_hash(world.root) != before


def test_engine_is_frozen(world) -> None:
    world.engine(locate.build_folder(world.environ))
    found = locate.find(world.environ)
    assert found is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.version = "0"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("v3.259.0", (3, 259, 0)), ("go1.26.8", (1, 26, 8)), ("3.260.0-dev+1", (3, 260, 0)), ("x", None)],
)
def test_parse(text: str, expected: tuple[int, ...] | None) -> None:
    assert versions.parse(text) == expected


def test_versions_agree_with_the_recipe_and_the_package() -> None:
    recipe = locate.recipe_folder()
    for part in ("cli", "provider"):
        assert f"\ngo {versions.dotted(versions.MIN_GO)}\n" in (recipe / part / "go.mod").read_text()
    assert (
        f"github.com/pulumi/pulumi/pkg/v3 v{versions.CLI_VERSION}" in (recipe / "cli" / "go.mod").read_text()
    )
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    for pin in (
        f"pulumi=={versions.SDK_VERSION}",
        f"pulumi-aws=={versions.PLUGIN_VERSION}",
        f"pulumi-policy=={versions.POLICY_SDK_VERSION}",
    ):
        assert f'"{pin}"' in project


def test_recipe_names_the_published_fork_with_its_checksums() -> None:
    recipe = locate.recipe_folder() / "provider"
    fork = "github.com/upbound/terraform-provider-aws v0.0.0-20260305123303-f7691456b787"
    assert f"replace {versions.PROVIDER_MODULE} => {fork}\n" in (recipe / "go.mod").read_text()
    sums = (recipe / "go.sum").read_text()
    assert f"{fork} h1:dJlp2eNgY/iVKTPINdguYlHbHc9CtXBZKmQmqYq0REs=\n" in sums
    assert f"{fork}/go.mod h1:WOPLTXSK2ZhAuuLIh2EVZ9zWib65hkmw1XLc227hsuQ=\n" in sums
