"""Faults between real processes: workers and servers are killed, stopped, filled and cut off. No job may be lost."""

import asyncio
import contextlib
import time
from collections import Counter

import pytest

from redyard import Queue, Worker
from redyard.errors import ServerFull
from tests.support.clients import client, start
from tests.support.proxy import DOWN, UP, Proxy
from tests.support.queues import blocked, drained
from tests.support.wait import until
from tests.support.workers import running, worker_process

LOCK = 0.8


def keeping(redis, **options):
    """A queue that keeps all its jobs, to be counted."""
    return Queue(redis, "q", remove_on_complete=False, remove_on_fail=False, **options)


async def completions(redis):
    """How often each job was told to be completed."""
    entries = await redis.xrange("bull:q:events")
    told = ({_text(name): _text(value) for name, value in fields.items()} for _, fields in entries)
    return Counter(event["jobId"] for event in told if event["event"] == "completed")


def _text(word):
    return word.decode() if isinstance(word, bytes) else word


async def all_completed(queue, count):
    """Say whether so many jobs are completed and no job is anywhere else."""
    counts = {state: number for state, number in (await queue.counts()).items() if number}
    return counts == {"completed": count}


async def test_the_jobs_of_a_killed_worker_run_in_another(server, redis):
    """All of them, as soon as their locks have run out; those that were done are not run again."""
    queue = keeping(redis)
    jobs = await queue.add_bulk([("a", {"seconds": 0.05})] * 30)
    async with worker_process(server.url, "q", concurrency=5, lock=LOCK) as victim:
        await until(lambda: len(victim.starts()) > 10)
        victim.kill()
        done = (await queue.counts())["completed"]
        async with worker_process(server.url, "q", record=victim.record, concurrency=5, lock=LOCK):
            await until(lambda: all_completed(queue, len(jobs)))
        starts = victim.starts()

    assert done > 0
    assert {job.id for job in jobs} == set(starts)
    assert sum(starts.values()) - len(jobs) <= 5
    assert {1} == set((await completions(redis)).values())


async def test_a_terminated_worker_ends_its_jobs(server, redis):
    """SIGTERM: it takes no more, and each job is begun once."""
    queue = keeping(redis)
    jobs = await queue.add_bulk([("a", {"seconds": 0.1})] * 20)
    async with worker_process(server.url, "q", concurrency=5) as worker:
        await until(lambda: len(worker.starts()) >= 5)
        worker.process.terminate()

        assert 0 == await worker.process.wait()
        counts = await queue.counts()
        begun = len(worker.starts())
        assert (begun, len(jobs) - begun, 0) == (counts["completed"], counts["waiting"], counts["active"])


async def test_a_server_killed_under_load_loses_nothing(own_server):
    """With the add-on's own persistence: what was acknowledged a second before is there, and is completed once."""
    acknowledged = {}
    async with client(own_server.url) as redis, worker_process(own_server.url, "q", lock=LOCK) as worker:
        queue = keeping(redis)
        over = asyncio.Event()
        adding = asyncio.create_task(add_until(over, queue, acknowledged))
        await until(lambda: len(worker.starts()) > 200)
        first = time.monotonic()
        await until(lambda: time.monotonic() > first + 1.1)
        await asyncio.to_thread(own_server.kill)
        killed = time.monotonic()
        await start(own_server)
        back = len(worker.starts())
        await until(lambda: len(worker.starts()) > back + 50)
        over.set()
        await adding
        await until(lambda: nothing_left(queue), timeout=20)
        lost = [job_id for job_id, when in acknowledged.items() if when < killed - 1 and not await queue.get(job_id)]
        starts, completed = worker.starts(), await completions(redis)

    assert [] == lost
    assert set(completed) <= set(starts)
    assert {1} == set(completed.values())


async def add_until(over, queue, acknowledged):
    """Add jobs, and remember when each was acknowledged."""
    while not over.is_set():
        with contextlib.suppress(OSError):
            job = await queue.add("a", "x" * 200)
            acknowledged[job.id] = time.monotonic()
        await asyncio.sleep(0.002)


async def nothing_left(queue):
    counts = await queue.counts()
    return not sum(number for state, number in counts.items() if state not in {"completed", "failed"})


async def test_a_server_that_hangs_costs_no_job(own_server):
    """Stopped for longer than a lock's life, in the middle of jobs: each runs once."""
    async with client(own_server.url) as redis, worker_process(own_server.url, "q", lock=LOCK) as worker:
        queue = keeping(redis)
        jobs = await queue.add_bulk([("a", {"seconds": 0.02})] * 300)
        await until(lambda: len(worker.starts()) > 50)
        own_server.pause()
        stopped = time.monotonic()
        await until(lambda: time.monotonic() > stopped + 2 * LOCK)
        own_server.resume()
        await until(lambda: all_completed(queue, len(jobs)), timeout=20)

        assert dict.fromkeys((job.id for job in jobs), 1) == worker.starts()
        assert {1} == set((await completions(redis)).values())


