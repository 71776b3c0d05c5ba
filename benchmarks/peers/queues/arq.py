"""arq as it is shipped."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker


@asynccontextmanager
async def producer(url: str) -> AsyncIterator[Callable[[str], Any]]:
    pool = await create_pool(RedisSettings.from_dsn(url))
    yield lambda payload: pool.enqueue_job("noop", payload)
    await pool.aclose()


async def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    async def noop(_: Any, payload: str) -> None:
        ran(payload)

    known = [func(noop, name="noop")]
    await Worker(known, redis_settings=RedisSettings.from_dsn(url), max_jobs=concurrency).async_run()
