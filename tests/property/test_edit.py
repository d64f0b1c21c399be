"""An edit means what was asked and touches nothing else, whatever a person's file looks like."""

import re
from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.spec import edit, yaml12
from coiled_pulumi.spec.edit import REMOVED

SCALARS = [
    "5",
    "-0.5",
    "true",
    "~",
    "null",
    "word",
    "two words",
    "yes",
    "010",
    "10.0.0.0/16",
    "ü-中-😀",
    "2026-01-01",
]
QUOTED = ["''", "'8786'", "'it''s # not'", '"a: b"', '"\\t\\u00e9"', '"true"']
NEW_SCALARS = [
    "yes",
    "010",
    "a: b",
    "# x",
    "",
    "Zoë",
    "12:30",
    "8000-8100",
    "a\nb",
    None,
    True,
    3,
    1.5,
    1e30,
    "x, y",
]
NEW = [
    *NEW_SCALARS,
    {"p": 1, "q": {"r": [1, "two"], "on": "off"}},
    [1, "x", None],
    [{"a": 1, "b": {"c": []}}, {"d": "me"}],
    [[1], ["b" * 90]],
    [],
    {},
]


@dataclass
class Layout:
    """Writes a random document as a person might; knows whose each line is.

    Attributes:
        lines: text and owner of every line: the path of the innermost entry in block style that it belongs to.
    """

    random: Random
    lines: list[tuple[str, yaml12.Path]] = field(default_factory=list)
    comments: int = 0

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def comment(self) -> str:
        self.comments += 1
        return f"# c{self.comments}: it's {{x]"

    def trailing(self) -> str:
        return " " * self.random.choice([1, 1, 3]) + self.comment() if self.chance(30) else ""

    def between(self, owner: yaml12.Path, indent: int) -> None:
        while self.chance(25):
            odd = self.random.randint(0, indent) if self.chance(30) else indent
            self.lines.append((" " * odd + self.comment() if self.chance(70) else "", owner))

    def mapping(self, path: yaml12.Path, indent: int, depth: int, lead: str | None = None) -> None:
        """Write a mapping; `lead` is what stands before its first key, if that is on a line with something."""
        for index in range(self.random.randint(1, 4)):
            name = f"k{index}"
            if index or lead is None:
                self.between(path, indent)
                lead = " " * indent
            key = self.random.choice([name, name, name, f"'{name}'", f'"{name}"'])
            colon = " :" if self.chance(5) else ":"
            self.value((*path, name), f"{lead}{key}{colon}", indent, depth, in_list=False)
        self.after(path, indent)

    def items(self, path: yaml12.Path, indent: int, depth: int, lead: str | None = None) -> None:
        for index in range(self.random.randint(1, 3)):
            if index or lead is None:
                self.between(path, indent)
                lead = " " * indent
            self.value((*path, index), lead + "-", indent, depth, in_list=True)
        self.after(path, indent)

    def after(self, owner: yaml12.Path, indent: int) -> None:
        if indent and self.chance(15):
            self.lines += [("", owner)] * self.chance(30)
            self.lines.append((" " * indent + self.comment(), owner))

    def value(self, path: yaml12.Path, head: str, indent: int, depth: int, *, in_list: bool) -> None:
        deeper = indent + self.random.choice([1, 2, 2, 2, 4])
        form = self.random.randrange(12)
        if depth < 3 and form < 4:
            if in_list and self.chance(60):
                gap = " " * self.random.choice([1, 1, 3])
                write = self.mapping if form < 3 else self.items
                write(path, len(head + gap), depth + 1, head + gap)
                return
            self.lines.append((head + self.trailing(), path))
            if form < 3:
                self.mapping(path, deeper, depth + 1)
            else:
                self.items(path, indent if not in_list and self.chance(30) else deeper, depth + 1)
        elif form == 4:
            self.flow_in_lines(path, head, deeper)
        elif form == 5:
            self.block_scalar(path, head, deeper)
        elif form == 6:
            self.lines.append((head + self.trailing(), path))
        elif form == 7:
            self.lines.append((head + self.trailing(), path))
            self.lines.append((" " * deeper + self.random.choice(SCALARS) + self.trailing(), path))
        elif form == 8:
            self.lines.append((head + " " + self.flow(0) + self.trailing(), path))
        elif form == 9:
            self.lines += [(f"{head} some words", path), (" " * deeper + "and more" + self.trailing(), path)]
        else:
            self.lines.append((f"{head} {self.random.choice(SCALARS + QUOTED)}{self.trailing()}", path))

    def flow(self, depth: int) -> str:
        pad, comma = self.random.choice(["", " "]), self.random.choice(["", "", ","])
        if self.chance(50):
            inner = [f"k{index}: {self.flow_value(depth)}" for index in range(self.random.randint(0, 3))]
            return "{" + pad + ", ".join(inner) + (comma if inner else "") + pad + "}"
        inner = [self.flow_value(depth) for _ in range(self.random.randint(0, 3))]
        return "[" + pad + ", ".join(inner) + (comma if inner else "") + pad + "]"

    def flow_value(self, depth: int) -> str:
        return self.flow(depth + 1) if depth < 2 and self.chance(30) else self.random.choice(SCALARS + QUOTED)

    def flow_in_lines(self, path: yaml12.Path, head: str, indent: int) -> None:
        count = self.random.randint(1, 3)
        mapping, last = self.chance(50), self.chance(50)
        self.lines.append((f"{head} {'{' if mapping else '['}{self.trailing()}", path))
        for index in range(count):
            while self.chance(20):
                self.lines.append((" " * indent + self.comment(), path))
            key = f"k{index}: " if mapping else ""
            comma = "," if index < count - 1 or last else ""
            self.lines.append((" " * indent + key + self.flow_value(1) + comma + self.trailing(), path))
        self.lines.append((" " * indent + ("}" if mapping else "]") + self.trailing(), path))

    def block_scalar(self, path: yaml12.Path, head: str, indent: int) -> None:
        self.lines.append(
            (f"{head} {self.random.choice(['|', '>', '|-', '>+', '|+'])}{self.trailing()}", path)
        )
        for _ in range(self.random.randint(1, 3)):
            self.lines.append((" " * indent + "text # no comment", path))
            self.lines += [("", path)] * self.chance(30)