async def test_a_full_server_refuses_jobs_and_is_drained(own_server):
    """Adding says what is wrong; a worker in another process works what is there, and then there is room."""
    async with client(own_server.url) as redis:
        queue = Queue(redis, "q", remove_on_complete=True)
        await queue.add_bulk([("a", "x" * 1000)] * 500)
        own_server.admin("CONFIG", "SET", "maxmemory", 1_000_000)
        for refused in (queue.add("a"), queue.add_bulk([("a", None)] * 3)):
            with pytest.raises(ServerFull, match="q"):
                await refused
        async with worker_process(own_server.url, "q") as worker:
            await until(lambda: drained(queue))
            own_server.admin("CONFIG", "SET", "maxmemory", "64mb")
            await queue.add("a")
            await until(lambda: drained(queue))

            assert {1} == set(worker.starts().values())
            assert 501 == len(worker.starts())


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_a_connection_cut_anywhere_in_a_jobs_life_loses_and_doubles_nothing(server, direction):
    """Commands half sent and replies half read, from the adding to the end: the job is one, and completed once."""
    async with client(server.url) as direct:
        whole = min([await life(server, direct, direction, None) for _ in range(2)])  # the first sends the scripts
        for size in range(0, whole, whole // 30):
            await life(server, direct, direction, size)


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_a_connection_cut_while_jobs_go_together_loses_and_doubles_none(server, direction):
    """Added, taken and ended by the dozen: of a call whose answer is lost, each job finds out what became of it."""
    async with client(server.url) as direct:
        whole = min([await life(server, direct, direction, None, jobs=24) for _ in range(2)])
        for size in range(0, whole, whole // 12):
            await life(server, direct, direction, size, jobs=24)


async def life(server, direct, direction, size, *, jobs=1):
    """Add and work jobs through a proxy that is cut after so many bytes; return how many passed."""
    server.admin("FLUSHALL")
    runs = []

    async def handle(job):
        runs.append(job.id)
        return job.data

    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        queue, own = keeping(redis), keeping(direct)
        async with running(Worker(queue, handle, concurrency=2 if jobs == 1 else 8, lock=LOCK)):
            await until(lambda: blocked(direct))
            before = proxy.passed[direction]
            if size is not None:
                proxy.cut_after(size, direction)
            ids = sorted([job.id for job in await asyncio.gather(*(queue.add("a", 7) for _ in range(jobs)))])
            await until(lambda: all_completed(own, jobs))
            passed = proxy.passed[direction] - before
    counts = {state: number for state, number in (await own.counts()).items() if number}

    assert {"completed": jobs} == counts, size
    assert ids == sorted(runs), size
    assert dict.fromkeys(ids, 1) == await completions(direct), size
    return passed


@pytest.mark.parametrize("clock", [60, -60])
async def test_a_worker_whose_clock_is_off_keeps_the_times(server, redis, clock):
    """By a minute, either way: delayed jobs run when they are due, and no lock is thought to have run out."""
    queue = keeping(redis)
    async with worker_process(server.url, "q", clock=clock, lock=LOCK) as worker:
        long = await queue.add("long", {"seconds": 2 * LOCK})
        await until(worker.starts)
        delayed = await queue.add("delayed", delay=0.5)
        async with worker_process(server.url, "q", record=worker.record, lock=LOCK):
            await until(lambda: all_completed(queue, 2))
        starts = worker.starts()
    delayed = await queue.get(delayed.id)

    assert {long.id: 1, delayed.id: 1} == starts
    assert 0.5 <= delayed.processed_at - delayed.added_at < 5


async def test_an_idle_worker_hears_of_a_job_after_longer_than_any_timeout(server, redis):
    """No timeout of its client ends the read in which it waits."""
    async with client(server.url, socket_timeout=0.2) as impatient:
        queue = Queue(impatient, "q")

        async def handle(job):
            return job.data

        async with running(Worker(queue, handle)):
            await until(lambda: blocked(redis))
            first = await waiting(redis)
            idle = time.monotonic()
            await until(lambda: time.monotonic() > idle + 1)

            assert first == await waiting(redis)
            assert 7 == await (await Queue(redis, "q").add("a", 7)).result(5)


async def waiting(redis):
    """The connections that wait for a job."""
    return {each["id"] for each in await redis.client_list() if each["cmd"] == "bzpopmin"}
