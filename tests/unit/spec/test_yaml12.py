"""What a plain scalar means: YAML 1.2's core schema, where PyYAML's own 1.1 says something else."""

import math

import pytest

from coiled_pulumi.spec import yaml12


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL"),
        ("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE"),
        ("0", 0), ("-0", 0), ("+7", 7), ("-12", -12), ("99999999999999999999", 99999999999999999999),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-1.5E-2", -0.015),
        (".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf),
        # Not numbers, booleans or dates here, whatever YAML 1.1 makes of them.
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("N", "N"),
        ("010", "010"), ("0o17", "0o17"), ("0x1F", "0x1F"), ("0b11", "0b11"), ("1_000", "1_000"),
        ("12:30", "12:30"), ("1:2:3", "1:2:3"), ("2026-01-01", "2026-01-01"), ("=", "="), (".", "."),
        ("1e", "1e"), ("e3", "e3"), ("+", "+"), ("--1", "--1"), ("٣", "٣"), ("1 000", "1 000"),
        # Numbers that are too long to be meant.
        ("1" + "0" * 99, 10**99), ("1" + "0" * 100, "1" + "0" * 100), ("0." + "1" * 99, "0." + "1" * 99),
    ],
)  # fmt: skip
def test_plain_scalar(text, value):
    assert yaml12.resolve(text) == value
    assert type(yaml12.resolve(text)) is type(value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number(text):
    assert math.isnan(yaml12.resolve(text))


@pytest.mark.parametrize("text", ['"4"', "'4'", ">-\n  4", "|-\n  4", "! 4"])
def test_anything_quoted_is_text(text):
    assert yaml12.read(f"a: {text}\n").value == {"a": "4"}


def test_lines_of_keys_items_and_values():
    document = yaml12.read("a: 1\nb:\n  - x\n  -\n    c: 2\n")

    assert document.value == {"a": 1, "b": ["x", {"c": 2}]}
    assert document.lines == {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 5, ("b", 1, "c"): 5,
    }  # fmt: skip


def test_aliases_give_equal_values():
    assert yaml12.read("a: &x [1]\nb: *x\n").value == {"a": [1], "b": [1]}


def test_an_anchor_may_be_given_again():
    assert yaml12.read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n").value == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n"])
def test_nothing_is_no_value(text):
    assert yaml12.read(text).value is None


@pytest.mark.parametrize("levels", [yaml12.MAX_DEPTH, yaml12.MAX_DEPTH + 1])
def test_depth_below_the_top_is_limited(levels):
    text = "[" * (levels + 1) + "]" * (levels + 1)
    if levels <= yaml12.MAX_DEPTH:
        assert yaml12.read(text).value is not None
    else:
        with pytest.raises(yaml12.Unreadable):
            yaml12.read(text)


@pytest.mark.parametrize(
    ("char", "allowed"),
    [
        ("\t", True), ("\xa0", True), ("ü", True), ("\u4e2d", True), ("\U0001f600", True),
        ("\0", False), ("\x07", False), ("\x1b", False), ("\x7f", False), ("\x85", False), ("\x9f", False),
        ("\u2028", False), ("\u2029", False), ("\u202a", False), ("\u202e", False), ("\u2066", False),
        ("\u2069", False), ("\ud800", False), ("\ufeff", False), ("\uffff", False),
    ],
    ids=lambda value: f"U+{ord(value):04X}" if isinstance(value, str) else None,
)  # fmt: skip
def test_characters_that_may_not_stand_in_a_file(char, allowed):
    text = f"a: 1\nb: 2  # {char}\n"
    if allowed:
        assert yaml12.read(text).value == {"a": 1, "b": 2}
        return
    with pytest.raises(yaml12.Unreadable) as caught:
        yaml12.read(text)
    (problem,) = caught.value.problems
    assert (problem.line, problem.what) == (2, f"must not contain the invisible character U+{ord(char):04X}")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("clusters", "main", "n_workers"), "clusters.main.n_workers"),
        (("ingress", 0, "ports", 1), "ingress[0].ports[1]"),
        (("tags", ""), "tags.''"),
        (("tags", "a\nb\x1b"), "tags.a\\nb\\x1b"),
        (("tags", "k" * 50), "tags." + "k" * 37 + "..."),
    ],
)
def test_path_as_text(path, text):
    assert yaml12.render(path) == text
