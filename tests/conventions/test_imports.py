"""What an import costs those who only wanted to see a help text, or to catch an error."""

import subprocess
import sys

import pytest

HEAVY = ("pulumi", "pulumi_aws", "pydantic", "boto3", "typer", "rich", "distributed", "moto")


def _loaded(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import coiled_pulumi",
        "import coiled_pulumi.errors",
        "from coiled_pulumi import catalog, me, outputs, values; from coiled_pulumi.plan import model",
    ],
)
def test_light(statement):
    assert _loaded(statement) == set()


def test_the_spec_needs_pydantic_and_nothing_else():
    assert _loaded("import coiled_pulumi.spec.load, coiled_pulumi.plan.build") == {"pydantic"}
