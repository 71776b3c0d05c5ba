"""limits: the fixed window, its fastest rule, over redis-py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter

from benchmarks.limiters.limiter import Limiter


@asynccontextmanager
async def connect(url: str, limit: int, per: int) -> AsyncIterator[Limiter]:
    storage = RedisStorage(f"async+{url}", implementation="redispy", max_connections=1000)
    limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerSecond(limit, per)

    yield Limiter(partial(limiter.hit, item), bool)
    await storage.bridge.storage.aclose()
