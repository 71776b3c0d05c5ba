"""A job as it is seen from outside and from its handler."""

from redyard import Queue, Worker
from redyard.queue.job import Job
from tests.support.wait import until
from tests.support.workers import Gate, echo, running


async def test_a_job_knows_where_it_is(redis):
    """Through all states of its life."""
    queue, gate, seen = Queue(redis, "q", attempts=1), Gate(), []
    waiting = await queue.add("a")
    delayed = await queue.add("b", delay=60)
    prioritized = await queue.add("c", priority=1)
    seen += [await job.state() for job in (waiting, delayed, prioritized)]
    async with running(Worker(queue, gate)):
        await until(lambda: waiting.id in gate.entered)
        seen.append(await waiting.state())
        gate.open.set()
        await waiting.result(5)
        seen.append(await waiting.state())
    await redis.delete(f"bull:q:{waiting.id}")
    await redis.zrem("bull:q:completed", waiting.id)
    seen.append(await waiting.state())

    assert ["waiting", "delayed", "prioritized", "active", "completed", "unknown"] == seen


async def test_a_handler_tells_how_far_it_is(redis):
    """Progress and log are there for others while the job runs, and stay."""
    queue, gate = Queue(redis, "q"), Gate()

    async def handle(job):
        await job.update_progress({"percent": 40})
        await job.log("half-way é")
        await gate(job)
        await job.update_progress(100)

    async with running(Worker(queue, handle)):
        job = await queue.add("a")
        await until(lambda: gate.entered)
        half = await queue.get(job.id)
        gate.open.set()
        await job.result(5)
    done = await queue.get(job.id)

    assert {"percent": 40} == half.progress
    assert ["half-way é"] == await half.logs()
    assert 100 == done.progress
    progress = [event[b"data"] for _, event in await redis.xrange("bull:q:events") if event[b"event"] == b"progress"]
    assert [b'{"percent":40}', b"100"] == progress


async def test_what_a_removed_job_tells_is_dropped(redis):
    """It does not come back half."""
    queue = Queue(redis, "q")
    job = await queue.add("a")
    await redis.delete(f"bull:q:{job.id}")
    await job.log("a line")
    await job.update_progress(1)

    assert not await redis.exists(f"bull:q:{job.id}", f"bull:q:{job.id}:logs")


async def test_a_log_keeps_its_last_thousand_lines(redis):
    """A handler that logs in a loop does not fill memory."""
    job = await Queue(redis, "q").add("a")
    await redis.rpush(f"bull:q:{job.id}:logs", *range(1000))
    await job.log("last")
    lines = await job.logs()

    assert (1000, "1", "last") == (len(lines), lines[0], lines[-1])


async def test_a_finished_job_has_its_times(redis):
    """Added, taken and finished, in seconds."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)):
        added = await queue.add("a", 5)
        await added.result(5)
    job = await queue.get(added.id)

    assert job.added_at <= job.processed_at <= job.finished_at
    assert (5, None, 1, 1, 0) == (
        job.return_value, job.failed_reason, job.attempts_made, job.attempts_started, job.stalls
    )  # fmt: skip


def test_a_job_shows_itself_briefly():
    """Without its data, which may be private."""
    fields = {b"name": b"mail", b"data": b'{"secret":1}'}
    queue = type("Named", (), {"name": "q"})()

    assert "<Job 7 'mail' of 'q'>" == repr(Job(queue, "7", fields))
