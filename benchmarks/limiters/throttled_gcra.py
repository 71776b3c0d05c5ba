"""throttled-py: GCRA over redis-py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from throttled.asyncio import RateLimiterType, RedisStore, Throttled
from throttled.rate_limiter import per_duration

from benchmarks.limiters.limiter import Limiter


@asynccontextmanager
async def connect(url: str, limit: int, per: int) -> AsyncIterator[Limiter]:
    store = RedisStore(server=url, options={"CONNECTION_POOL_KWARGS": {"max_connections": 1000}})
    quota = per_duration(timedelta(seconds=per), limit, limit)
    throttle = Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=store)

    yield Limiter(throttle.limit, lambda result: not result.limited)
