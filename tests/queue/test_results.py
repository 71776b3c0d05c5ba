"""Waiting for a job's end."""

import asyncio

import pytest

from redyard import Queue, Worker
from redyard.errors import JobFailed, ResultLate, UnknownJob
from tests.support.clients import client, restart
from tests.support.queues import blocked
from tests.support.wait import until
from tests.support.workers import Gate, echo, running


@pytest.mark.parametrize("value", [None, 0, "é", [1, {"a": None}], {"n": 1.5}])
async def test_a_result_is_what_the_handler_returned(redis, value):
    """Any JSON value, None among them."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)):
        job = await queue.add("a", value)

        assert value == await job.result(5)


async def test_a_job_that_has_ended_answers_at_once(redis):
    """The end is read where no event will tell of it any more."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)):
        job = await queue.add("a", 1)
        await job.result(5)
    await redis.xtrim("bull:q:events", maxlen=0)

    assert 1 == await job.result(0.5)


async def test_a_failed_job_raises(redis):
    """With the reason of its last attempt."""
    queue = Queue(redis, "q", attempts=2, backoff=0.01)

    async def handle(job):
        raise ValueError(f"no {job.name}")

    async with running(Worker(queue, handle)):
        job = await queue.add("luck")
        with pytest.raises(JobFailed, match=r"job \w+ \(luck\) failed: no luck"):
            await job.result(5)
        with pytest.raises(JobFailed):
            await job.result(5)


async def test_a_job_that_first_failed_and_then_went_well_has_a_result(redis):
    """The reason of an earlier attempt does not count."""
    queue = Queue(redis, "q", attempts=2, backoff=0.01)

    async def handle(job):
        if job.attempts_made == 0:
            raise ValueError
        return "well"

    async with running(Worker(queue, handle)):
        job = await queue.add("a")
        assert "well" == await job.result(5)
    assert "well" == await job.result(5)


async def test_a_result_that_takes_too_long_is_late(redis):
    """The job goes on, and can be waited for again."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(Worker(queue, gate)):
        job = await queue.add("a", 1)
        with pytest.raises(ResultLate, match=r"0\.05 s"):
            await job.result(0.05)
        gate.open.set()

        assert 1 == await job.result(5)


@pytest.mark.parametrize("name", ["good", "bad"])
async def test_a_job_that_is_removed_as_it_ends_still_has_a_result(redis, name):
    """The event tells it, also to those who ask afterwards."""
    queue = Queue(redis, "q", attempts=1, remove_on_complete=True, remove_on_fail=0)

    async def handle(job):
        if job.name == "bad":
            raise ValueError("broken")
        return "well"

    async with running(Worker(queue, handle)):
        job = await queue.add(name)
        for _ in range(2):
            if name == "good":
                assert "well" == await job.result(5)
            else:
                with pytest.raises(JobFailed, match="broken"):
                    await job.result(5)
    assert await queue.get(job.id) is None


async def test_a_job_that_nobody_knows_is_an_error(redis):
    """Not a wait until the time is over."""
    queue = Queue(redis, "q")
    job = await queue.add("a")
    await redis.delete(f"bull:q:{job.id}", "bull:q:wait")
    with pytest.raises(UnknownJob, match="the queue q has no job"):
        await job.result(5)


async def test_many_who_wait_share_one_reader(redis):
    """Hundreds of waits hold one blocked connection beside the worker's."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(Worker(queue, gate, concurrency=200)):
        jobs = [await queue.add("a", n) for n in range(200)]
        results = [asyncio.create_task(job.result(10)) for job in jobs]
        await until(lambda: len(gate.entered) == 200)
        readers = await until(lambda: blocked(redis))
        gate.open.set()

        assert list(range(200)) == await asyncio.gather(*results)
    assert readers <= 2


async def test_nobody_listens_when_nobody_waits(redis):
    """The reader ends with the last who waits: at the next event, or when its read runs out."""
    queue = Queue(redis, "q")
    job = await queue.add("a")
    waiting = asyncio.create_task(job.result(30))
    await until(lambda: blocked(redis))
    waiting.cancel()
    await asyncio.wait([waiting])
    await queue.add("b")

    await until(lambda: nobody_blocked(redis))


async def nobody_blocked(redis):
    return await blocked(redis) == 0


async def test_a_wait_survives_a_restart_of_redis(own_server):
    """The end is heard of afterwards."""
    async with client(own_server.url) as redis:
        queue, gate = Queue(redis, "q"), Gate()
        async with running(Worker(queue, gate)):
            job = await queue.add("a", 1)
            waiting = asyncio.create_task(job.result(20))
            await until(lambda: gate.entered)
            await until(lambda: two_blocked(redis))
            await restart(own_server)
            gate.open.set()

            assert 1 == await waiting


async def two_blocked(redis):
    return await blocked(redis) == 2
