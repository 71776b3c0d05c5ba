"""fastapi-alcazaba: its limiter by hand, with its memory of refusals, breaker and timeout."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi_alcazaba.backends.redis import RedisBackend
from fastapi_alcazaba.cache import Cache
from fastapi_alcazaba.limiter import FastAPIRateLimiter
from redis.asyncio import Redis

from benchmarks.limiters.limiter import Limiter


@asynccontextmanager
async def connect(url: str, limit: int, per: int) -> AsyncIterator[Limiter]:
    async with Redis.from_url(url, max_connections=1000) as redis:
        cache = Cache(RedisBackend(redis), prefix="bench")
        limiter = FastAPIRateLimiter(limit, seconds=per, name="bench", identifier=lambda _: "", cache=cache)
        yield Limiter(partial(limiter.hit, None), lambda wait: wait is None)
