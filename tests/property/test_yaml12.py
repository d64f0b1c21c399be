"""The reader agrees with others where they agree with each other."""

import json
import string

import yaml
from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.spec import yaml12

text = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=20) | st.text(
    string.printable.replace("\x0b", "").replace("\x0c", ""), max_size=20
)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)


def _documents(keys, scalars):
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


@given(_documents(text, st.none() | st.booleans() | numbers | text), st.sampled_from([None, 2]))
def test_a_json_document_means_the_same(value, indent):
    # A mapping's keys are always text in JSON; `<<` is refused unless it is quoted, as it is here.
    assert yaml12.read(json.dumps(value, ensure_ascii=False, indent=indent)).value == value


plain = text.filter(lambda text: yaml12.resolve(text) == text)


@given(_documents(plain, st.none() | st.booleans() | numbers | plain))
def test_what_pyyaml_writes_means_the_same(value):
    # PyYAML quotes what YAML 1.1 takes for something else than text; `plain` leaves out what only 1.2 does.
    written = yaml.dump(value, Dumper=_NoAliases)

    assert yaml12.read(written).value == yaml.safe_load(written) == value


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


@given(st.text("01eE+-._xob:yesnoYESNOtruefalsTRUEFALS~null", max_size=8))
def test_a_scalar_is_never_another_number_than_in_python(text):
    value = yaml12.resolve(text)
    if isinstance(value, int | float) and not isinstance(value, bool) and "." not in text[:2]:
        assert value == float(text)
