"""cashews: its sliding window, as its decorator asks for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cashews import Cache, RateLimitError

from benchmarks.limiters.limiter import Limiter


@asynccontextmanager
async def connect(url: str, limit: int, per: int) -> AsyncIterator[Limiter]:
    cache = Cache()
    cache.setup(url, max_connections=1000)

    @cache.slice_rate_limit(limit=limit, period=per, key="{client}")
    async def work(client: str) -> None: ...

    async def allowed(client: str) -> bool:
        try:
            await work(client)
        except RateLimitError:
            return False
        return True

    yield Limiter(allowed, bool)
    await cache.close()
