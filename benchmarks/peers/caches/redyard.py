"""Redyard's cache as an app uses it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redyard import Cache, Redis


class Peer:
    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def cached(self, load: Any) -> Any:
        @self.cache.cached("product:{number}", ttl=600)
        async def product(number: int) -> dict[str, Any]:
            return await load(number)

        return product

    async def set(self, key: str, value: object) -> None:
        await self.cache.set(key, value)

    async def get(self, key: str) -> Any:
        return await self.cache.get(key)


@asynccontextmanager
async def connect(url: str, _: int, local: bool) -> AsyncIterator[Peer]:
    async with Redis.from_url(url) as redis:
        yield Peer(Cache(redis, local=10_000 if local else 0))
