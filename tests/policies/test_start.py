"""The pack started the way the engine starts it, spoken to in the engine's protocol."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

FOLDER = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="module")
def analyzer() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    # Port 9 stands in for the engine: the pack only calls it to log.
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:9", str(FOLDER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=FOLDER) as process:
        port = int(process.stdout.readline())
        with contextlib.closing(grpc.insecure_channel(f"127.0.0.1:{port}")) as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        process.terminate()


def test_pack_starts_and_names_its_policies(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty())
    stack, resource = analyzer_pb2.POLICY_TYPE_STACK, analyzer_pb2.POLICY_TYPE_RESOURCE
    assert (info.name, [(policy.name, policy.policy_type) for policy in info.policies]) == (
        "coiled-pulumi",
        [
            ("imdsv2-required", resource),
            ("disks-encrypted", resource),
            ("workers-have-no-public-address", resource),
            ("required-tags", resource),
            ("ssh-not-open-to-the-world", stack),
        ],
    )


def test_unknown_value_leaves_a_warning_beside_the_errors(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    props = struct_pb2.Struct()
    props.update(
        {
            "metadataOptions": {"httpTokens": UNKNOWN_STRING_VALUE},
            "rootBlockDevice": {"encrypted": UNKNOWN_STRING_VALUE},
            "ebsBlockDevices": [{"encrypted": False}],
            "tags": {"coiled-pulumi:workspace": "w", "coiled-pulumi:stack": "w"},
        }
    )
    request = analyzer_pb2.AnalyzeRequest(
        type="aws:ec2/instance:Instance", properties=props, urn="urn:it", name="it"
    )
    diagnostics = analyzer.Analyze(request).diagnostics
    mandatory, advisory = analyzer_pb2.MANDATORY, analyzer_pb2.ADVISORY
    assert [(d.policyName, d.enforcementLevel) for d in diagnostics] == [
        ("imdsv2-required", advisory),
        ("disks-encrypted", mandatory),
        ("disks-encrypted", advisory),
        ("required-tags", mandatory),
    ]
