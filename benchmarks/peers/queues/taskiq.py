"""taskiq on its stream broker, the one that acknowledges."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker


@asynccontextmanager
async def producer(url: str) -> AsyncIterator[Callable[[str], Any]]:
    broker, task = declared(url, lambda _: None)
    await broker.startup()
    yield task.kiq
    await broker.shutdown()


def declared(url: str, run: Callable[[str], None]) -> tuple[RedisStreamBroker, Any]:
    async def noop(payload: str) -> None:
        run(payload)

    broker = RedisStreamBroker(url)
    return broker, broker.register_task(noop, task_name="noop")


async def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    broker, _ = declared(url, ran)
    broker.is_worker_process = True
    await run_receiver_task(broker, max_async_tasks=concurrency, run_startup=True)
