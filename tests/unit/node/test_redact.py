"""No secret leaves the machine, and what is no secret stays readable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.node.redact import GONE, Redactor, secrets_of

_KEY = (
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49\n"
    "-----END EC PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN", "abcdef"),
        ("DB_PASSWORD", "hunter2"),
        ("API_KEY", "123456"),
        ("FOO", "a1b2c3d4e5f6"),
        ("FOO", "correct-horse-battery-staple"),
        ("DATABASE_URL", "postgres://me:pw12@db.example.org/x"),
        ("NOTE", "two words, and: some more!"),
        ("PATH", "/usr/bin;rm"),
        ("NOTE", "über-geheim"),
    ],
)
def test_a_secret(name, value):
    assert secrets_of({name: value}) == {value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN", "abc"),
        ("USE_TOKEN", "false"),
        ("STAGE", "production"),
        ("REGION", "us-east-1"),
        ("TYPE", "m5.large"),
        ("VERSION", "python3.12"),
        ("SIZE", "1234567"),
        ("RATE", "1.5e-10"),
        ("PATH", "/usr/local/bin:/usr/bin:~/bin"),
        ("URL", "https://example.org:8443/a/b"),
        ("EMPTY", ""),
    ],
)
def test_no_secret(name, value):
    assert secrets_of({name: value}) == set()


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=6), min_size=1
    ),
    st.text(),
)
def test_no_secret_is_left_wherever_it_stands(secrets, around):
    redactor = Redactor(secrets)

    for secret in secrets:
        for text in (f"{around}{secret}{around}", json.dumps({"a": secret}), secret + "".join(secrets)):
            assert secret not in redactor.text(text).replace(GONE, "\0")


def test_each_line_of_a_secret_of_several_lines_goes():
    redactor = Redactor(["first line\nsecond line\n\n"])

    assert redactor.text("a first line\nb second line c") == f"a {GONE}\nb {GONE} c"


def test_a_secret_that_begins_another_one_leaves_no_rest():
    assert Redactor(["secret", "secret-longer"]).text("secret-longer secret") == f"{GONE} {GONE}"


@pytest.mark.parametrize("text", [_KEY, json.dumps(_KEY), _KEY.replace("\n", "\r\n"), f"key: {_KEY}"])
def test_a_private_key_goes_also_when_nobody_knew_it(text):
    seen = Redactor().text(f"before\n{text}\nafter")

    assert "MHcCAQEE" not in seen
    assert seen.startswith("before\n")
    assert seen.endswith("\nafter")


def test_a_private_key_goes_that_comes_in_several_reads():
    follow = Redactor().follow()
    seen = [line for part in _KEY.split("\n") for line in follow([part])]

    assert seen + follow(["after"]) == [GONE, "after"]


def test_a_private_key_that_never_ends_does_not_hide_everything_for_ever():
    follow = Redactor().follow()
    follow([_KEY.split("\n")[0]])

    assert follow(["x"] * 1000)[-1] == "x"


def test_a_password_in_an_address_goes_and_a_port_stays():
    text = "https://me:pw@example.org:80/a tls://10.0.0.1:8786 git+https://token@x/y a@b"

    assert Redactor().text(text) == f"https{GONE}example.org:80/a tls://10.0.0.1:8786 git+https{GONE}x/y a@b"


def test_ids_of_keys_go():
    assert Redactor().text("AKIAIOSFODNN7EXAMPLE ASIAIOSFODNN7EXAMPLE") == f"{GONE} {GONE}"