@dataclass(frozen=True)
class Case:
    """A document and one change of it."""

    text: str
    lines: list[str]
    owners: list[yaml12.Path]
    path: yaml12.Path
    new: object


def _paths(value, path=()):
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from _paths(item, (*path, key))


def _text(random: Random) -> tuple[str, Layout]:
    layout = Layout(random)
    if layout.chance(15):
        layout.lines.append(("---" + layout.trailing(), ()))
    layout.mapping((), 0, 0)
    layout.between((), 0)
    if layout.chance(10):
        layout.lines.append(("...", ()))
    end = random.choice(["\n", "\n", "\r\n"])
    # A block scalar at the very end means something else once a line follows: that is refused, not edited.
    ended = layout.chance(80) or layout.lines[-1][0].strip() in ("", "text # no comment")
    text = end.join(line for line, _ in layout.lines) + (end if ended else "")
    return random.choice(["", "", "", "\ufeff"]) + text, layout


def _case(random: Random, *, scalars_only: bool = False) -> Case:
    text, layout = _text(random)
    paths = list(_paths(yaml12.read(text.removeprefix("\ufeff")).value))[1:]
    if scalars_only:
        paths = [(path, old) for path, old in paths if not isinstance(old, dict | list)] or paths
    path, old = random.choice(paths)
    new = random.choice(NEW_SCALARS if scalars_only else NEW)
    if not scalars_only and layout.chance(25):
        new = REMOVED
    elif not scalars_only and layout.chance(40):
        if isinstance(old, dict) or old is None:
            path = (*path, *random.choice([["new"], ["new", "deep"]]))
        elif isinstance(old, list):
            path = (*path, len(old))
    lines = [line for line, _ in layout.lines]
    return Case(text, lines, [owner for _, owner in layout.lines], path, new)


