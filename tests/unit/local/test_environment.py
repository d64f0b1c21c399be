from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from coiled_pulumi.local import environment
from coiled_pulumi.local.state import Record

RECORD = Record(7, "99", 4566, "AKIAEXAMPLE", "it's hush", 1.5, "0.1.0", Path("/h"))


def test_everything_leads_to_the_local_server() -> None:
    assert environment.environment(RECORD, {}) == {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_CONFIG_FILE": "/h/no-such-folder/config",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "it's hush",
        "AWS_SHARED_CREDENTIALS_FILE": "/h/no-such-folder/credentials",
        "NO_PROXY": "127.0.0.1,localhost",
        "PULUMI_BACKEND_URL": "file:///h/backend",
        "PULUMI_CONFIG_PASSPHRASE": "local-aws",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "no_proxy": "127.0.0.1,localhost",
    }


def test_proxy_exceptions_of_the_user_stay() -> None:
    assert environment.environment(RECORD, {"NO_PROXY": "corp"})["no_proxy"] == "corp,127.0.0.1,localhost"


def test_real_profiles_and_endpoints_are_taken_away() -> None:
    ambient = {
        "AWS_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL_S3": "http://x",
        "PATH": "/bin",
    }
    applied = environment.applied(RECORD, ambient)
    assert applied.keys() - environment.environment(RECORD, {}).keys() == {"PATH"}


def test_a_shell_reads_the_lines_back() -> None:
    script = (
        environment.exports(environment.environment(RECORD, {}))
        + 'printf %s "$AWS_SECRET_ACCESS_KEY-$AWS_PROFILE"'
    )
    shell = subprocess.run(
        ["sh", "-c", script], env={"AWS_PROFILE": "prod"}, capture_output=True, text=True, check=True
    )
    assert shell.stdout == "it's hush-"


def test_importing_the_daemon_loads_no_server_and_no_client() -> None:
    code = (
        "import sys, coiled_pulumi.local.daemon; "
        "print(sorted({'moto', 'boto3', 'botocore', 'werkzeug', 'flask', 'pydantic'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
