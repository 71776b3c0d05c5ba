"""What must not be lost: jobs of vanished workers, and jobs while Redis is away, hangs or is full."""

import asyncio
import os
import signal
import sys
import textwrap
import time

import pytest

from redyard import Queue, Worker
from redyard.errors import ServerFull
from tests.support.clients import client, heard, restart, start
from tests.support.queues import drained, state_is
from tests.support.wait import until
from tests.support.workers import Gate, echo, running

LOCK = 0.6

VICTIM = textwrap.dedent("""
    import asyncio, sys
    from redyard import Queue, Redis, Worker

    async def handle(job):
        await job.update_progress("mine")
        await asyncio.Event().wait()

    asyncio.run(Worker(Queue(Redis.from_url(sys.argv[1]), "q"), handle, lock=float(sys.argv[2])).run())
""")


async def start_victim(url, queue, job):
    """Start a worker in a process of its own that never ends its job, and kill it when it has the job."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", VICTIM, url, str(LOCK))

    async def has_it():
        found = await queue.get(job.id)
        return found.progress == "mine" and await job.state() == "active"

    await until(has_it)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()


async def test_the_job_of_a_killed_worker_runs_again(server, redis):
    """As soon as its lock has run out, though no attempt was counted."""
    queue = Queue(redis, "q", attempts=1)
    job = await queue.add("a", 7)
    await start_victim(server.url, queue, job)
    with heard() as events:
        async with running(Worker(queue, echo, lock=LOCK)):
            assert 7 == await job.result(10)

    assert 1 == (await queue.get(job.id)).stalls
    assert ["job.stalled"] == [event.kind.name for event in events]


async def test_a_job_that_takes_its_workers_with_it_fails(server, redis):
    """The second time it stalls it is put aside, where it can be seen."""
    queue = Queue(redis, "q")
    job = await queue.add("a")
    await redis.hset(f"bull:q:{job.id}", "stc", 1)
    await start_victim(server.url, queue, job)
    async with running(Worker(queue, echo, lock=LOCK)):
        await until(lambda: state_is(job, "failed"))

    assert "job stalled more than allowable limit" == (await queue.get(job.id)).failed_reason


async def test_a_long_job_keeps_its_lock(redis):
    """It runs once although it takes several times as long as a lock lives."""
    queue, ran = Queue(redis, "q"), []

    async def handle(job):
        ran.append(1)
        over = time.monotonic() + 1
        await until(lambda: time.monotonic() > over)
        return "well"

    async with running(Worker(queue, handle, lock=0.2), Worker(queue, handle, lock=0.2)):
        assert "well" == await (await queue.add("a")).result(5)

    assert [1] == ran


async def test_a_worker_that_lost_its_job_stops_it(redis):
    """The job runs elsewhere; its first handler is cancelled and its outcome dropped."""
    queue, gate, cancelled = Queue(redis, "q"), Gate(), []

    async def handle(job):
        try:
            return await gate(job)
        except asyncio.CancelledError:
            cancelled.append(job.id)
            raise

    with heard() as events:
        async with running(Worker(queue, handle, lock=LOCK)):
            job = await queue.add("a")
            await until(lambda: gate.entered)
            await redis.set(f"bull:q:{job.id}:lock", "somebody else", px=60_000)
            await until(lambda: cancelled)

    assert "active" == await job.state()
    assert ["job.lost"] == [event.kind.name for event in events]


async def test_an_outcome_of_a_lost_job_is_not_written(redis):
    """Who does not hold the lock cannot end the job."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(Worker(queue, gate, lock=60)):
        job = await queue.add("a")
        await until(lambda: gate.entered)
        await redis.set(f"bull:q:{job.id}:lock", "somebody else")
        gate.open.set()
        with heard() as events:
            await until(lambda: events)

    assert "job.lost" == events[0].kind.name
    assert "active" == await job.state()
    assert (await queue.get(job.id)).finished_at is None


