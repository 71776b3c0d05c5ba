"""A queue's events: all of them, those of one job, and what was missed."""

import asyncio
from contextlib import aclosing

import pytest

from redyard import Queue, Worker
from redyard.queue.stream import BATCH, MISSED, Stream, place
from tests.support.clients import client, restart
from tests.support.wait import until
from tests.support.workers import Gate, echo, running


async def take(events, last: str) -> list:
    """Take events up to one of that name."""
    taken = []
    async for event in events:
        taken.append(event)
        if event.name == last:
            return taken
    return taken


def reads(queue: Queue) -> bool:
    """Say whether everything from now on is heard."""
    return queue.results._stream._reader is not None


async def listens(events) -> asyncio.Task:
    """Begin to take the first event, so that the ones from now on are heard."""
    task = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    return task


async def test_the_events_of_a_job_s_life(redis):
    """Come in order, with what they carry."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)), aclosing(queue.events(since="0")) as events:
        job = await queue.add("a", {"n": 1})
        heard = await take(events, "completed")

    mine = [event.name for event in heard if event.job_id == job.id]
    assert ["added", "waiting", "active", "completed"] == mine
    assert {"n": 1} == heard[-1].value
    assert abs(heard[-1].at - job.added_at) < 60


async def test_from_now_on_means_from_now_on(redis):
    """What happened before is not told."""
    queue = Queue(redis, "q")
    await queue.add("before", job_id="before")
    async with aclosing(queue.events()) as events:
        first = await listens(events)
        await until(lambda: reads(queue))
        await queue.add("after", job_id="after")

        assert "after" == (await first).job_id


async def test_events_go_on_after_a_place(redis):
    """Those that are kept come first, then the new ones, each once."""
    queue = Queue(redis, "q")
    await queue.add("a", job_id="a")
    async with aclosing(queue.events(since="0")) as events:
        kept = await take(events, "waiting")
    await queue.add("b", job_id="b")
    async with aclosing(queue.events(since=kept[-1].id)) as events:
        more = await take(events, "waiting")
        await queue.add("c", job_id="c")
        more += await take(events, "waiting")

    assert ["b", "b", "c", "c"] == [event.job_id for event in more]


async def test_progress_is_streamed_until_the_end(redis):
    """Each step as it is told; the stream ends with the job."""
    queue, gate = Queue(redis, "q"), Gate()

    async def handle(job):
        await gate(job)
        for percent in (25, {"percent": 50}, 100):
            await job.update_progress(percent)

    async with running(Worker(queue, handle)):
        job = await queue.add("a")
        updates = job.progress_updates()
        first = asyncio.ensure_future(anext(updates))
        await until(lambda: gate.entered and reads(queue))
        gate.open.set()
        seen = [await first] + [step async for step in updates]

    assert [25, {"percent": 50}, 100] == seen


async def test_the_progress_of_an_ended_job_is_its_last(redis):
    """And nothing is waited for."""
    queue = Queue(redis, "q")

    async def handle(job):
        await job.update_progress(70)

    async with running(Worker(queue, handle)):
        job = await queue.add("a")
        await job.result(5)

        assert [70] == [step async for step in job.progress_updates()]


async def test_a_listener_that_raises_harms_nobody(redis, caplog):
    """Others hear the event, and it hears the next one."""
    stream, heard = Stream(redis, "bull:q:events"), []

    def fail(event):
        heard.append(event.name)
        raise ValueError("broken")

    with stream.listening(fail), stream.listening(lambda event: heard.append(event.name)):
        await stream.start()
        await redis.xadd("bull:q:events", {"event": "one"})
        await redis.xadd("bull:q:events", {"event": "two"})
        await until(lambda: len(heard) == 4)

    assert ["one", "one", "two", "two"] == heard
    assert "a listener failed at the event one" in caplog.text


async def test_a_stream_that_was_trimmed_says_so(redis):
    """Who was too slow hears that he missed some, and the ones that are left."""
    queue = Queue(redis, "q")
    stream, heard = queue.results._stream, []
    await redis.xadd("bull:q:events", {"event": "first"}, id="1-0")
    with stream.listening(heard.append):
        stream._reader = asyncio.ensure_future(stream._read("1-0"))
        pipe = redis.pipeline()
        for n in range(BATCH):
            pipe.xadd("bull:q:events", {"event": "later"}, id=f"{n + 2}-0")
        pipe.xtrim("bull:q:events", maxlen=BATCH, approximate=False)
        await pipe.execute()
        await until(lambda: len(heard) > BATCH)

    assert MISSED in [event.name for event in heard]
    assert BATCH == len([event for event in heard if event.name == "later"])


async def test_events_survive_a_restart_of_redis(own_server):
    """Where the restart cut a read, it is told that some may have been missed; then come the new ones."""
    async with client(own_server.url) as redis:
        queue = Queue(redis, "q")
        async with aclosing(queue.events()) as events:
            first = await listens(events)
            await until(lambda: reads(queue))
            await restart(own_server)
            await queue.add("a", job_id="a")
            names = [(await first).name] + [event.name for event in await take(events, "waiting")]

    assert {*names} <= {MISSED, "added", "waiting"}
    assert "waiting" == names[-1]


async def test_a_wait_hears_of_a_removal(redis):
    """A job that is removed while it is waited for is unknown, at once."""
    queue = Queue(redis, "q")
    job = await queue.add("a")
    waiting = asyncio.create_task(job.result(30))
    await until(lambda: queue.results._stream._of_job)
    await until(lambda: reads(queue))
    await queue.remove(job.id)
    with pytest.raises(Exception, match="has no job"):
        await waiting


def test_places_are_compared_as_numbers():
    """Not as text."""
    assert place("9-10") > place("9-9")
    assert place("10") > place("9-1")
