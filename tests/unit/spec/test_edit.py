"""What an edit of a file makes of it, form by form, and what it refuses."""

import os
import stat
from pathlib import Path

import pytest
import yaml

from coiled_pulumi.errors import SpecErrors, UsageError
from coiled_pulumi.spec import edit, yaml12, yaml_text
from coiled_pulumi.spec.edit import REMOVED

ROOT = Path(__file__).parents[3]
DEV = (ROOT / "stacks" / "Pulumi.dev.yaml").read_text()
WORKSPACE = ("config", "coiled:workspace")

#: Name, text before, path, new value, text after.
EDITS = [
    ("scalar", "a: 1  # why\nb: 2\n", ("a",), 5, "a: 5  # why\nb: 2\n"),
    ("scalar-keeps-single-quotes", "a: 'x' # c\n", ("a",), "it's", "a: 'it''s' # c\n"),
    ("scalar-keeps-double-quotes", 'a: "x"\n', ("a",), "y", 'a: "y"\n'),
    ("quotes-go-with-text", "a: '5'\n", ("a",), 5, "a: 5\n"),
    ("text-that-looks-like-a-number", "a: 5\n", ("a",), "5", "a: '5'\n"),
    ("text-of-two-lines", "a: x\n", ("a",), "x\ny", 'a: "x\\ny"\n'),
    ("scalar-below-its-key", "a: # c\n  # d\n  1 # e\n", ("a",), 2, "a: # c\n  # d\n  2 # e\n"),
    ("scalar-of-two-lines", "a: some\n  words # c\nb: 1\n", ("a",), "x", "a: x # c\nb: 1\n"),
    ("block-scalar", "a: |  # c\n  x\n  y\n\n# d\nb: 1\n", ("a",), "z", "a: z  # c\n\n# d\nb: 1\n"),
    ("nothing", "a: # c\nb: 1\n", ("a",), 1, "a: 1 # c\nb: 1\n"),
    ("null", "a: ~ # c\n", ("a",), False, "a: false # c\n"),
    ("item-of-a-list", "a:\n- x # c\n# d\n- y\n", ("a", 1), "z", "a:\n- x # c\n# d\n- z\n"),
    ("item-in-brackets", "a: [ 1,2 , 3 ] # c\n", ("a", 1), 9, "a: [ 1,9 , 3 ] # c\n"),
    ("list-in-brackets-grows", "a: [1, 2] # c\n", ("a",), [1, 2, 3], "a: [1, 2, 3] # c\n"),
    (
        "list-in-brackets-over-lines",
        "a: [\n  1, # c\n  2\n]\n",
        ("a", 2),
        3,
        "a: [\n  1, # c\n  2,\n  3\n]\n",
    ),
    ("trailing-comma", "a: [\n  1, # c\n]\n", ("a", 1), 2, "a: [\n  1, # c\n  2,\n]\n"),
    ("scalar-to-mapping", "a: 1 # c\nb: 2\n", ("a",), {"x": 1}, "a: # c\n  x: 1\nb: 2\n"),
    ("scalar-below-to-mapping", "a: # c\n  1\nb: 2\n", ("a",), {"x": 1}, "a: # c\n  x: 1\nb: 2\n"),
    ("item-to-mapping", "a:\n  - 1 # c\n", ("a", 0), {"p": 1, "q": []}, "a:\n  - p: 1 # c\n    q: []\n"),
    ("mapping-to-scalar", "a: # c\n  x: 1 # d\n  # e\n# f\nb: 2\n", ("a",), 1, "a: 1 # c\n# f\nb: 2\n"),
    ("compact-item-to-scalar", "- a: 1\n  b: 2\n# c\n- 3\n", (0,), 1, "- 1\n# c\n- 3\n"),
    ("mapping-to-list", "a:\n  # c\n  x: 1\nb: 2\n", ("a",), [{"p": 1}], "a:\n  # c\n  - p: 1\nb: 2\n"),
    ("flush-list-to-mapping", "a:\n- 1\nb: 2\n", ("a",), {"x": 1}, "a:\n  x: 1\nb: 2\n"),
    (
        "of-a-mapping-only-what-differs",
        "a:\n  x: 1 # c\n  # d\n  y: 2 # e\n  z: 3\n",
        ("a",),
        {"y": 5, "x": 1, "new": True},
        "a:\n  x: 1 # c\n  # d\n  y: 5 # e\n  new: true\n",
    ),
    (
        "of-a-list-only-what-goes",
        "- p: 1 # c\n# d\n- p: 2 # e\n- p: 3 # f\n",
        (),
        [{"p": 1}, {"p": 3}],
        "- p: 1 # c\n# d\n- p: 3 # f\n",
    ),
    (
        "new-key-stands-before-comments-of-what-follows",
        "a:\n  b:\n    x: 1 # c\n    # y: 2\n  # about d\n  d: 1\n",
        ("a", "b", "z"),
        "me",
        "a:\n  b:\n    x: 1 # c\n    # y: 2\n    z: me\n  # about d\n  d: 1\n",
    ),
    ("new-key-at-the-end", "a: 1\n\n# end\n", ("b",), 2, "a: 1\nb: 2\n\n# end\n"),
    ("new-key-without-last-line-end", "a: 1 # c", ("b",), 2, "a: 1 # c\nb: 2"),
    ("new-key-with-missing-mappings", "a: 1\n", ("b", "c", "d"), [1, 2], "a: 1\nb:\n  c:\n    d: [1, 2]\n"),
    (
        "new-key-indents-as-the-file",
        "a:\n    b: 1\n",
        ("c",),
        {"d": {"e": 1}},
        "a:\n    b: 1\nc:\n    d:\n        e: 1\n",
    ),
    ("new-key-in-an-item", "-   a: 1\n    # c\n- 2\n", (0, "b"), 3, "-   a: 1\n    # c\n    b: 3\n- 2\n"),
    ("new-key-in-braces", "a: {x: 1} # c\n", ("a", "p"), {"q": "on"}, "a: {x: 1, p: {q: 'on'}} # c\n"),
    ("new-key-in-nothing", "a: # c\nb: 1\n", ("a", "x"), 1, "a: # c\n  x: 1\nb: 1\n"),
    ("new-key-in-empty-braces", "a: {} # c\nb: 1\n", ("a", "x"), 1, "a: # c\n  x: 1\nb: 1\n"),
    ("new-key-in-empty-braces-in-braces", "a: {b: {}}\n", ("a", "b", "x"), 1, "a: {b: {x: 1}}\n"),
    ("new-key-in-a-file-of-comments", "# c\n", ("a", "b"), 1, "# c\na:\n  b: 1\n"),
    ("new-key-in-an-empty-file", "", ("a",), 1, "a: 1\n"),
    ("new-key-in-an-empty-document", "--- # c\n...\n", ("a",), 1, "--- # c\na: 1\n...\n"),
    ("new-key-behind-kept-blank-lines", "a: |+\n  x\n\n# c\n", ("b",), 1, "a: |+\n  x\n\nb: 1\n# c\n"),
    ("new-key-that-needs-quotes", "a: 1\n", ("yes",), "no", "a: 1\n'yes': 'no'\n"),
    ("new-item", "a:\n- 1 # c\n# about b\nb: 2\n", ("a", 1), "x", "a:\n- 1 # c\n- x\n# about b\nb: 2\n"),
    ("long-list", "a: 1\n", ("a",), ["x" * 50, "y" * 50], f"a:\n  - {'x' * 50}\n  - {'y' * 50}\n"),
    ("remove", "# c\na: 1 # goes\n\n# d\nb: 2\n", ("a",), REMOVED, "# c\n\n# d\nb: 2\n"),
    ("remove-a-mapping", "a: 1\nb: # c\n  x: 1\n\n  # d\n# e\nc: 2\n", ("b",), REMOVED, "a: 1\n# e\nc: 2\n"),
    ("remove-the-last-without-line-end", "a: 1 # c\nb: 2", ("b",), REMOVED, "a: 1 # c"),
    ("remove-the-only-key", "a: # c\n  b: 1 # d\ne: 2\n", ("a", "b"), REMOVED, "a: {} # c\ne: 2\n"),
    ("remove-the-first-of-an-item", "- a: 1 # c\n  b: 2 # d\n", (0, "a"), REMOVED, "- b: 2 # d\n"),
    ("remove-it-before-a-comment", "- a: 1\n  # d\n  b: 2\n", (0, "a"), REMOVED, "-\n  # d\n  b: 2\n"),
    (
        "remove-an-item",
        "a:\n  - 1\n  # c\n  - 2 # d\n  - 3\n",
        ("a", 1),
        REMOVED,
        "a:\n  - 1\n  # c\n  - 3\n",
    ),
    ("remove-the-only-item", "a: [1] # c\n", ("a", 0), REMOVED, "a: [] # c\n"),
    ("remove-in-brackets", "a: [1, 2, 3]\n", ("a", 0), REMOVED, "a: [2, 3]\n"),
    ("remove-the-last-in-brackets", "a: [1, 2, 3]\n", ("a", 2), REMOVED, "a: [1, 2]\n"),
    ("remove-a-line-in-braces", "{\n  a: 1, # c\n  b: 2 # d\n}\n", ("b",), REMOVED, "{\n  a: 1 # c\n}\n"),
    ("remove-what-is-not-there", "a: 1 # c\n", ("b", "c"), REMOVED, "a: 1 # c\n"),
    ("same-value", "a: 0.50\n", ("a",), 0.5, "a: 0.50\n"),
    ("line-ends-of-windows", "a:\r\n  b: 1 # c\r\n", ("a", "d"), [{"e": 1, "f": 2}], None),
    ("byte-order-mark", "\ufeffa: 1\n", ("a",), 2, "\ufeffa: 2\n"),
    (
        "json-stays-json",
        '{\n  "a": {"b": 1}\n}\n',
        ("a", "c"),
        {"d": "x"},
        '{\n  "a": {"b": 1, "c": {"d": "x"}}\n}\n',
    ),
    ("beside-an-anchor", "a: &x {n: 1}\nb: *x\nc: 1\n", ("c",), 2, "a: &x {n: 1}\nb: *x\nc: 2\n"),
    ("instead-of-an-alias", "a: &x {n: 1}\nb: *x # c\n", ("b",), {"p": 2}, "a: &x {n: 1}\nb: # c\n  p: 2\n"),
    ("an-anchor-that-nobody-uses", "a: &x # c\n  b: 1\n", ("a",), 2, "a: 2 # c\n"),
]

