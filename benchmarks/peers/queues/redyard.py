"""Redyard as an app uses it, with its defaults."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redyard import Queue, Redis, Worker


@asynccontextmanager
async def producer(url: str) -> AsyncIterator[Callable[[str], Any]]:
    async with Redis.from_url(url) as client:
        queue = Queue(client, "bench")
        yield lambda payload: queue.add("noop", payload)


async def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    async def noop(job: Any) -> None:
        ran(job.data)

    async with Redis.from_url(url) as client:
        await Worker(Queue(client, "bench"), noop, concurrency=concurrency).run()
