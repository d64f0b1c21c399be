"""Pages lead to what is there, and say nothing about the machine that they were written on."""

import re
import unicodedata

import fences
import pytest

each = pytest.mark.parametrize("page", fences.PAGES, ids=lambda page: page.name)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`(?!\])", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"(?<![\w.~$])/(tmp|root|home|work|Users|var|mnt)\b")


@each
def test_relative_links_resolve(page):
    text = _CODE.sub("", page.read_text("utf-8"))
    links = [link for link in _LINK.findall(text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link.split("#")[0]).exists()]
    assert missing == []


@each
def test_no_paths_of_one_machine(page):
    assert _ELSEWHERE.findall(page.read_text("utf-8")) == []


@each
def test_plain_characters(page):
    strange = {char for char in page.read_text("utf-8") if unicodedata.category(char) in ("So", "Cf", "Co")}
    assert strange == set()


def test_every_page_is_reachable_from_the_readme():
    linked = set(_LINK.findall(fences.README.read_text("utf-8")))
    pages = {str(page.relative_to(fences.ROOT)) for page in fences.PAGES if page.parent.name == "docs"}
    assert {page for page in pages if not page.startswith("docs/benchmarks")} - linked == set()
