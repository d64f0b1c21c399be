"""What is generated is fresh, and says what `--help` says."""

import re

import generate_docs
import pytest

from coiled_pulumi.cli.app import run

VERBS = generate_docs.verbs()


def test_nothing_generated_is_stale():
    stale = [
        str(path.relative_to(generate_docs.ROOT))
        for path, text in generate_docs.rendered().items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]
    assert stale == [], "write them anew with: python tools/generate_docs.py"


def test_every_generated_section_stands_on_a_page():
    text = "".join(page.read_text("utf-8") for page in generate_docs.pages())
    assert set(re.findall(r"<!-- generated: ([\w ]+) -->", text)) == set(generate_docs.SECTIONS)


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_has_the_options_that_help_shows(verb, capsys):
    assert run([*verb.split(), "--help"]) == 0
    shown = capsys.readouterr().out.split("Options:", 1)[1].split("Examples:", 1)[0]
    # An option's line begins with it; a text about it may name others.
    starts = re.findall(r"^  (-\S.*?)(?:  |$)", shown, re.MULTILINE)
    flags = {flag for start in starts for flag in re.findall(r"--?[\w-]+", start)} - {"--help"}
    page = (generate_docs.DOCS / "cli.md").read_text("utf-8")
    section = page.split(f"\n### {verb}\n", 1)[1].split("\n### ", 1)[0].split("<!-- end -->", 1)[0]
    cells = re.findall(r"^\| (`-.*?) \|", section, re.MULTILINE)
    assert {flag for cell in cells for flag in re.findall(r"`(--?[\w-]+)`", cell)} == flags
