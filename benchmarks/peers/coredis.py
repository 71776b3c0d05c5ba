"""coredis as it is shipped, with its optimised mode on (COREDIS_OPTIMIZED)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from coredis import Redis


@asynccontextmanager
async def connect(url: str, _: int) -> AsyncIterator[Redis]:
    async with Redis.from_url(url) as client:
        yield client
