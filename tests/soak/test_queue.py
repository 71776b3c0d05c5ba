"""The queue's long faults, on the defaults of an app: minutes of outage, floods, a hundred thousand jobs."""

import asyncio
import statistics
import time
from collections.abc import Callable

import pytest

from redyard import Queue
from tests.queue.test_processes import add_until, all_completed, completions, keeping, life, nothing_left
from tests.soak.test_kills import CHANCE, ROUNDS, report, say
from tests.support.clients import client, restart
from tests.support.proxy import DOWN, UP
from tests.support.queues import blocked
from tests.support.servers import MB, Server
from tests.support.wait import until
from tests.support.workers import worker_process
from tests.support.yards import Sandbox

__all__ = ["say"]
pytestmark = pytest.mark.soak
Say = Callable[[str], None]


async def passed(seconds: float) -> None:
    """Wait for a time: here it is what is tried."""
    over = time.monotonic() + seconds
    await until(lambda: time.monotonic() > over, timeout=seconds + 10)


async def test_a_killed_workers_job_runs_again_within_15_s(own_server: Server, say: Say) -> None:
    """With the lock of the defaults."""
    async with client(own_server.url) as redis, worker_process(own_server.url, "q") as victim:
        queue = keeping(redis)
        job = await queue.add("a", {"seconds": 4})
        async with worker_process(own_server.url, "q", record=victim.record, concurrency=1) as other:
            await until(victim.starts)
            holder = (await queue.get(job.id)).processed_by
            (victim if str(holder).endswith(f":{victim.process.pid}") else other).kill()
            killed = time.monotonic()
            await until(lambda: victim.starts()[job.id] == 2, timeout=60)
            took = time.monotonic() - killed
            await until(lambda: all_completed(queue, 1))

    say(f"{own_server.engine.name}: a killed worker's job runs again after {took:.1f} s")
    assert took < 15


