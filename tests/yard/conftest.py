"""A running yard for the tests of what somebody else runs."""

from collections.abc import Iterator

import pytest

from tests.support.yards import Sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """A yard that begins without an add-on."""
    sandbox = Sandbox()
    sandbox.json("up", "--detach")
    yield sandbox
    sandbox.close()
