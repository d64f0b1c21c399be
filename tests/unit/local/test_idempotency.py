from __future__ import annotations

from coiled_pulumi.local.answers import Answer
from coiled_pulumi.local.idempotency import Tokens, token_of

BODY = b"Action=CreateVpc&ClientToken=t&CidrBlock=10.0.0.0%2F16"
MADE = Answer("200 OK", (), b"made")


def keep(answer: Answer) -> Tokens:
    tokens = Tokens()
    token = token_of("ec2", "us-east-1", "key", BODY)
    assert token is not None
    tokens.keep(token, answer)
    return tokens


def earlier(tokens: Tokens, body: bytes, *, region: str = "us-east-1") -> Answer | None:
    token = token_of("ec2", region, "key", body)
    assert token is not None
    return tokens.earlier(token)


def test_same_call_gets_the_same_answer() -> None:
    assert earlier(keep(MADE), BODY) == MADE


def test_order_of_parameters_does_not_matter() -> None:
    assert earlier(keep(MADE), b"&".join(reversed(BODY.split(b"&")))) == MADE


def test_other_parameters_with_the_token_are_refused() -> None:
    answer = earlier(keep(MADE), BODY.replace(b"16", b"24"))
    assert answer is not None
    assert b"IdempotentParameterMismatch" in answer.body


def test_tokens_are_per_region() -> None:
    assert earlier(keep(MADE), BODY, region="eu-west-1") is None


def test_failed_call_may_be_tried_again() -> None:
    assert earlier(keep(Answer("400 Bad Request", (), b"")), BODY) is None


def test_calls_without_a_token_are_not_kept() -> None:
    assert token_of("ec2", "us-east-1", "key", b"Action=CreateVpc") is None
    assert token_of("ec2", "us-east-1", "key", BODY + b"&DryRun=true") is None
    assert token_of("ssm", "us-east-1", "key", BODY) is None