#: What some reader would misread without quotes, and what needs none.
# fmt: off
TEXTS = [
    "yes", "no", "on", "off", "y", "n", "true", "~", "null", "010", "08", "0x1F", "0o17", "1_000", "12:30",
    "1e3", ".5", ".inf", "2026-01-01", "=", "<<", "-", "---", "...", "a:", "#a", "a,b", "[a", "{a", "*a",
    "&a", "!a", "|a", ">a", "%a", "@a", "`a", "?", "?a", ":a", "-a", "a#b", "10.0.0.0/16", "8000-8100",
    "012345678901", "Zoë_K@example.org", "'", " a", "a ", "", " ", "a b", "a: b", "a #b", "it's", "\"",
    "\\", "\u0000", "\u007f", "\u2028", "\ufeff", "😀", "a\tb", "\r\n", "\u0085",
]
# fmt: on


@pytest.mark.parametrize(
    ("before", "path", "new", "after"), [case[1:] for case in EDITS], ids=[case[0] for case in EDITS]
)
def test_edit(before, path, new, after):
    after = after or "a:\r\n  b: 1 # c\r\n  d:\r\n    - e: 1\r\n      f: 2\r\n"

    assert edit.set_values(before, {path: new}, source="f") == after


def test_of_our_own_files_only_the_line_changes():
    after = edit.set_values(
        DEV,
        {(*WORKSPACE, "clusters", "main", "n_workers"): 8, (*WORKSPACE, "logs", "retention_days"): 7},
        source="f",
    )

    expected = DEV.replace("n_workers: 5", "n_workers: 8") + "    logs:\n      retention_days: 7\n"
    assert after == expected


