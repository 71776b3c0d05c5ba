"""taskiq on its stream broker, the one that acknowledges."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker


@asynccontextmanager
async def producer(url: str) -> AsyncIterator[Callable[[str], Any]]:
    broker = RedisStreamBroker(url)
    await broker.startup()
    noop = broker.register_task(lambda payload: None, task_name="noop")
    yield noop.kiq
    await broker.shutdown()


async def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    async def noop(payload: str) -> None:
        ran(payload)

    broker = RedisStreamBroker(url)
    broker.is_worker_process = True
    broker.register_task(noop, task_name="noop")
    await run_receiver_task(broker, max_async_tasks=concurrency, run_startup=True)
