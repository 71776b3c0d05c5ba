"""Clients for these tests; two of them on one server are as two processes."""

from collections.abc import AsyncIterator

import pytest

from redyard import Redis
from tests.support.clients import client, decode, own_redis, redis
from tests.support.servers import Server

__all__ = ["decode", "other", "own_redis", "redis"]


@pytest.fixture
async def other(server: Server) -> AsyncIterator[Redis]:
    """Another process's client of the same store."""
    async with client(server.url) as made:
        yield made
