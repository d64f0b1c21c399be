from __future__ import annotations

import os
from pathlib import Path

import pytest

from coiled_pulumi.engine.narrow import narrow
from coiled_pulumi.errors import EngineError

MODULE = "github.com/hashicorp/terraform-provider-aws"
SDK = "github.com/aws/aws-sdk-go-v2/service"
FILES = {
    "go.mod": f"module {MODULE}\n",
    "website/page.md": "text\n",
    "xpprovider/provider.go": f'package xpprovider\n\nimport "{MODULE}/internal/provider/sdkv2"\n',
    "internal/provider/sdkv2/service_packages_gen.go": (
        "package sdkv2\n\nimport (\n"
        f'\t"{MODULE}/internal/conns"\n'
        f'\t"{MODULE}/internal/service/accessanalyzer"\n'
        f'\t"{MODULE}/internal/service/ec2"\n'
        ")\n\nfunc packages() {\n"
        "\taccessanalyzer.ServicePackage(ctx),\n"
        "\tec2.ServicePackage(ctx),\n"
        "}\n"
    ),
    "internal/conns/awsclient_gen.go": (
        "package conns\n\nimport (\n"
        '\t"context"\n\n'
        f'\t"{SDK}/accessanalyzer"\n'
        f'\t"{SDK}/ec2"\n'
        f'\tiam_sdk "{SDK}/iam"\n'
        ")\n\n"
        "func (c *AWSClient) AccessAnalyzerClient(ctx context.Context) *accessanalyzer.Client {\n"
        "\treturn nil\n}\n\n"
        "func (c *AWSClient) EC2Client(ctx context.Context) *ec2.Client {\n\treturn nil\n}\n\n"
        "func (c *AWSClient) IAMClient(ctx context.Context) *iam_sdk.Client {\n\treturn nil\n}\n"
    ),
    "internal/service/smarterr.hcl": "all\n",
    "internal/service/accessanalyzer/a.go": "package accessanalyzer\n",
    "internal/service/accessanalyzer/smarterr.hcl": "embedded\n",
    "internal/service/ec2/vpc.go": (
        f'package ec2\n\nimport "{MODULE}/internal/names"\n\nvar _ = meta.EC2Client(ctx)\n'
    ),
    "internal/service/ec2/vpc_test.go": "package ec2\n\nvar _ = meta.AccessAnalyzerClient(ctx)\n",
    "internal/names/names.go": "package names\n\nvar _ = meta.IAMClient(ctx)\n",
    "internal/unused/unused.go": "package unused\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        # As in the module cache.
        file.chmod(0o444)
    return root


def test_only_reachable_packages_are_copied(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert narrow(source, target) == 5
    assert sorted(str(file.relative_to(target)) for file in target.rglob("*") if file.is_file()) == [
        "go.mod",
        "internal/conns/awsclient_gen.go",
        "internal/names/names.go",
        "internal/provider/sdkv2/service_packages_gen.go",
        "internal/service/accessanalyzer/smarterr.hcl",
        "internal/service/ec2/vpc.go",
        "internal/service/smarterr.hcl",
        "xpprovider/provider.go",
    ]


def test_service_list_keeps_our_services_and_everything_else(source: Path, tmp_path: Path) -> None:
    narrow(source, tmp_path / "target")
    text = (tmp_path / "target/internal/provider/sdkv2/service_packages_gen.go").read_text()
    assert "accessanalyzer" not in text
    assert f'"{MODULE}/internal/service/ec2"' in text
    assert f'"{MODULE}/internal/conns"' in text
    assert "\tec2.ServicePackage(ctx),\n" in text


def test_client_list_keeps_called_clients_and_their_imports(source: Path, tmp_path: Path) -> None:
    narrow(source, tmp_path / "target")
    assert (tmp_path / "target/internal/conns/awsclient_gen.go").read_text() == (
        "package conns\n\nimport (\n"
        '\t"context"\n\n'
        f'\t"{SDK}/ec2"\n'
        f'\tiam_sdk "{SDK}/iam"\n'
        ")\n\n"
        "func (c *AWSClient) EC2Client(ctx context.Context) *ec2.Client {\n\treturn nil\n}\n\n"
        "func (c *AWSClient) IAMClient(ctx context.Context) *iam_sdk.Client {\n\treturn nil\n}\n"
    )


def test_copy_is_writable_and_replaces_an_older_one(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "stale.go").write_text("")
    narrow(source, target)
    assert not (target / "stale.go").exists()
    assert os.access(target / "go.mod", os.W_OK)


def test_another_version_of_the_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "xpprovider").mkdir()
    with pytest.raises(EngineError, match="is not the AWS provider that the recipe was written for"):
        narrow(tmp_path, tmp_path / "target")
