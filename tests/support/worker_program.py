"""A worker in a process of its own, to be killed: `python -m tests.support.worker_program OPTIONS`.

Each start of a job is a line in a file, which outlives worker and server. A job's data say what it does: wait so many
`seconds`, or `hang`; whatever it is, it is also its result.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

from redyard import Job, Queue, Redis, Worker


async def main(*, url: str, queue: str, record: str, clock: float, **options: Any) -> None:
    real = time.time
    time.time = lambda: real() + clock
    starts = os.open(record, os.O_WRONLY | os.O_APPEND)

    async def handle(job: Job) -> Any:
        os.write(starts, f"{job.id}\n".encode())
        if job.data == "hang":
            await job.update_progress("begun")
            await asyncio.Event().wait()
        elif isinstance(job.data, dict):
            await asyncio.sleep(job.data.get("seconds", 0))
        return job.data

    async with Redis.from_url(url) as redis:
        await Worker(Queue(redis, queue), handle, **options).run(handle_signals=True)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
