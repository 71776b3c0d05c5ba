"""cashews as its README has it; with its local level it speaks RESP2, without which it hears no invalidation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cashews import Cache


class Peer:
    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def cached(self, load: Any) -> Any:
        @self.cache(ttl=600, key="product:{number}")
        async def product(number: int) -> dict[str, Any]:
            return await load(number)

        return product

    async def set(self, key: str, value: object) -> None:
        await self.cache.set(key, value, expire=600)

    async def get(self, key: str) -> Any:
        return await self.cache.get(key)


@asynccontextmanager
async def connect(url: str, _: int, local: bool) -> AsyncIterator[Peer]:
    cache = Cache()
    cache.setup(f"{url}?protocol=2" if local else url, client_side=local)
    yield Peer(cache)
    await cache.close()
