"""What runs on the machines of a cluster: packages or a container, variables, Dask's own configuration."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from coiled_pulumi.errors import echo
from coiled_pulumi.spec.base import OnChange, Refusal, Spec, matching
from coiled_pulumi.spec.yaml12 import Path

#: Machines read these when they boot.
LATER = OnChange("machines that start later get it")
#: In the place of a value that Pulumi keeps encrypted in the stack's file.
SECURE = "secure"
#: Shown in the place of a value that is nobody's business.
SET = "(set)"
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._, -]+\])?(?:\s*(?:[<>=!~]=?|===|;|@).*)?"
)
_RESERVED = "COILED_PULUMI_"
#: The variable by which the values of a cluster's own variables come to the program: neither arguments nor files are
#: a place for secrets.
ENVIRON = "COILED_PULUMI_ENVIRON"
#: Parameters hold 4096 characters each; more than this is data, not configuration.
MAX_ENVIRON = 65_536


def _check_name(name: str) -> str:
    if not name or "=" in name or "\0" in name:
        msg = f"must be the name of a variable, got {echo(name)}"
        raise Refusal(msg)
    if name.startswith(_RESERVED):
        msg = f"must not start with {_RESERVED}"
        raise Refusal(msg, "such variables are ours")
    return name


def _read_value(value: object) -> object:
    # The encrypted text itself is nobody's business before Pulumi has opened it.
    if isinstance(value, dict) and set(value) == {SECURE} and isinstance(value[SECURE], str):
        return ""
    if isinstance(value, dict):
        msg = f"must be text, or what Pulumi wrote under {SECURE}"
        raise Refusal(msg, "pulumi config set --path --secret writes it")
    return value


def _check_value(value: str) -> str:
    if "\0" in value:
        msg = "must not have a NUL character in it"
        raise Refusal(msg)
    return value


def _check_environ(environ: dict[str, str]) -> dict[str, str]:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in environ.items())
    if size > MAX_ENVIRON:
        msg = f"must be at most {MAX_ENVIRON} bytes together, got {size}"
        raise Refusal(msg, "put data into a bucket")
    return environ


def _check_requirement(text: str) -> str:
    if not _REQUIREMENT.fullmatch(text):
        msg = f"must be a requirement of pip as pandas==2.2.3, got {echo(text)}"
        raise Refusal(msg)
    return text


def is_secret(path: Path) -> bool:
    """Tell whether a path is that of a variable's value: of a workspace file, or of a cluster that stands in none."""
    starts = [0, *(at + 2 for at, part in enumerate(path) if part == "clusters")]
    return any(path[at : at + 1] == ("environ",) and len(path) > at + 1 for at in starts)


def masked(path: Path, value: Any) -> Any:
    """Give what stands at a path for everybody to see: of variables that they are set."""
    if is_secret(path):
        return SET
    if isinstance(value, dict):
        return {key: masked((*path, key), part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [masked((*path, index), part) for index, part in enumerate(value)]
    return value


Value = Annotated[
    str,
    BeforeValidator(_read_value),
    AfterValidator(_check_value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {SECURE: {"type": "string"}},
                    "required": [SECURE],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
Name = Annotated[str, AfterValidator(_check_name)]
Environ = Annotated[dict[Name, Value], AfterValidator(_check_environ)]
Requirement = Annotated[str, AfterValidator(_check_requirement)]
_Python = Annotated[
    str, matching(r"3\.(1[0-9]|[2-9][0-9])", "must be a version of Python in quotes as '3.12'")
]
_Image = Annotated[
    str,
    matching(
        r"[a-z0-9][A-Za-z0-9._:/@-]{0,254}",
        "must be the name of a container image as ghcr.io/dask/dask:latest",
    ),
]


class Software(Spec):
    """What is installed and set on the machines."""

    packages: Annotated[Annotated[tuple[Requirement, ...], Field(strict=False)] | None, LATER] = None
    """Python packages to install, as pip's requirements. A machine image that has them already is used as it is.
    Default: what the machine image has, else the newest Dask."""

    python: Annotated[_Python | None, LATER] = None
    """Version of Python for the packages, in quotes. Default: the machine image's."""

    container: Annotated[_Image | None, LATER] = None
    """Container image to run Dask in, not together with packages and python. It needs Python and distributed.
    Default: none."""

    environ: Annotated[Environ, LATER] = Field(default_factory=dict)
    """Variables of Dask's processes. Values are kept as secrets: in the state, and on the way to the machines."""

    dask_config: Annotated[dict[str, Any], LATER] = Field(default_factory=dict)
    """Dask's own configuration on the machines, as in its YAML files."""
