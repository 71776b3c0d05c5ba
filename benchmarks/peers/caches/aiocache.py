"""aiocache's decorator with its JSON serializer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from aiocache import Cache, cached
from aiocache.serializers import JsonSerializer


class Peer:
    def __init__(self, url: str, connections: int) -> None:
        address = urlsplit(url)
        self.options = {"endpoint": address.hostname, "port": address.port, "pool_max_size": connections}
        self.made: Any = None

    def cached(self, load: Any) -> Any:
        def key(_: Any, number: int) -> str:
            return f"product:{number}"

        @cached(ttl=600, cache=Cache.REDIS, serializer=JsonSerializer(), key_builder=key, **self.options)
        async def product(number: int) -> dict[str, Any]:
            return await load(number)

        self.made = product
        return product


@asynccontextmanager
async def connect(url: str, callers: int, _: bool) -> AsyncIterator[Peer]:
    peer = Peer(url, max(500, callers))  # it raises beyond its pool, and logs it
    yield peer
    await peer.made.cache.close()