@pytest.mark.parametrize(
    "file",
    sorted([*ROOT.glob("stacks/*.yaml"), *ROOT.glob("tests/cases/*.happy.yaml")]),
    ids=lambda file: file.name,
)
def test_any_value_of_a_good_file_can_change(file):
    text = edit.read(file)
    changed = 0
    for path in list(yaml12.read(text).lines)[1:]:
        try:
            after = edit.set_values(text, {path: "new"}, source="f")
        except UsageError as error:
            assert "alias" in str(error) or "anchor" in str(error)  # noqa: PT017 both are fine
            continue
        changed += 1
        if file.parent.name == "stacks" and not isinstance(
            old := _at(yaml12.read(text).value, path), dict | list
        ):
            assert edit.set_values(after, {path: old}, source="f") == text
        assert edit.diff(text, after, "f").count("\n+") == 2
    assert changed


def _at(value, path):
    for part in path:
        value = value[part]
    return value


@pytest.mark.parametrize(
    ("text", "path", "new", "message"),
    [
        (
            "a: &x\n  n: 1\nb: *x\n",
            ("b", "n"),
            2,
            "f:3: b.n: cannot be edited in place: it comes from the anchor &x\nhint: write it by hand: n: 2",
        ),
        (
            "a: &x\n  n: 1\nb: *x\n",
            ("a", "n"),
            2,
            "f:2: a.n: cannot be edited in place: other places take it over by an alias\n"
            "hint: write it by hand: n: 2",
        ),
        (
            "a:\n  p: &x 1\nb: *x\n",
            ("a",),
            REMOVED,
            "f:1: a: cannot be edited in place: other places take it over by an alias\nhint: take it out by hand",
        ),
        (
            "a: 1\n",
            ("a", "b"),
            {"c": "x" * 99},
            "f:1: a.b: cannot be edited in place: there is no place for a key b\n"
            "hint: write it by hand: b: {c: " + "x" * 50 + "...",
        ),
        (
            "a: [1]\n",
            ("a", 2),
            "é",
            "f:1: a[2]: cannot be edited in place: there is no place for an item [2]\n"
            "hint: write it by hand: \\xe9",
        ),
        (
            "? a\n: 1\n",
            ("b",),
            2,
            "f:1: b: cannot be edited in place: the way it is written leaves no room for it\n"
            "hint: write it by hand: b: 2",
        ),
        (
            "a: |\n  x",
            ("b",),
            2,
            "f:1: b: cannot be edited in place: the way it is written leaves no room for it\n"
            "hint: write it by hand: b: 2",
        ),
        (
            "a: 1\n",
            (),
            2,
            "f:1: cannot be edited in place: it is the whole document\nhint: write it by hand: 2",
        ),
    ],
    ids=["alias", "anchor", "anchor-inside", "scalar", "gap", "explicit-key", "unended-text", "document"],
)
def test_refused(text, path, new, message):
    with pytest.raises(UsageError) as caught:
        edit.set_values(text, {path: new}, source="f")

    assert str(caught.value) == message


