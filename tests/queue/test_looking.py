"""Looking into a queue, and tending it."""

import time

import msgspec
import pytest

from redyard import Queue, Worker
from redyard.errors import InvalidValue, QueueBusy, UnknownJob
from redyard.queue import figures
from redyard.queue.heartbeat import Heartbeat, Pulse
from redyard.queue.looking import queue_names
from tests.support.wait import until
from tests.support.workers import Gate, echo, running


async def fail(job):
    """Fail for the reason that the data name."""
    raise ValueError(job.data["why"])


async def failed(redis, *reasons: str, **options) -> Queue:
    """A queue with failed jobs, one for each reason."""
    queue = Queue(redis, "q", attempts=1, **options)
    async with running(Worker(queue, fail)):
        for n, why in enumerate(reasons):
            await queue.add("mail", {"why": why}, job_id=f"f{n}")
        await until(lambda: counted(queue, "failed", len(reasons)))
    return queue


async def counted(queue, state, number) -> bool:
    """Say whether so many jobs are in a state."""
    return (await queue.counts())[state] == number


async def test_jobs_of_a_state_come_by_pages(redis):
    """The newest first, or the oldest; beyond the end there are none."""
    queue = Queue(redis, "q")
    for n in range(5):
        await queue.add("a", n, job_id=f"n{n}")
    await queue.add("later", delay=60, job_id="late")

    assert ["n4", "n3"] == [job.id for job in await queue.jobs("waiting", count=2)]
    assert ["n2", "n1"] == [job.id for job in await queue.jobs("waiting", start=2, count=2)]
    assert ["n0", "n1"] == [job.id for job in await queue.jobs("waiting", count=2, oldest_first=True)]
    assert ["late"] == [job.id for job in await queue.jobs("delayed")]
    assert [] == await queue.jobs("waiting", start=5)
    with pytest.raises(InvalidValue, match="'sleeping'"):
        await queue.jobs("sleeping")


async def test_jobs_are_found_by_name_and_by_what_is_in_them(redis):
    """In all states; a path looks into objects and lists; what has no such field is passed over."""
    queue = Queue(redis, "q")
    await queue.add("mail", {"user": {"id": 7}, "tags": ["a", "b"]}, job_id="one")
    await queue.add("mail", {"user": {"id": 8}}, job_id="two", delay=60)
    await queue.add("call", {"user": {"id": 7}}, job_id="three", priority=1)
    await queue.add("call", "text", job_id="four")

    async def found(**what) -> set[str]:
        return {job.id for job in await queue.search(**what)}

    assert {"one", "two"} == await found(name="mail")
    assert {"one", "three"} == await found(where={"user.id": 7})
    assert {"one"} == await found(name="mail", where={"user.id": 7, "tags.1": "b"})
    assert {"three"} == await found(where={"user.id": 7}, states=["prioritized"])
    assert set() == await found(where={"user.id": "7"})
    assert 1 == len(await queue.search(name="mail", limit=1))


async def test_a_search_looks_through_many_pages(redis):
    """And finds what is far down."""
    queue = Queue(redis, "q")
    await queue.add("needle", job_id="needle")
    await queue.add_bulk([("hay", n) for n in range(450)])

    assert ["needle"] == [job.id for job in await queue.search(name="needle")]
    assert [] == await queue.search(name="needle", most=400)


async def test_failures_are_told_by_their_reason(redis):
    """The most frequent first, with the newest job of each."""
    queue = await failed(redis, "away", "full", "away")
    away, full = await queue.failures()

    assert ("away", 2, ["mail"], "f2") == (away.reason, away.jobs, away.names, away.newest)
    assert ("full", 1) == (full.reason, full.jobs)
    assert abs(away.at - time.time()) < 60


async def test_failed_jobs_run_again_with_all_their_attempts(redis):
    """All, or those of a reason, or one; priorities stay."""
    queue = await failed(redis, "away", "full", "away")

    assert 2 == await queue.retry_all(reason="awa")
    assert ["f0", "f2"] == [job.id for job in await queue.jobs("waiting", oldest_first=True)]
    await queue.retry("f1")
    again = await queue.get("f1")
    assert (0, "waiting") == (again.attempts_made, await again.state())
    assert 0 == await queue.retry_all()
    with pytest.raises(UnknownJob):
        await queue.retry("f1")
    async with running(Worker(queue, echo)):
        assert {"why": "full"} == await again.result(5)


async def test_delayed_jobs_are_promoted(redis):
    """One, or all."""
    queue = Queue(redis, "q")
    jobs = [await queue.add("a", delay=600) for _ in range(3)]
    await queue.promote(jobs[1].id)

    assert "waiting" == await jobs[1].state()
    assert 2 == await queue.promote_all()
    with pytest.raises(UnknownJob):
        await queue.promote(jobs[1].id)


async def test_old_jobs_are_cleaned(redis):
    """By state, age and number; active ones are their workers'."""
    queue = await failed(redis, "a", "b", "c")

    assert [] == await queue.clean("failed", older_than=3600)
    assert 1 == len(await queue.clean("failed", limit=1))
    assert {"f1", "f2"} == set(await queue.clean("failed"))
    assert await queue.get("f1") is None
    with pytest.raises(InvalidValue, match="active"):
        await queue.clean("active")


