"""Jobs: add some, run them in a worker, wait for a result. `redyard run -- python examples/job_queue.py`

Not queue.py: a script's directory comes first in Python's path, and asyncio needs the standard library's `queue`.
"""

import asyncio

from redyard import Job, Queue, Redis, Worker


async def resize(job: Job) -> dict[str, object]:
    """Do one job; whatever is JSON can be its result. An exception means another attempt after a pause."""
    await job.log(f"attempt {job.attempts_made + 1}")
    if job.data["picture"] == "blurred.png" and job.attempts_made == 0:
        raise OSError("the picture is still being uploaded")
    for percent in (50, 100):
        await job.update_progress(percent)
    return {"picture": job.data["picture"], "width": 640}


async def main() -> None:
    """Add two jobs, one of which succeeds at its second attempt."""
    async with Redis.from_env() as redis:
        queue = Queue(redis, "pictures", attempts=3, backoff=0.1)
        worker = Worker(queue, resize, concurrency=5)
        running = asyncio.create_task(worker.run())

        for picture in ("sharp.png", "blurred.png"):
            job = await queue.add("resize", {"picture": picture})
            print("result:", await job.result(timeout=10))
            seen = await queue.get(job.id)
            if seen:
                print("state:", await seen.state(), "progress:", seen.progress, "log:", await seen.logs())

        once = await queue.add("resize", {"picture": "sharp.png"}, job_id="only-once", delay=60)
        again = await queue.add("resize", {"picture": "sharp.png"}, job_id="only-once", delay=60)
        print("added twice, there once:", once.id == again.id)
        print("counts:", await queue.counts())

        worker.stop()  # it finishes what it has in hand; with run(handle_signals=True) SIGTERM does this
        await running


if __name__ == "__main__":
    asyncio.run(main())
