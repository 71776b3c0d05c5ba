"""Adding jobs and looking at them."""

import asyncio
import json

import pytest

from redyard import Queue, Redis, Worker
from redyard.errors import BadKey, EvictingServer, InvalidValue, NotJSON
from tests.support.clients import client
from tests.support.wait import until
from tests.support.workers import echo, running


async def test_a_job_comes_back_as_it_was_added(server, decode):
    """With every kind of client."""
    async with client(server.url, decode_responses=decode) as redis:
        queue = Queue(redis, "q")
        added = await queue.add("greet", {"to": "Ada é", "n": 2**53})
        found = await queue.get(added.id)

    assert (added.id, "greet", {"to": "Ada é", "n": 2**53}, 0, 0, None) == (
        found.id, found.name, found.data, found.attempts_made, found.progress, found.finished_at
    )  # fmt: skip
    assert added.added_at == found.added_at


async def test_a_job_is_stored_as_bullmq_stores_it(redis):
    """Keys, fields and units are Node's."""
    await Queue(redis, "q", attempts=3, backoff=2.0).add("greet", {"a": 1}, delay=60, job_id="once")
    fields = await redis.hgetall("bull:q:once")
    event = (await redis.xrange("bull:q:events"))[0][1]

    assert b"greet" == fields[b"name"]
    assert b'{"a":1}' == fields[b"data"]
    assert b"60000" == fields[b"delay"]
    assert {"type": "exponential", "delay": 2000} == json.loads(fields[b"opts"])["backoff"]
    assert {b"event": b"added", b"jobId": b"once", b"name": b"greet"} == event
    score = await redis.zscore("bull:q:delayed", "once")
    assert int(fields[b"timestamp"]) + 60_000 == int(score) // 4096


async def test_counts_are_of_each_state(redis):
    """Waiting, prioritized and delayed jobs are told apart."""
    queue = Queue(redis, "q")
    await queue.add("a")
    await queue.add("b", priority=1)
    await queue.add("c", delay=60)
    await queue.add("d", delay=60, priority=2)

    expected = {
        "waiting": 1,
        "prioritized": 1,
        "delayed": 2,
        "active": 0,
        "waiting-children": 0,
        "completed": 0,
        "failed": 0,
    }
    assert expected == await queue.counts()


async def test_jobs_run_in_order(redis):
    """First those without a priority as they came, then by priority, equal ones as they came."""
    queue, ran = Queue(redis, "q"), []
    for name, priority in [("e", 9), ("c", 2), ("a", 0), ("d", 2), ("b", 0)]:
        await queue.add(name, priority=priority)

    async def handle(job):
        ran.append(job.name)

    async with running(Worker(queue, handle, concurrency=1)):
        await until(lambda: len(ran) == 5)

    assert ["a", "b", "c", "d", "e"] == ran


async def test_delayed_jobs_run_when_they_are_due(redis):
    """In the order of their times, and on the spot."""
    queue, ran = Queue(redis, "q"), []

    async def handle(job):
        ran.append((job.name, asyncio.get_running_loop().time()))

    start = asyncio.get_running_loop().time()
    async with running(Worker(queue, handle)):
        for name, delay in [("late", 0.4), ("soon", 0.2), ("now", 0)]:
            await queue.add(name, delay=delay)
        await until(lambda: len(ran) == 3)

    assert ["now", "soon", "late"] == [name for name, _ in ran]
    assert all(
        due - 0.01 <= at - start < due + 0.3 for (_, at), due in zip(ran, (0, 0.2, 0.4), strict=True)
    )  # fmt: skip


async def test_a_delayed_job_keeps_its_priority(redis):
    """When it is due it is one of the prioritized."""
    queue, ran = Queue(redis, "q"), []
    await queue.add("second", priority=5, delay=0.001)
    await queue.add("first", priority=1)

    async def handle(job):
        ran.append(job.name)

    await until(lambda: due(redis))
    async with running(Worker(queue, handle, concurrency=1)):
        await until(lambda: len(ran) == 2)

    assert ["first", "second"] == ran


async def due(redis):
    seconds, micros = await redis.time()
    return int((await redis.zrange("bull:q:delayed", 0, 0, withscores=True))[0][1]) // 4096 < (
        seconds * 1000 + micros // 1000
    )


async def test_an_id_of_ones_own_is_added_once(redis):
    """Also by many at the same time; all get the same job."""
    queue = Queue(redis, "q")
    jobs = await asyncio.gather(*(queue.add("pay", {"n": n}, job_id="invoice-7") for n in range(20)))

    assert {"invoice-7"} == {job.id for job in jobs}
    assert 1 == len({job.data["n"] for job in jobs})
    assert 1 == (await queue.counts())["waiting"]


@pytest.mark.parametrize("job_id", ["7", "", "a:b", "wait", "active", "meta", "id", "events", "a\nb", "repeat", "pc"])
async def test_an_id_that_cannot_be_one_is_refused(redis, job_id):
    """Numbers are the queue's own, and no job may overwrite a key of the queue."""
    with pytest.raises(BadKey):
        await Queue(redis, "q").add("a", job_id=job_id)

    assert 0 == await redis.dbsize()


@pytest.mark.parametrize("name", ["", "a:b", "a\0"])
def test_a_queue_needs_a_good_name(name):
    """A colon would end the name."""
    with pytest.raises(BadKey):
        Queue(Redis.from_url("redis://h"), name)


@pytest.mark.parametrize("options", [{"delay": -1}, {"delay": float("inf")}, {"priority": -1}, {"priority": 2**21}])
async def test_a_delay_or_priority_out_of_range_is_refused(redis, options):
    """Nothing is added."""
    with pytest.raises(InvalidValue):
        await Queue(redis, "q").add("a", **options)

    assert 0 == await redis.dbsize()


async def test_data_that_are_no_json_are_refused(redis):
    """The error names the job."""
    with pytest.raises(NotJSON, match="'greet'"):
        await Queue(redis, "q").add("greet", {"a": object()})


@pytest.mark.parametrize("use", [lambda queue: queue.add("a"), lambda queue: queue.get("1"), Queue.counts])
async def test_an_evicting_server_is_refused_at_first_use(server, redis, use):
    """Jobs would vanish there without a word; the override is explicit."""
    server.admin("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    try:
        with pytest.raises(EvictingServer, match=r"the queue 'q'.*volatile-lru"):
            await use(Queue(redis, "q"))
        await use(Queue(redis, "q", allow_eviction=True))
    finally:
        server.admin("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_events_are_trimmed(redis):
    """The stream keeps about 10,000."""
    for _ in range(100):
        async with redis.pipeline(transaction=False) as pipe:
            for _ in range(110):
                pipe.xadd("bull:q:events", {"event": "old", "jobId": "0"})
            await pipe.execute()
    await Queue(redis, "q").add("a")

    assert 10_000 <= await redis.xlen("bull:q:events") < 10_200


async def test_the_app_has_the_rights_that_it_takes(server, redis):
    """The add-on's user may do all that a queue does."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)):
        job = await queue.add("a", 1)

        assert 1 == await job.result(5)