@pytest.mark.parametrize("outage", ["restart", "pause"])
async def test_a_worker_outlives_an_outage_of_redis(own_server, outage):
    """Killed and started again, or hanging: no job is lost, none runs twice, and the worker goes on by itself."""
    own_server.admin("CONFIG", "SET", "appendfsync", "always")  # else a second of moves may be lost, and run again
    ran, added = [], 60

    async def handle(job):
        ran.append(job.id)
        await asyncio.sleep(0.02)
        return job.id

    async with client(own_server.url, socket_timeout=0.5) as redis:
        queue = Queue(redis, "q", attempts=1, remove_on_complete=False)
        async with running(Worker(queue, handle, concurrency=4, lock=5)):
            jobs = [await queue.add("a") for _ in range(added)]
            await until(lambda: len(ran) > 10)
            if outage == "restart":
                await restart(own_server)
            else:
                own_server.pause()
                with heard() as events:
                    await until(lambda: events)
                own_server.resume()
            await until(lambda: all_done(queue, added), timeout=20)
        states = [await job.state() for job in jobs]

    assert ["completed"] * added == states
    assert len(set(ran)) == added
    assert len(ran) - added <= 4  # a job whose taking was not answered runs when its lock has run out


async def all_done(queue, count):
    return (await queue.counts())["completed"] == count


async def test_a_job_in_hand_outlives_an_outage_longer_than_its_lock(own_server):
    """The worker takes the lock again before anybody else: the job runs once."""
    async with client(own_server.url) as redis:
        queue, gate = Queue(redis, "q"), Gate()
        async with running(Worker(queue, gate, lock=0.4)):
            job = await queue.add("a", 1)
            await until(lambda: gate.entered)
            await asyncio.to_thread(own_server.kill)
            over = time.monotonic() + 0.5
            await until(lambda: time.monotonic() > over)
            await start(own_server)
            gate.open.set()
            assert 1 == await job.result(10)

    assert [job.id] == gate.entered


async def test_a_worker_started_without_redis_waits_for_it(own_server):
    """And tells that it does."""
    async with client(own_server.url, socket_timeout=0.5) as redis:
        queue = Queue(redis, "q")
        job = await queue.add("a", 3)
        await asyncio.to_thread(own_server.kill)
        with heard() as events:
            async with running(Worker(Queue(redis, "q"), echo)):
                await until(lambda: events)
                await start(own_server)
                await until(lambda: answers(job))

    assert {"redis.away"} == {event.kind.name for event in events}


async def answers(job):
    import redis.exceptions

    try:
        return await job.result(5) == 3
    except redis.exceptions.ConnectionError:
        return False


async def test_a_worker_can_be_stopped_while_redis_is_away(own_server):
    """It does not wait for what may never come back."""
    async with client(own_server.url, socket_timeout=0.5) as redis:
        queue, gate = Queue(redis, "q"), Gate()
        async with running(Worker(queue, gate)):
            await queue.add("a")
            await until(lambda: gate.entered)
            await asyncio.to_thread(own_server.kill)
            gate.open.set()


async def test_a_full_server_can_be_drained(own_server):
    """Taking and ending jobs works although memory is full; adding fails at once."""
    async with client(own_server.url) as redis_:
        queue = Queue(redis_, "q", remove_on_complete=True)
        for _ in range(50):
            job = await queue.add("a", "x" * 1000)
        own_server.admin("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(ServerFull):
            await queue.add("a")
        async with running(Worker(queue, echo)):
            await until(lambda: drained(queue))

        assert "unknown" == await job.state()


@pytest.mark.parametrize("flush", ["FLUSHALL", "SCRIPT FLUSH"])
async def test_a_worker_outlives_what_is_flushed(server, redis, flush):
    """Keys or scripts: the job in hand ends as it can, and the next ones run."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(Worker(queue, gate, lock=LOCK)):
        job = await queue.add("a", 1)
        await until(lambda: gate.entered)
        server.admin(*flush.split())
        gate.open.set()
        jobs = [await queue.add("b", n) for n in range(3)]

        assert [0, 1, 2] == [await each.result(5) for each in jobs]
        assert ("completed" if "SCRIPT" in flush else "unknown") == await job.state()


async def test_a_script_that_breaks_does_not_hold_its_worker(redis):
    """What can never be written is let go, and the other jobs run."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(Worker(queue, gate, concurrency=1, lock=60)):
        job = await queue.add("a")
        await until(lambda: gate.entered)
        await redis.hset(f"bull:q:{job.id}", "parent", "{broken")
        with heard() as events:
            gate.open.set()
            assert 2 == await (await queue.add("b", 2)).result(5)

    assert ["job.lost"] == [event.kind.name for event in events]
