"""A second engine, for what one server does when another takes its place."""

from collections.abc import Iterator

import pytest

from redyard.engine.find import Engine
from tests.support.servers import Server


@pytest.fixture
def other_server(engine: Engine) -> Iterator[Server]:
    """A store for this test alone, beside `own_server`."""
    server = Server(engine)
    yield server
    server.close()
