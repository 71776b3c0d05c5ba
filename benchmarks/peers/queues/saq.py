"""SAQ as it is shipped."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue, Worker


@asynccontextmanager
async def producer(url: str) -> AsyncIterator[Callable[[str], Any]]:
    queue = Queue.from_url(url)
    await queue.connect()
    yield lambda payload: queue.enqueue("noop", payload=payload)
    await queue.disconnect()


async def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    async def noop(_: Any, *, payload: str) -> None:
        ran(payload)

    await Worker(Queue.from_url(url), [("noop", noop)], concurrency=concurrency).start()