def test_nothing_is_changed_if_one_change_is_refused():
    with pytest.raises(UsageError, match=r"b\.c: cannot be edited"):
        edit.set_values("a: 1\nb: 2\n", {("a",): 5, ("b", "c"): 1}, source="f")


@pytest.mark.parametrize("text", ["a: [\n", "a: 1\na: 2\n", "1: x\n", "a: 1\n---\nb: 2\n", "a: \u202e\n"])
def test_what_cannot_be_read_is_not_edited(text):
    with pytest.raises(SpecErrors):
        edit.remove(text, [("a",)], source="f")


def test_remove():
    assert edit.remove("a: 1\nb: 2\nc: [1]\n", [("a",), ("c", 0), ("d",)], source="f") == "b: 2\nc: []\n"


@pytest.mark.parametrize(
    ("written", "around"),
    [
        ("{0}", lambda text: text),
        ("[{0}, {0}]", lambda text: [text, text]),
        ("{{a: {0}, b: {0}}}", lambda text: {"a": text, "b": text}),
        ('{{"k": {0}}}', lambda text: {"k": text}),
        ("{{{0}: 1}}", lambda text: {text: 1}),
    ],
    ids=["alone", "list", "mapping", "json", "key"],
)
def test_every_reader_takes_text_for_text(written, around):
    lines = {text: "x: " + written.format(yaml_text.scalar(text, flow=written != "{0}")) for text in TEXTS}

    expected = {text: {"x": around(text)} for text in TEXTS}
    assert {text: yaml12.read(line).value for text, line in lines.items()} == expected
    assert {text: yaml.safe_load(line) for text, line in lines.items()} == expected


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("10.0.0.0/16", "10.0.0.0/16"),
        ("us-east-1a", "us-east-1a"),
        ("a, b", "a, b"),
        ("coiled:x", "coiled:x"),
        ("-x", "-x"),
    ],
)
def test_text_is_not_quoted_without_need(text, written):
    assert yaml_text.scalar(text) == written


