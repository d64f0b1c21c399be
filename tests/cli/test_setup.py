"""What `setup` and `preflight` say before AWS is asked, and where there is nobody to ask it as."""

import pytest

from coiled_pulumi.aws import session

STEPS = "coiled-pulumi setup aws"


@pytest.fixture(autouse=True)
def _nobody(monkeypatch):
    """No credentials anywhere, and none looked for on an instance."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session.client.cache_clear()
    yield
    session.client.cache_clear()


def test_the_link_for_cloudshell_does_nothing_else(cli, folder):
    done = cli("setup", "aws", "--cloudshell-link", "--region", "eu-west-1")

    assert done.code == 0
    assert done.out.splitlines()[1:] == [
        "  1. open https://console.aws.amazon.com/cloudshell and sign in",
        "  2. copy the source of coiled-pulumi there, it is on no package index: "
        "python3.11 -m pip install ./coiled-pulumi",
        f"  3. run: {STEPS} --region eu-west-1",
    ]
    assert done.err == ""
    assert list(folder.iterdir()) == []
    assert cli("setup", "aws", "--cloudshell-link", "--json").data["steps"][-1] == f"  3. run: {STEPS}"


@pytest.mark.parametrize("more", [(), ("--quotas",), ("--update-policies", "--yes"), ("--profile", "ghost")])
def test_without_credentials_the_way_is_cloudshell(cli, monkeypatch, more):
    monkeypatch.setenv("AWS_PROFILE", "")  # put back afterwards, whatever --profile does
    monkeypatch.delenv("AWS_PROFILE")
    done = cli("setup", "aws", *more)

    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: ")
    assert "hint: AWS CloudShell" not in done.err  # what to mend comes first
    assert STEPS in done.err


def test_as_json_the_steps_are_the_hint(cli):
    done = cli("setup", "aws", "--json")
    assert (done.data["error"]["kind"], done.data["error"]["exit_code"]) == ("CredentialsError", 3)
    assert STEPS in done.data["error"]["hint"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--quotas", "--update-policies"), "--quotas and --update-policies exclude each other"),
        (("--file", "solo.yaml", "--region", "eu-west-1"), "solo.yaml says us-east-1, not eu-west-1"),
        (("--file", "solo.yaml", "--stack", "solo"), "--stack and --file exclude each other"),
        (("--quota",), "no such option: --quota"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_make_no_sense(cli, solo, arguments, what):
    done = cli("setup", "aws", *arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.lower().startswith(f"error: {what}")


def test_setup_without_a_verb_shows_its_help(cli):
    done = cli("setup")
    assert (done.code, done.out) == (2, "")
    assert "Usage: coiled-pulumi setup" in done.err


def test_a_preflight_needs_a_file_and_credentials(cli, solo, folder):
    assert cli("preflight", "--file", "solo.yaml").code == 3
    solo.unlink()
    assert cli("preflight").code == 2


def test_up_asks_before_it_starts_the_engine(cli, solo, pulumi, monkeypatch):
    monkeypatch.delenv("COILED_PULUMI_NO_PREFLIGHT")
    done = cli("up", "--file", "solo.yaml", "--yes")

    assert (done.code, done.out) == (3, "")
    assert pulumi.calls() == []


def test_up_can_be_told_not_to_ask(cli, solo, pulumi, monkeypatch):
    monkeypatch.delenv("COILED_PULUMI_NO_PREFLIGHT")
    pulumi.does("up", stream="same")
    assert cli("up", "--file", "solo.yaml", "--yes", "--no-preflight", "--no-wait").code == 0
