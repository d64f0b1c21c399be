"""What user data wrote."""

from __future__ import annotations

import json

import pytest

from coiled_pulumi.errors import CoiledPulumiError
from coiled_pulumi.node.identity import Identity, read_identity

_GOOD = {
    "version": 1,
    "workspace": "w",
    "cluster": "c",
    "role": "worker",
    "group": "big",
    "region": "us-east-1",
}


def test_a_machine_knows_its_names(tmp_path):
    file = tmp_path / "node.json"
    file.write_text(json.dumps(_GOOD | {"later": "unknown"}))

    assert read_identity(file) == Identity("w", "c", "worker", "big", "us-east-1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps(_GOOD | {"version": 2}), "version: must be 1, got 2"),
        (json.dumps(_GOOD | {"role": "client"}), "role: must be scheduler or worker, got 'client'"),
        (json.dumps({key: value for key, value in _GOOD.items() if key != "region"}), "KeyError('region')"),
    ],
)
def test_what_is_not_ours_is_refused(tmp_path, text, said):
    file = tmp_path / "node.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(CoiledPulumiError) as caught:
        read_identity(file)
    assert said in caught.value.what
