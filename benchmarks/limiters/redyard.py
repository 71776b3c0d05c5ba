"""Redyard as an app uses it: deadline, breaker and memory of refusals on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import attrgetter

from benchmarks.limiters.limiter import Limiter
from redyard.client import Redis
from redyard.ratelimit import RateLimit


@asynccontextmanager
async def connect(url: str, limit: int, per: int) -> AsyncIterator[Limiter]:
    async with Redis.from_url(url) as redis:
        yield Limiter(RateLimit(redis, "bench", limit, per).hit, attrgetter("allowed"))
