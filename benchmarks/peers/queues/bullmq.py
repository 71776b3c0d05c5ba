"""BullMQ's Python package; jobs are tried and kept as Redyard's are."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bullmq import Queue, Worker

KEPT = {"attempts": 3, "backoff": {"type": "exponential", "delay": 2000}}
KEPT |= {"removeOnComplete": {"count": 100}, "removeOnFail": {"count": 50}}


@asynccontextmanager
async def producer(url: str) -> AsyncIterator[Callable[[str], Any]]:
    queue = Queue("bench", {"connection": url})
    yield lambda payload: queue.add("noop", payload, dict(KEPT))
    await queue.close()


async def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    async def noop(job: Any, _: str) -> None:
        ran(job.data)

    worker = Worker("bench", noop, {"connection": url, "concurrency": concurrency})
    await asyncio.Event().wait()
    await worker.close()
