"""Workers that run while a test looks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redyard import Job, Worker


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    """Run workers; at the end stop them and wait for their jobs."""
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)


async def echo(job: Job) -> object:
    """Return the job's data."""
    return job.data


class Gate:
    """A handler that waits until it is opened."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.open = asyncio.Event()

    async def __call__(self, job: Job) -> object:
        self.entered.append(job.id)
        await self.open.wait()
        return job.data
