"""Options of jobs at work: many at once, order, likes of them, sizes, a server that is away."""

import asyncio

import pytest
from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004 - redis-py's names

from redyard import Queue, Worker
from redyard.errors import JobTooLarge, ServerFull
from redyard.queue import Backoff, Deduplication, Keep
from tests.support.clients import client
from tests.support.queues import state_is
from tests.support.wait import until
from tests.support.workers import Gate, echo, running


async def test_many_jobs_are_added_at_once(redis):
    """In their order, each with its options, more than fit into one write."""
    queue, ran = Queue(redis, "q", remove_on_complete=False), []

    async def handle(job):
        ran.append(job.data)

    jobs = await queue.add_bulk([*(("a", n) for n in range(1200)), ("b", 1200, {"delay": 60})])
    async with running(Worker(queue, handle, concurrency=1)):
        await until(lambda: len(ran) == 1200)

    assert list(range(1200)) == ran
    assert (1201, "delayed") == (len({job.id for job in jobs}), await jobs[-1].state())


async def test_many_are_added_although_the_server_forgot_the_script(redis):
    """Each is there once."""
    queue = Queue(redis, "q")
    await redis.script_flush()
    await queue.add_bulk([("a", n) for n in range(5)])

    assert 5 == (await queue.counts())["waiting"]


async def test_the_last_in_may_be_the_first_out(redis):
    """A job that asks for it goes to the front."""
    queue, ran = Queue(redis, "q"), []

    async def handle(job):
        ran.append(job.name)

    await queue.add("a")
    await queue.add("b")
    await queue.add("c", lifo=True)
    async with running(Worker(queue, handle, concurrency=1)):
        await until(lambda: len(ran) == 3)

    assert ["c", "a", "b"] == ran


async def test_a_like_job_is_dropped_while_the_first_has_not_finished(redis):
    """Who adds it gets the first one; afterwards there may be another."""
    queue, gate = Queue(redis, "q"), Gate()
    first = await queue.add("a", 1, deduplication="a")
    same = await queue.add("a", 2, deduplication="a")
    async with running(Worker(queue, gate)):
        await until(lambda: gate.entered)
        still = await queue.add("a", 3, deduplication="a")
        gate.open.set()
        await first.result(5)
        other = await queue.add("a", 4, deduplication="a")
        await other.result(5)

    assert first.id == same.id == still.id != other.id
    assert 1 == same.data


async def test_a_like_job_is_dropped_for_some_time(redis):
    """Throttled: also when the first has finished."""
    queue = Queue(redis, "q")
    rule = Deduplication("a", ttl=0.5)
    async with running(Worker(queue, echo)):
        first = await queue.add("a", deduplication=rule)
        await first.result(5)
        same = await queue.add("a", deduplication=rule)
        await until(lambda: gone(redis, "bull:q:de:a"))
        other = await queue.add("a", deduplication=rule)

    assert first.id == same.id != other.id


async def gone(redis, key):
    return not await redis.exists(key)


async def test_the_newest_of_like_jobs_runs(redis):
    """Debounced: each replaces the one that waits for its time, and starts it anew."""
    queue, ran = Queue(redis, "q"), []

    async def handle(job):
        ran.append(job.data)

    rule = Deduplication("a", ttl=0.3, extend=True, replace=True)
    for n in range(3):
        await queue.add("a", n, delay=0.3, deduplication=rule)
    async with running(Worker(queue, handle)):
        await until(lambda: ran)
        await until(lambda: idle(queue))

    assert [2] == ran


async def idle(queue):
    counts = await queue.counts()
    return not any(counts[state] for state in ("waiting", "delayed", "active"))


async def test_data_beyond_the_size_limit_are_refused(redis):
    """The error says how large they are."""
    queue = Queue(redis, "q", size_limit=100)
    await queue.add("small", "x" * 98)
    with pytest.raises(JobTooLarge, match=r"'large'.*101 bytes"):
        await queue.add("large", "x" * 99)


async def test_finished_jobs_are_kept_by_age(redis):
    """The older ones go when the next one ends."""
    queue = Queue(redis, "q", remove_on_complete=Keep(age=1))
    async with running(Worker(queue, echo)):
        old = await queue.add("a")
        await old.result(5)
        await redis.zadd("bull:q:completed", {old.id: 1})
        await (await queue.add("b")).result(5)

    assert "unknown" == await old.state()


async def test_a_job_has_its_own_rules(redis):
    """Beside the queue's."""
    queue, times = Queue(redis, "q", attempts=1), []

    async def handle(job):
        times.append(asyncio.get_running_loop().time())
        raise ValueError

    async with running(Worker(queue, handle)):
        job = await queue.add("a", attempts=3, backoff=Backoff("fixed", 0.1))
        await until(lambda: state_is(job, "failed"))

    assert 3 == len(times)


async def test_a_worker_has_a_rule_of_its_own_for_pauses(redis):
    """For kinds of backoff that BullMQ has not."""
    queue, asked = Queue(redis, "q", attempts=3, backoff=Backoff("mine")), []

    async def handle(job):
        raise ValueError

    def rule(attempts_made):
        asked.append(attempts_made)
        return 0.01

    async with running(Worker(queue, handle, backoff=rule)):
        job = await queue.add("a")
        await until(lambda: state_is(job, "failed"))

    assert [1, 2] == asked


async def test_adding_fails_in_time_when_redis_is_away(own_server):
    """And says so; it does not hang."""
    async with client(own_server.url) as redis:
        queue = Queue(redis, "q", timeout=0.3)
        await queue.add("a")
        own_server.pause()
        try:
            with pytest.raises((TimeoutError, ConnectionError), match=r"0.3 s"):
                await asyncio.wait_for(queue.add("b"), 3)
        finally:
            own_server.resume()


async def test_a_full_server_refuses_jobs_clearly(own_server):
    """One by one, in bulk and as a flow; what it refused is not half there."""
    from redyard.queue import Flow

    async with client(own_server.url) as redis:
        queue = Queue(redis, "q")
        await queue.add("a")
        own_server.admin("CONFIG", "SET", "maxmemory", "1")
        for add in (
            queue.add("a"),
            queue.add("a", delay=5),
            queue.add("a", priority=5),
            queue.add_bulk([("a", 1)] * 3),
            queue.add_flow(Flow("a", children=[Flow("b")])),
        ):
            with pytest.raises(ServerFull):
                await add
        own_server.admin("CONFIG", "SET", "maxmemory", "0")

        assert 1 == sum((await queue.counts()).values())