@pytest.mark.parametrize("value", [1e30, 5e-324, 1.5, -0.0, float("inf"), float("-inf"), 10**40, True, None])
def test_every_reader_takes_numbers_for_numbers(value):
    written = yaml_text.scalar(value)

    assert repr(yaml12.resolve(written)) == repr(yaml.safe_load(written)) == repr(value)


def test_diff():
    shown = edit.diff("\ufeffa: 1\r\nb: 2", "\ufeffa: 1\r\nb: 3", "dev.yaml")

    assert shown.splitlines() == [
        "--- dev.yaml",
        "+++ dev.yaml",
        "@@ -1,2 +1,2 @@",
        " a: 1",
        "-b: 2",
        "\\ No newline at end of file",
        "+b: 3",
        "\\ No newline at end of file",
    ]
    assert edit.diff("a", "a", "f") == ""


def test_write_keeps_mode_and_links(tmp_path):
    real, link = tmp_path / "real.yaml", tmp_path / "folder" / "link.yaml"
    real.write_bytes("\ufeffa: 1\r\n".encode())
    real.chmod(0o640)
    link.parent.mkdir()
    link.symlink_to(real)
    before = edit.read(link)

    edit.write(link, edit.set_values(before, {("a",): 2}, source="f"), before=before)

    assert real.read_bytes() == "\ufeffa: 2\r\n".encode()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["folder", "real.yaml"]


def test_write_refuses_a_file_that_others_changed(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("a: 1\n")
    before = edit.read(file)
    file.write_text("a: 2\n")

    with pytest.raises(UsageError, match="was changed by someone else since it was read"):
        edit.write(file, "a: 3\n", before=before)

    assert file.read_text() == "a: 2\n"
    assert os.listdir(tmp_path) == ["f.yaml"]


def test_write_refuses_a_file_that_is_gone(tmp_path):
    with pytest.raises(UsageError, match="no such file or directory"):
        edit.write(tmp_path / "f.yaml", "a: 3\n", before="")

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff", "must be UTF-8, byte 0 is not"), (b"#" * 1_000_001, "must be at most 1,000,000 bytes")],
    ids=["bytes", "large"],
)
def test_read_refuses(tmp_path, content, message):
    file = tmp_path / "f.yaml"
    file.write_bytes(content)

    with pytest.raises(SpecErrors, match=message):
        edit.read(file)
    with pytest.raises(UsageError, match="not a regular file"):
        edit.read(tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        edit.read(tmp_path / "none")
