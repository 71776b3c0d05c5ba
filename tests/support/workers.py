"""Workers that run while a test looks."""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

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


class WorkerProcess:
    """A worker in a process of its own, see worker_program."""

    def __init__(self, process: asyncio.subprocess.Process, record: Path) -> None:
        self.process = process
        self.record = record

    def starts(self) -> Counter[str]:
        """How often each job was begun, by this worker and those that share its record."""
        return Counter(self.record.read_text().split())

    def memory(self) -> int:
        """Its resident bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self.process.kill()


@asynccontextmanager
async def worker_process(
    url: str, queue: str, *, record: Path | None = None, **options: Any
) -> AsyncIterator[WorkerProcess]:
    """A worker's process, killed at the end; `record` is another's, whose starts are to be counted, too."""
    with tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp") as directory:
        if record is None:
            record = Path(directory, "starts")
            record.touch()
        words = {"url": url, "queue": queue, "record": str(record), "clock": 0.0, **options}
        command = [sys.executable, "-m", "tests.support.worker_program", json.dumps(words)]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            yield WorkerProcess(process, record)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
