"""No cache: redis-py's GET and SET with json, on a pool of 50 connections."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis


class Peer:
    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def cached(self, load: Any) -> Any:
        async def product(number: int) -> Any:
            text = await self.redis.get(f"product:{number}")
            if text is not None:
                return json.loads(text)
            value = await load(number)
            await self.redis.set(f"product:{number}", json.dumps(value), ex=600)
            return value

        return product


@asynccontextmanager
async def connect(url: str, _: int, __: bool) -> AsyncIterator[Peer]:
    pool = BlockingConnectionPool.from_url(url, max_connections=50, timeout=None)
    async with Redis(connection_pool=pool) as redis:
        yield Peer(redis)
    await pool.disconnect()
