"""A cache beside the store: the guides use both."""

from collections.abc import Iterator

import pytest

from redyard.engine.find import Engine
from tests.support.servers import Server


@pytest.fixture(scope="session")
def shared_cache(engine: Engine) -> Iterator[Server]:
    """One cache for all guides."""
    server = Server(engine, role="cache")
    yield server
    server.close()


@pytest.fixture
def cache(shared_cache: Server) -> Server:
    """An empty cache."""
    shared_cache.admin("FLUSHALL")
    return shared_cache
