"""Jobs: functions whose calls are jobs, and a worker. `redyard run -- python examples/job_queue.py`

Not queue.py: a script's directory comes first in Python's path, and asyncio needs the standard library's `queue`.
"""

import asyncio

from redyard import Queue, Redis, Worker
from redyard.queue import current_job, report_progress

redis = Redis.from_env()
queue = Queue(redis, "pictures", attempts=3, backoff=0.1)


@queue.job
async def resize(picture: str, width: int = 640) -> dict[str, object]:
    """Do one job; whatever is JSON can be its result. An exception means another attempt after a pause."""
    made = current_job().attempts_made
    await current_job().log(f"attempt {made + 1}")
    if picture == "blurred.png" and made == 0:
        raise OSError("the picture is still being uploaded")
    return {"picture": picture, "width": width}


@queue.job
def describe(pictures: list[str]) -> str:
    """A function that is not async runs in a thread; it can tell how far it is, too."""
    for done, _ in enumerate(pictures, 1):
        report_progress(100 * done // len(pictures))
    return f"{len(pictures)} pictures"


@queue.job(pool="process")
def count_colours(pixels: list[int]) -> int:
    """Work for a CPU runs in a child process: it cannot stop the worker, and neither can its death."""
    return len(set(pixels))


async def main() -> None:
    """Add jobs and wait for them, beside a worker in the same process."""
    worker = Worker(queue, concurrency=5)
    running = asyncio.create_task(worker.run())
    for picture in ("sharp.png", "blurred.png"):
        job = await resize.enqueue(picture)
        print("result:", await job.result(timeout=10), "log:", await job.logs())
    print("in a process:", await (await count_colours.enqueue([1, 2, 2, 3])).result(timeout=20))
    job = await describe.options(delay=0.2).enqueue(["a.png", "b.png"])
    print("progress:", [percent async for percent in job.progress_updates()][-1], "then:", await job.result())
    later = resize.options(job_id="only-once", delay=60)
    print("added twice, there once:", (await later.enqueue("x.png")).id == (await later.enqueue("x.png")).id)
    await queue.schedulers.upsert("every-night", "describe", {"pictures": []}, cron="0 4 * * *", tz="Europe/Berlin")
    print("counts:", {state: count for state, count in (await queue.counts()).items() if count})
    worker.stop()  # it finishes what it has in hand; with run(handle_signals=True) SIGTERM does this
    await running
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main())