async def test_servers_killed_under_load_lose_no_job(own_server: Server, say: Say) -> None:
    """At random moments, with the add-on's persistence: what was acknowledged is completed, and once."""
    acknowledged: dict[str, float] = {}
    outages = []
    async with client(own_server.url) as redis, worker_process(own_server.url, "q") as worker:
        queue, over = keeping(redis), asyncio.Event()
        adding = asyncio.create_task(add_until(over, queue, acknowledged))
        for _ in range(max(3, ROUNDS // 5)):
            enough = len(worker.starts()) + CHANCE.randrange(100, 600)
            await until(lambda enough=enough: len(worker.starts()) > enough, timeout=60)
            began, before = time.monotonic(), len(worker.starts())
            await restart(own_server)
            await until(lambda before=before: len(worker.starts()) > before + 1, timeout=60)
            outages.append(time.monotonic() - began)
        over.set()
        await adding
        await until(lambda: nothing_left(queue), timeout=60)
        lost = [job_id for job_id in acknowledged if await queue.get(job_id) is None]
        completed, starts = await completions(redis), worker.starts()
    twice = sum(number > 1 for number in starts.values())

    report(say, f"{own_server.engine.name} killed -> jobs run again", outages)
    say(f"acknowledged {len(acknowledged)}, lost {len(lost)}, begun twice {twice}")
    assert [] == lost
    assert {1} == set(completed.values())


@pytest.mark.parametrize("seconds", [5, 60])
async def test_a_server_that_is_stopped_costs_no_job(own_server: Server, seconds: float, say: Say) -> None:
    """As long as a timeout, and much longer than a lock's life: none is lost, none runs twice."""
    async with client(own_server.url) as redis, worker_process(own_server.url, "q") as worker:
        queue = keeping(redis)
        jobs = await queue.add_bulk([("a", {"seconds": 0.05})] * 2000)
        await until(lambda: len(worker.starts()) > 100)
        own_server.pause()
        await passed(seconds)
        own_server.resume()
        began, before = time.monotonic(), len(worker.starts())
        await until(lambda: len(worker.starts()) > before, timeout=30)
        took = time.monotonic() - began
        await until(lambda: all_completed(queue, len(jobs)), timeout=60)
        starts = worker.starts()

    twice = sum(number > 1 for number in starts.values())
    say(f"{own_server.engine.name} stopped for {seconds} s: jobs run again after {took:.2f} s, twice {twice}")
    assert {job.id for job in jobs} == set(starts)
    assert 0 == twice


async def test_after_a_minute_without_jobs_the_next_is_picked_up_at_once(own_server: Server, say: Say) -> None:
    """Within 50 ms; one of three may meet a machine that is busy with something else."""
    async with client(own_server.url) as redis, worker_process(own_server.url, "q") as worker:
        queue = keeping(redis)
        await queue.add("a")
        await until(worker.starts)
        delays = []
        for idle in (12, 25, 60):
            await passed(idle)
            job = await queue.add("a")
            await job.result(30)
            job = await queue.get(job.id)
            delays.append(job.processed_at - job.added_at)

    report(say, f"{own_server.engine.name}: idle -> picked up", delays)
    assert statistics.median(delays) <= 0.05
    assert max(delays) < 1


async def test_delayed_jobs_start_when_they_are_due(own_server: Server, say: Say) -> None:
    """Within 50 ms, on a worker that has nothing else to do; a few may meet a machine that is busy."""
    delays = [CHANCE.uniform(0.3, 6) for _ in range(60)]
    async with client(own_server.url) as redis, worker_process(own_server.url, "q"):
        queue = keeping(redis)
        await until(lambda: blocked(redis))
        jobs = [await queue.add("a", delay=delay) for delay in delays]
        await until(lambda: all_completed(queue, len(jobs)))
        ended = [await queue.get(job.id) for job in jobs]
        late = [job.processed_at - job.added_at - delay for job, delay in zip(ended, delays, strict=True)]

    report(say, f"{own_server.engine.name}: due -> begun", late)
    assert statistics.quantiles(late, n=10)[-1] <= 0.05


async def test_a_hundred_thousand_jobs_leave_a_workers_memory_flat(own_server: Server, say: Say) -> None:
    """Of 1 KiB each: from the tenth to the last ten thousand it grows by less than 2 MB."""
    sizes = []
    async with client(own_server.url) as redis, worker_process(own_server.url, "q", concurrency=50) as worker:
        queue = Queue(redis, "q", remove_on_complete=True)
        for _ in range(10):
            for _ in range(10):
                await queue.add_bulk([("a", "x" * 1024)] * 1000)
            await until(lambda: nothing_left(queue), timeout=120)
            sizes.append(worker.memory())

        assert 100_000 == len(worker.starts())

    say(f"{own_server.engine.name}: resident MB by 10,000 jobs: {', '.join(f'{size / MB:.1f}' for size in sizes)}")
    assert sizes[-1] - sizes[1] < 2 * MB


async def test_a_flood_in_the_cache_touches_no_job(each_yard: Sandbox, say: Say) -> None:
    """The add-on's cache overflows many times beside 3,000 jobs and one of 30 s: 0 lost, none run twice."""
    each_yard.json("add", "redis")
    store, cache = each_yard.url("redis-store"), each_yard.url("redis-cache")
    over = asyncio.Event()

    async def flood() -> int:
        async with client(cache) as redis:
            number = 0
            while not over.is_set():
                await asyncio.gather(*(redis.set(f"f:{number + n}", "x" * 1024, ex=600) for n in range(500)))
                number += 500
            return int((await redis.info("stats"))["evicted_keys"])

    async with client(store) as redis, worker_process(store, "q", concurrency=20) as worker:
        queue = keeping(redis)
        async with worker_process(store, "q", record=worker.record, concurrency=20):
            flooding = asyncio.create_task(flood())
            long = await queue.add("long", {"seconds": 30})
            await until(worker.starts)
            for _ in range(300):
                await queue.add_bulk([("a", {"seconds": 0.01})] * 10)
                await asyncio.sleep(0.08)
            await until(lambda: all_completed(queue, 3001), timeout=90)
            over.set()
            evicted = await flooding
            starts = worker.starts()

    twice = sum(number > 1 for number in starts.values())
    say(f"{evicted} keys evicted from the cache; jobs lost {3001 - len(starts)}, run twice {twice}")
    assert evicted > 0
    assert 1 == starts[long.id]
    assert (3001, 0) == (len(starts), twice)


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_a_connection_cut_at_every_byte_of_a_jobs_life(server: Server, direction: str, say: Say) -> None:
    """Loses and doubles nothing."""
    async with client(server.url) as direct:
        whole = min([await life(server, direct, direction, None) for _ in range(2)])
        for size in range(whole):
            await life(server, direct, direction, size)

    say(f"{server.engine.name}: cut after each of {whole} bytes {direction}: one job, completed once")
