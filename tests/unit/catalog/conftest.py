"""The catalog as it is bundled, in a home of its own."""

import pytest

from coiled_pulumi import catalog


@pytest.fixture(autouse=True)
def _fresh():
    catalog.forget()
    yield
    catalog.forget()
