"""The versions that belong together, and what building them takes.

The SDK, the plugin and the engine move together: the numbers here, in pyproject.toml and in engine/*/go.mod
are one decision. The needs were measured on 2 cores (see docs).
"""

from __future__ import annotations

import re
from typing import Final

#: The Pulumi CLI that we build and test; also the oldest one on PATH that we accept.
CLI_VERSION: Final = "3.259.0"
#: The AWS plugin, the same number as the pulumi-aws package.
PLUGIN_VERSION: Final = "7.21.0"
#: The Pulumi package for Python.
SDK_VERSION: Final = "3.272.0"
#: The policy package for Python.
POLICY_SDK_VERSION: Final = "1.21.0"
#: The oldest Go that can build both parts: the `go` line of their go.mod.
MIN_GO: Final = (1, 25, 11)
#: The oldest Python that the package supports.
MIN_PYTHON: Final = (3, 11)

#: The module that holds the AWS provider, by the name that its packages are imported under.
PROVIDER_MODULE: Final = "github.com/hashicorp/terraform-provider-aws"
#: The package that is the CLI.
CLI_PACKAGE: Final = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"

#: Minutes that each part takes on 2 cores with an empty Go cache.
EXPECTED_MINUTES: Final = {"cli": 5, "plugin": 6}
#: Free disk that a build needs, bytes: module cache 3 GB, build cache 2 GB, results 0.3 GB.
MIN_DISK: Final = 6_000_000_000
#: Memory that a build needs, bytes: linking the plugin peaks at 3.4 GB.
MIN_MEMORY: Final = 4_000_000_000
#: Free disk that an official release needs, bytes: the plugin unpacks to 0.9 GB.
MIN_DISK_RELEASE: Final = 2_000_000_000


def parse(text: str) -> tuple[int, ...] | None:
    """Read the leading numbers of a version as `v3.259.0-dev+5` or `go1.26.8`; None where there are none."""
    match = re.match(r"(?:v|go)?(\d+(?:\.\d+)*)", text.strip())
    return tuple(int(part) for part in match.group(1).split(".")) if match else None


def fits_cli(text: str) -> bool:
    """Say whether a CLI of this version drives our programs: the same major, not older than ours."""
    version, ours = parse(text), parse(CLI_VERSION)
    return version is not None and ours is not None and version[:1] == ours[:1] and version >= ours


def dotted(version: tuple[int, ...]) -> str:
    """Write a version tuple as text."""
    return ".".join(str(part) for part in version)
