"""What the machines of a cluster are told: the plan of it, and how a long text is cut into parameters."""

import json

from _support import examples
from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.components.node import PIECE, config_text, cut, pieces_of
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import load

TEXTS = st.text(st.characters(max_codepoint=127), min_size=1, max_size=200) | st.builds(
    "x".__mul__, st.integers(1, 100_000)
)


def _node(**cluster):
    loaded = load.validate({"name": "dev", "clusters": {"main": cluster}}, source="f")
    return build(loaded.workspace).clusters[0].node


@given(TEXTS)
def test_the_pieces_together_are_the_text_and_the_first_says_how_many(text):
    pieces = cut(text, pieces_of(text))
    count, _, rest = "".join(pieces).partition("\n")

    assert rest.rstrip(" ") == text.rstrip(" ")
    assert int(count) == len(pieces)
    assert all(0 < len(piece) <= PIECE for piece in pieces)


@given(st.integers(1, 40), st.integers(-10, 10))
def test_no_text_near_a_border_is_cut_wrong(pieces, off):
    text = "{" + "x" * (pieces * PIECE + off)

    assert "".join(cut(text, pieces_of(text))).partition("\n")[2].rstrip(" ") == text


def test_variables_arrive_as_they_are():
    environ = {"A": 'a "b" $c \\', "B": "ü\n€\t😀", "": ""}
    text = config_text(_node(), environ)

    assert text.isascii()
    assert json.loads(text)["environ"] == environ


def test_the_plan_has_the_names_of_variables_alone():
    node = _node(environ={"TOKEN": "geheim"})

    assert node.environ == ("TOKEN",)
    assert "geheim" not in repr(node)


def test_spans_in_seconds_and_never_as_nothing():
    said = {"idle_timeout": "2h", "no_client_timeout": 90, "scheduler_timeout": "never"}

    assert _node(**said).config["timers"] == {
        "idle": 7200,
        "no_client": 90,
        "lost_scheduler": None,
        "lifetime": None,
    }


def test_another_rotation_is_another_item_of_certificates_and_of_nothing_else():
    before, after = _node(rotation=1), _node(rotation=2)

    assert before.certificates != after.certificates
    assert (before.authority, before.config, before.text) == (after.authority, after.config, after.text)


def test_everything_of_a_cluster_stands_below_its_name():
    for node in (cluster.node for cluster in examples.plan("dev").clusters):
        base = f"/coiled-pulumi/dev/{node.config['cluster']}"
        paths = [node.text.path, node.scheduler.path, node.worker.path]
        assert paths == [f"{base}/config", f"{base}/scheduler", f"{base}/worker"]
