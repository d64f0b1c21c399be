from __future__ import annotations

import pytest

from coiled_pulumi.errors import UsageError
from coiled_pulumi.local import machines


@pytest.mark.parametrize("count", ["0", "7", "1000"])
def test_variable_says_how_many(monkeypatch: pytest.MonkeyPatch, count: str) -> None:
    monkeypatch.setenv(machines.VARIABLE, count)
    assert machines.default_limit() == int(count)


@pytest.mark.parametrize("text", ["-1", "many", "1.5", "²"])
def test_variable_that_is_no_number_is_an_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(machines.VARIABLE, text)
    with pytest.raises(UsageError, match=f"{machines.VARIABLE} has to be a number, got '{text}'"):
        machines.default_limit()


def test_memory_says_how_many_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(machines.VARIABLE, raising=False)
    assert 0 <= machines.default_limit() <= machines.MOST
