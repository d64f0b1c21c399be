"""What stands in fenced blocks of the pages, and by whom each command in them is run."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples" / "README.md",
]
README = PAGES[0]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Verbs that need neither engine nor local AWS: `test_commands.py` runs them in this process.
_CHEAP = re.compile(r"coiled-pulumi (explain|iam|init|validate|plan|schema|set)\b")

#: Commands that no test runs as they stand, and why.
EXCEPTIONS = {
    "python3 -m venv .venv": "`./run` does this, and test_readme.py runs `./run demo`",
    "pip install --editable '.[test]'": "`./run` does this, and test_readme.py runs `./run demo`",
    "python tools/generate_docs.py": "test_generated.py compares what it would write",
    "pulumi state delete 'URN' --stack dev --yes": "tests/engine/test_cli.py does this with a URN",
    "aws resourcegroupstaggingapi get-resources --tag-filters Key=coiled-pulumi:workspace,Values=dev": (
        "the AWS CLI is not one of our requirements, and the local AWS does not stand in for a real account"
    ),
}


@dataclass(frozen=True)
class Fence:
    """A fenced block."""

    page: Path
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """One line to type."""

    page: Path
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}: {self.text}"

    @property
    def cheap(self) -> bool:
        return _CHEAP.match(self.text) is not None


def fences(*languages: str) -> list[Fence]:
    """Give the blocks in these languages, page by page."""
    found = [Fence(page, *match) for page in PAGES for match in _FENCE.findall(page.read_text("utf-8"))]
    return [fence for fence in found if fence.language in languages]


def commands() -> list[Command]:
    """Give every command of every page, in order."""
    found = []
    for fence in fences("sh", "console", "bash", "shell"):
        lines = fence.text.splitlines()
        if fence.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        found += [Command(fence.page, line) for line in lines if line and not line.startswith("#")]
    return found


def session() -> list[str]:
    """Give what one shell runs: the README in its order, and before it deletes dev, the rest of the pages."""
    wanted = [command for command in commands() if command.text not in EXCEPTIONS]
    ours = [command.text for command in wanted if command.page == README]
    others = [c.text for c in wanted if c.page != README and not c.cheap and c.text not in ours]
    at = next(index for index, text in enumerate(ours) if text.startswith("coiled-pulumi destroy"))
    return [*ours[:at], *dict.fromkeys(others), *ours[at:]]
