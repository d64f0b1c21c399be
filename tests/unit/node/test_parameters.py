"""What a machine reads from the parameter store, and the environment that comes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import botocore.exceptions
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coiled_pulumi.node.environment import Launch, process_environ
from coiled_pulumi.node.parameters import LOOK_EVERY, NotYetError, Parameters, read_pieces

#: Everything that a variable may hold: no NUL, nothing that UTF-8 does not know.
_VALUE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def _pieces(text: str, size: int) -> dict[str, str]:
    """Cut a text as whoever writes it does: the first piece begins with the number of all."""
    count = 1
    while len(text) > size * count - len(f"{count}\n"):
        count += 1
    text = f"{count}\n{text}"
    return {f"config/{i}": text[i * size : (i + 1) * size] for i in range(count)}


@given(st.dictionaries(_VALUE, _VALUE), st.integers(8, 200))
def test_pieces_come_together_again(environ, size):
    told = {"version": 1, "environ": environ}
    pieces = _pieces(json.dumps(told, ensure_ascii=False), size)

    assert read_pieces(pieces.__getitem__) == told


@pytest.mark.parametrize("first", ["", "x\n{}", "1\n{", '1\n{"version":2}', "1\n[]"])
def test_what_is_no_whole_configuration_is_asked_for_again(first):
    with pytest.raises(NotYetError):
        read_pieces({"config/0": first}.__getitem__)


def test_pieces_of_two_versions_are_not_mixed():
    firsts = iter(['2\n{"version":', '2\n{"version" :'])

    with pytest.raises(NotYetError):
        read_pieces(lambda name: next(firsts) if name == "config/0" else "1}")


class _Ssm:
    """Stands for the network: answers what is in it, one after the other."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)

    def get_parameter(self, **_asked: object) -> dict:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Parameter": {"Value": answer}}


def _refusal(code: str) -> Exception:
    return botocore.exceptions.ClientError(
        {"Error": {"Code": code, "Message": "of account 123"}}, "GetParameter"
    )


def test_a_machine_waits_for_the_parameter_and_for_the_right_to_read_it():
    waited, said = [], []
    ssm = _Ssm(
        _refusal("ParameterNotFound"),
        botocore.exceptions.NoCredentialsError(),
        *[_refusal("AccessDeniedException")] * 30,
        '{"version": 1, "key": "k"}',
    )
    parameters = Parameters(lambda: ssm, "/coiled-pulumi/w/c", "worker", waited.append, said.append)

    assert parameters.certificate() == {"version": 1, "key": "k"}
    assert len(waited) == 32
    assert 0.25 <= waited[0] <= 0.5
    assert all(2.5 <= seconds <= 5 for seconds in waited[5:])
    assert said[0].startswith("still waiting for the certificate after 6")
    assert said[0].endswith("s: AccessDeniedException")


_PRINT = """
import os, sys
for name, value in os.environb.items():
    if name.startswith(b"V_"):
        sys.stdout.buffer.write(len(name).to_bytes(4) + name + len(value).to_bytes(4) + value)
"""


@given(st.lists(_VALUE, min_size=100, max_size=100))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.large_base_example, HealthCheck.too_slow],
)
def test_a_thousand_variables_arrive_to_the_byte(values):
    wanted = {f"V_{i}": value for i, value in enumerate(values)}
    pieces = _pieces(json.dumps({"version": 1, "environ": wanted}, ensure_ascii=False), 1000)

    environ = read_pieces(pieces.__getitem__)["environ"]
    whole = process_environ(Launch((sys.executable,)), environ, Path("/run/x"), dict(os.environb))
    # The locale that a service has which nobody gave one.
    said = subprocess.run(
        [sys.executable, "-c", _PRINT], env=whole | {b"LC_ALL": b"C"}, stdout=subprocess.PIPE, check=True
    ).stdout

    seen = {}
    while said:
        name, said = _one(said)
        seen[name], said = _one(said)
    assert seen == {name.encode(): value.encode() for name, value in wanted.items()}


def _one(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4])
    return data[4 : 4 + size], data[4 + size :]


def test_a_rotation_is_seen_once_and_a_refusal_in_between_is_none():
    one, two = '{"version": 1, "key": "1"}', '{"version": 1, "key": "2"}'
    ssm, seen, waited = _Ssm(one, _refusal("ThrottlingException"), two, two), [], []
    parameters = Parameters(lambda: ssm, "/coiled-pulumi/w/c", "worker", waited.append, waited.append)

    def stop(seconds: float) -> bool:
        waited.append(seconds)
        return not ssm.answers

    parameters.watch(json.loads(one), seen.append, stop)

    assert seen == [json.loads(two)]
    assert all(0.75 * LOOK_EVERY <= seconds <= 1.25 * LOOK_EVERY for seconds in waited)
