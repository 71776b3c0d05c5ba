"""redis-py as it is shipped, with as many connections as callers: its own bound of 100 is an error beyond."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis


@asynccontextmanager
async def connect(url: str, callers: int) -> AsyncIterator[Redis]:
    async with Redis.from_url(url, max_connections=callers) as client:
        yield client
