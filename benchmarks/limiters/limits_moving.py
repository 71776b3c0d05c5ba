"""limits: the moving window, its exact rule, over redis-py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from benchmarks.limiters.limiter import Limiter


@asynccontextmanager
async def connect(url: str, limit: int, per: int) -> AsyncIterator[Limiter]:
    storage = RedisStorage(f"async+{url}", implementation="redispy", max_connections=1000)
    limiter, item = MovingWindowRateLimiter(storage), RateLimitItemPerSecond(limit, per)

    yield Limiter(partial(limiter.hit, item), bool)
    await storage.bridge.storage.aclose()