# A seed instead of Hypothesis's own random numbers: that is ten times as fast, and documents are small anyway.
seeds = st.integers(0, 2**64).map(Random)
cases = seeds.map(_case)
scalar_cases = seeds.map(lambda random: _case(random, scalars_only=True))


def _apply(value, path, new):
    if not path:
        return new
    part = path[0]
    if isinstance(value, list):
        items = dict(enumerate(value))
        return list(_apply(items, path, new).values())
    value = dict(value or {})
    if len(path) == 1 and new is REMOVED:
        value.pop(part)
    else:
        value[part] = _apply(value.get(part), path[1:], new)
    return value


def _read(text):
    document = yaml12.read(text.removeprefix("\ufeff"))
    assert document.problems == []
    return document.value


def _comments(lines) -> list[str]:
    return [number for line in lines for number in re.findall(r"# (c\d+):", line)]


def _touched(case: Case) -> tuple[int, int]:
    """Give the lines that the change is about: those of the value, or of what is nearest around it."""
    path = case.path
    around = dict(_paths(_read(case.text))).get(path[:-1])
    joins = False
    if case.new is REMOVED:
        # `- a: 1` with `b: 2` below becomes `- b: 2`.
        joins = path[:-1] != () and _owned(case, path)[:1] == _owned(case, path[:-1])[:1]
        path = path[:-1] if len(around) == 1 else path
    while not (mine := _owned(case, path)):
        path = path[:-1]
    first, behind = mine[0], mine[-1] + 1
    # Blank lines behind a text that keeps them are part of it.
    keeps = any("|+" in line or ">+" in line for line in case.lines[:behind])
    while (joins or keeps) and behind < len(case.lines) and not case.lines[behind]:
        behind += 1
    return first, behind + joins


def _owned(case: Case, path: yaml12.Path) -> list[int]:
    return [index for index, owner in enumerate(case.owners) if owner[: len(path)] == path]


@given(cases)
def test_the_file_then_says_what_was_asked(case):
    after = edit.set_values(case.text, {case.path: case.new}, source="f")

    before = _read(case.text)
    assert repr(_read(after)) == repr(_apply(before, case.path, case.new))
    # The items behind one that is taken out move up.
    if case.new is not REMOVED or isinstance(case.path[-1], str):
        assert edit.set_values(after, {case.path: case.new}, source="f") == after


@given(cases)
def test_no_other_line_changes(case):
    after = edit.set_values(case.text, {case.path: case.new}, source="f")

    first, behind = _touched(case)
    end = "\r\n" if "\r\n" in case.text else "\n"
    lines = after.removeprefix("\ufeff").split(end)
    rest = case.text.removeprefix("\ufeff").split(end)[behind:]
    assert lines[:first] == case.lines[:first]
    assert lines[len(lines) - len(rest) :] == rest
    assert after.startswith("\ufeff") == case.text.startswith("\ufeff")
    assert after.endswith("\n") == case.text.endswith("\n") or case.new is REMOVED
    assert "\n" not in after.replace("\r\n", "") or end == "\n"


@given(cases)
def test_comments_stay_in_order(case):
    after = edit.set_values(case.text, {case.path: case.new}, source="f")

    there = dict(_paths(_read(case.text)))
    old = there.get(case.path)
    goes = case.new is REMOVED or isinstance(old, dict | list)
    first, behind = _touched(case) if goes else (0, 0)
    within = set(_comments(case.lines[first:behind]))
    kept = [name for name in _comments(case.lines) if name not in within]
    assert [name for name in _comments(after.splitlines()) if name not in within] == kept
    if case.path not in there and "k" in str(case.path[-1]) and isinstance(case.path[-1], str):
        assert set(case.lines) <= set(after.splitlines())


@given(scalar_cases)
def test_a_scalar_can_be_set_back(case):
    there = dict(_paths(_read(case.text)))
    old = there[case.path]
    text = edit.set_values(case.text, {case.path: case.new}, source="f")
    written = edit.set_values(text, {case.path: old}, source="f")

    # From here on it is written our way, and stays so.
    again = edit.set_values(
        edit.set_values(written, {case.path: case.new}, source="f"), {case.path: old}, source="f"
    )
    assert again == written
