"""What the pages show is true: commands run, files are read, documents have the keys that the code gives."""

import dataclasses
import json
import re
import shlex

import fences
import generate_docs
import pytest
from _support.dask_files import configured

from coiled_pulumi import outputs
from coiled_pulumi.cli import operate
from coiled_pulumi.cli.app import run
from coiled_pulumi.local.calls import Call
from coiled_pulumi.ops.engine_run import Result
from coiled_pulumi.ops.events import Progress, Row
from coiled_pulumi.spec import load

CHEAP = sorted({command.text for command in fences.commands() if command.cheap})


def test_commands_that_need_no_engine_run(checkout, capsys):
    for text in sorted(CHEAP, key=lambda text: " init " not in text):
        code = run(shlex.split(text)[1:])
        assert code == 0, f"{text}\n{capsys.readouterr().err}"


def test_every_other_command_is_run_in_one_session_or_stands_with_its_reason():
    texts = {command.text for command in fences.commands()}
    assert set(fences.EXCEPTIONS) <= texts, "these exceptions are not needed any more"
    assert texts == set(fences.EXCEPTIONS) | set(CHEAP) | set(fences.session())
    assert (fences.session()[0], fences.session()[-1]) == ("./run demo", "./run down")


@pytest.mark.parametrize("fence", fences.fences("python"), ids=lambda fence: fence.page.name)
def test_python_runs(checkout, fence):
    exec(compile(fence.text, fence.page.name, "exec"), {})  # noqa: S102 our own pages


def test_the_readmes_program_is_the_first_example():
    (shown,) = [fence.text for fence in fences.fences("python") if fence.page == fences.README]
    assert (fences.ROOT / "examples" / "first_computation.py").read_text("utf-8").endswith(f"\n{shown}")


def test_commands_in_texts_exist():
    pages = "".join(page.read_text("utf-8") for page in fences.PAGES if page.name != "CHANGELOG.md")
    # Up to the first option or value: `cluster start big --zone x` is the verb `cluster start`.
    named = set(re.findall(r"(?:^|`|\$ )coiled-pulumi ([a-z][a-z -]*)", pages, re.MULTILINE))
    verbs = generate_docs.verbs()
    groups = {name.split()[0] for name in verbs}
    words = [text.split(" -")[0].split() for text in named]
    unknown = [
        w
        for w in words
        if " ".join(w[:2]) not in verbs and w[0] not in verbs and w != [w[0]] * (w[0] in groups)
    ]
    assert unknown == []


def test_what_explain_shows_is_what_the_page_shows(checkout, capsys, monkeypatch):
    page = next(page for page in fences.PAGES if page.name == "backend-options.md").read_text("utf-8")
    first = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
    (checkout / "lab.yaml").write_text(first)
    said = {"DASK_COILED_PULUMI__BACKEND_OPTIONS__ZONE": "us-west-2a"}
    with configured(variables=said):
        monkeypatch.setenv(*said.popitem())
        assert run(["explain", "zone", "--file", "lab.yaml"]) == 0
    assert re.findall(r"```text\n(.*?)```", page, re.DOTALL)[-1] == capsys.readouterr().out


@pytest.mark.parametrize("fence", fences.fences("yaml"), ids=lambda fence: fence.page.name)
def test_workspace_files_are_valid(fence):
    load.parse(fence.text, source=fence.page.name)


def test_the_table_of_names_is_made_from_the_file_that_its_page_shows():
    shown = [fence.text for fence in fences.fences("yaml") if fence.page.name == "naming-and-tags.md"]
    assert shown == [generate_docs.SMALL]


def documents(page: str) -> list[dict]:
    return [json.loads(fence.text) for fence in fences.fences("json") if fence.page.name == page]


def test_the_document_of_an_operation_has_the_keys_that_the_page_shows():
    row = Row("urn", "aws:ec2/vpc:Vpc", "dev-vpc", "", "create", "done", 0.0)
    made = operate.as_data("up", "dev", Result(Progress({("urn", "create"): row}), 1.0))
    shown = documents("cli.md")[0]
    assert shown.keys() == made.keys()
    assert shown["resources"][0].keys() == made["resources"][0].keys()
    assert shown["version"] == made["version"]


def test_the_record_of_outputs_is_read_as_the_page_shows_it():
    shown = documents("cli.md")[1]
    assert dataclasses.asdict(outputs.read({outputs.KEY: shown})) == shown


def test_an_error_is_the_document_that_the_page_shows(checkout, capsys):
    shown = documents("cli.md")[2]
    assert run(["plan", "--stack", "nosuch", "--json"]) == shown["error"]["exit_code"]
    assert json.loads(capsys.readouterr().out) == shown


def test_a_mistake_is_told_in_the_line_that_the_page_shows(checkout, capsys):
    page = next(page for page in fences.PAGES if page.name == "workspace-file.md").read_text("utf-8")
    file = checkout / "stacks" / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("n_workers", "n_worker"))
    assert run(["validate", "--stack", "dev"]) == 2
    assert re.search(r"```text\n(.*?)```", page, re.DOTALL)[1] == capsys.readouterr().err


def test_a_line_of_the_call_log_has_the_fields_that_the_page_shows():
    (shown,) = documents("local-aws.md")
    assert dataclasses.asdict(Call(**shown)) == shown