async def test_draining_takes_what_waits(redis):
    """Delayed jobs only when asked; failed ones stay."""
    queue = await failed(redis, "a")
    await queue.add("x")
    await queue.add("x", priority=3)
    await queue.add("x", delay=60)

    assert 2 == await queue.drain()
    assert 1 == await queue.drain(delayed=True)
    assert {"failed": 1} == {state: count for state, count in (await queue.counts()).items() if count}


async def test_a_job_is_removed_unless_it_runs(redis):
    """A running one is its worker's."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(Worker(queue, gate, concurrency=1)):
        one, other = await queue.add("a"), await queue.add("b")
        await until(lambda: gate.entered)

        assert not await queue.remove(one.id)
        assert await queue.remove(other.id)
        gate.open.set()
    assert await queue.get(other.id) is None


async def test_a_queue_is_obliterated_with_all_that_it_holds(redis):
    """No key of it is left."""
    queue = await failed(redis, "a", "b")
    await queue.add("x", delay=60)

    assert 3 == await queue.obliterate()
    assert [] == [key async for key in redis.scan_iter(match="bull:q:*")]
    assert [] == await queue_names(redis)


async def test_a_busy_queue_is_not_obliterated_unless_forced(redis):
    """It goes on as before, and is not left paused."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(Worker(queue, gate)):
        await queue.add("a")
        await until(lambda: gate.entered)
        with pytest.raises(QueueBusy, match="1 active jobs"):
            await queue.obliterate()
        assert not await queue.is_paused()
        assert 1 == await queue.obliterate(force=True)
        gate.open.set()


async def test_ended_jobs_are_counted_by_the_minute(redis):
    """Now, and where BullMQ wrote it for minutes ago; minutes without any are nought."""
    queue = await failed(redis, "a", "b")
    now = int(queue.moves.now() // 60)

    assert (2, 2) == ((await queue.metrics("failed")).total, sum((await queue.metrics("failed")).by_minute))
    assert [0] * 60 == (await queue.metrics()).by_minute
    await redis.hset("bull:q:metrics:completed", mapping={"count": 12, "prevCount": 5, "prevTS": (now - 2) * 60_000})
    await redis.rpush("bull:q:metrics:completed:data", 3, 2)
    rates = await queue.metrics(minutes=6)
    assert (12, [0, 2, 3, 7, 0, 0]) == (rates.total, rates.by_minute)
    with pytest.raises(InvalidValue):
        await queue.metrics("waiting")


async def test_workers_are_listed_while_they_live(redis):
    """Ours with what they tell, those of BullMQ by their connections' names."""
    queue, gate = Queue(redis, "q"), Gate()
    await redis.execute_command("CLIENT", "SETNAME", "bull:cQ==:w:node")
    async with running(Worker(queue, gate, concurrency=3, name="ours")):
        await until(lambda: seen(queue, "ours"))
        workers = {worker.name: worker.heartbeat for worker in await queue.workers()}

        assert {"ours", "node"} == set(workers)
        assert 3 == workers["ours"].concurrency
        assert workers["node"] is None
        gate.open.set()
    assert ["node"] == [worker.name for worker in await queue.workers()]


async def seen(queue, name) -> bool:
    """Say whether a worker's heartbeat is there."""
    return any(worker.name == name and worker.heartbeat for worker in await queue.workers())


async def test_a_worker_that_vanished_is_forgotten(redis):
    """By the next that looks, or begins."""
    queue = Queue(redis, "q")
    old = Heartbeat(name="old", host="h", pid=1, concurrency=1, active=0, started_at=0.0, seen_at=time.time() - 60)
    await redis.hset("bull:q:redyard-workers", "old", msgspec.json.encode(old))
    await queue.check()
    await Pulse(queue.moves, "new", 1, lambda: 0).beat()

    assert [b"new"] == await redis.hkeys("bull:q:redyard-workers")
    assert await redis.pttl("bull:q:redyard-workers") > 0


async def test_the_story_of_a_job(redis):
    """From its adding on, in order."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)):
        job = await queue.add("a", 1)
        await job.result(5)

        names = [event.name for event in await queue.timeline(job)]
    assert ["added", "waiting", "active", "completed"] == names


async def test_the_names_of_queues_are_found_among_other_keys(redis):
    """Each once."""
    for name in ("b", "a", "a b"):
        await Queue(redis, name).add("x")
    await redis.set("bull:no:meta", "text")
    await redis.set("other", 1)

    assert ["a", "a b", "b"] == await queue_names(redis)


async def test_figures_are_what_prometheus_reads(redis):
    """A kind and a meaning each, and labels that cannot break out."""
    queue = Queue(redis, 'q"x')
    await queue.add("a")
    await queue.pause()
    text = figures.render(await figures.samples(queue))

    assert 'redyard_queue_jobs{queue="q\\"x",state="waiting"} 1\n' in text
    assert 'redyard_queue_paused{queue="q\\"x"} 1\n' in text
    assert 1 == text.count("# TYPE redyard_queue_jobs gauge\n")
    assert all(line.startswith("#") or line.count(" ") == 1 for line in text.splitlines())
