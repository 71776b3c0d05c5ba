"""Our scripts on BullMQ's keys: what they leave is what BullMQ's would have left; and each job has its own fate."""

import asyncio
import itertools
import random

import pytest

from redyard import Queue, Worker, events
from redyard.errors import JobTooLarge, NotJSON
from redyard.queue.together import cut
from tests.queue.twin import Twin
from tests.support.clients import heard
from tests.support.wait import until
from tests.support.workers import Gate, running

STEPS = 40


class History:
    """Random deeds, done to both queues; what they hold is compared after each."""

    def __init__(self, redis, seed):
        self.random = random.Random(seed)
        self.twins = [Twin(redis, "theirs", ours=False), Twin(redis, "ours", ours=True)]
        self.redis = redis
        self.now = 1_700_000_000_000
        self.known, self.special = [], set()
        self.ids = (f"j{number}" for number in itertools.count())
        self.tokens = (f"t{number}" for number in itertools.count())

    async def both(self, deed):
        theirs, ours = [await deed(twin) for twin in self.twins]
        assert theirs == ours
        return ours

    async def step(self):
        deeds = [self.append, self.add, self.settings, *[self.take] * 2, *[self.exchange] * 3]
        self.now += self.random.choice([0, 5, 500, 70_000, 90_000_000])
        await self.random.choice(deeds)()
        theirs, ours = [await twin.everything() for twin in self.twins]
        assert theirs == ours
        await self.redis.delete(*(twin.wire.key("marker") for twin in self.twins))

    async def append(self):
        fresh = [next(self.ids) for _ in range(self.random.randint(1, 5))]
        again = self.random.sample(self.known, min(len(self.known), self.random.choice([0, 0, 1])))
        self.known += fresh
        await self.both(lambda twin: twin.append(fresh + again, self.now))

    async def add(self):
        job_id, kind = next(self.ids), self.random.choice(["delayed", "prioritized", "child", "like"])
        if kind == "delayed":
            await self.both(lambda twin: twin.add("addDelayedJob", job_id, self.now, delay=1000))
        elif kind == "prioritized":
            await self.both(lambda twin: twin.add("addPrioritizedJob", job_id, self.now, priority=3))
        elif kind == "like":
            await self.both(lambda twin: twin.add("addStandardJob", job_id, self.now, de={"id": "d" + job_id}))
            self.special.add(job_id)
        else:
            parent = next(self.ids)
            await self.both(lambda twin: twin.add("addParentJob", parent, self.now))
            await self.both(lambda twin: twin.add("addStandardJob", job_id, self.now, parent=parent))
            self.special.add(job_id)

    async def settings(self):
        kind = self.random.choice(["pause", "concurrency", "rate"])
        on = self.random.random() < 0.4
        if kind == "pause":
            await self.both(lambda twin: twin.pause("paused" if on else "resumed"))
        elif kind == "concurrency":
            await self.both(lambda twin: twin.write("concurrency", 4 if on else None))
        else:
            await self.both(lambda twin: twin.write("max", 6 if on else None))
            await self.both(lambda twin: twin.write("duration", 600_000))
            await self.redis.delete(*(twin.wire.key("limiter") for twin in self.twins))

    async def take(self):
        tokens = [next(self.tokens) for _ in range(self.random.randint(1, 6))]
        await self.both(lambda twin: twin.take(tokens, self.now))
        for twin in self.twins:
            await self.redis.sadd(twin.wire.key("stalled"), "?", *twin.held)  # as BullMQ does now and then

    async def exchange(self):
        held = sorted(self.twins[0].held)
        ids = self.random.sample(held, min(len(held), self.random.choice([1, 3, 5, 10])))
        plain = [job_id for job_id in ids if job_id not in self.special]
        spoiled = {job_id for job_id in plain if self.random.random() < 0.2}
        for job_id in spoiled:
            await self.spoil(job_id)
        keep, take = self.random.choice([-1, 0, 3]), self.random.random() < 0.7
        if plain:
            codes, _ = await self.both(lambda twin: twin.exchange(plain, spoiled, self.now, keep=keep, take=take))
            await self.redis.delete(*(twin.wire.key("marker") for twin in self.twins))  # ours rings for none of its own
            assert [job_id not in spoiled for job_id in plain] == [code == 0 for code in codes]
        for job_id in set(ids) - set(plain):
            await self.both(lambda twin, job_id=job_id: self.special_one(twin, job_id, keep))

    async def special_one(self, twin, job_id, keep):
        """Our script leaves it to BullMQ's, and changes nothing."""
        if twin.ours:
            token = twin.held[job_id]
            assert [1] == (await twin.exchange([job_id], set(), self.now, keep=keep, take=True))[0]
            twin.held[job_id] = token
        return await twin.finish(job_id, self.now, keep=keep)

    async def spoil(self, job_id):
        kind = self.random.choice(["lock", "thief", "gone", "children"])
        for twin in self.twins:
            key = twin.wire.key(job_id)
            if kind == "lock":
                await self.redis.delete(f"{key}:lock")
            elif kind == "thief":
                await self.redis.set(f"{key}:lock", "thief", px=60_000)
            elif kind == "gone":
                await self.redis.delete(key)
            else:
                await self.redis.sadd(f"{key}:dependencies", "child")


@pytest.mark.parametrize("seed", range(6))
async def test_what_our_scripts_leave_is_what_bullmqs_leave(redis, seed):
    """The same random deeds through both: every key of both queues is the same after each."""
    history = History(redis, seed)
    for _ in range(STEPS):
        await history.step()


@pytest.mark.parametrize(("delayed", "limited", "take"), [*itertools.product([False, True], repeat=3)])
async def test_the_last_job_tells_that_the_queue_is_drained_where_bullmqs_does(redis, delayed, limited, take):
    """Whether a delayed job is left, the rate is used up, or nothing is to be taken."""
    found = []
    for twin in (Twin(redis, "theirs", ours=False), Twin(redis, "ours", ours=True)):
        await twin.append(["j1"], 1000)
        await twin.take(["t1"], 1000)
        if delayed:
            await twin.add("addDelayedJob", "j2", 1000, delay=5000)
        if limited:
            await twin.write("max", 1)
            await redis.set(twin.wire.key("limiter"), 1, px=60_000)
        await twin.exchange(["j1"], set(), 2000, keep=-1, take=take)
        found.append(await twin.everything())

    assert found[0] == found[1]


async def test_a_job_that_was_lost_does_not_keep_others_from_ending(redis):
    """They end in one call: it alone is told to be lost, and the others are completed."""
    queue, gate = Queue(redis, "q"), Gate()
    with heard(events.JOB_LOST) as lost:
        async with running(Worker(queue, gate, concurrency=8, lock=60)):
            jobs = await queue.add_bulk([("a", number) for number in range(8)])
            await until(lambda: len(gate.entered) == 8)
            await redis.set(f"bull:q:{jobs[3].id}:lock", "thief", px=60_000)
            gate.open.set()
            await until(lambda: lost)
            others = [await job.result(5) for job in jobs if job is not jobs[3]]

    assert [0, 1, 2, 4, 5, 6, 7] == others
    assert [jobs[3].id] == [event.fields["id"] for event in lost]
    assert "active" == await jobs[3].state()


async def test_many_jobs_are_added_in_few_calls(server, redis):
    """Of one turn of the loop, none of which waits for another."""
    queue = Queue(redis, "q")
    await queue.add("first")
    before = calls(server)
    jobs = await asyncio.gather(*(queue.add("a", number) for number in range(65)))

    assert 3 == calls(server) - before  # the first alone, then 32 twice
    assert list(range(65)) == [(await queue.get(job.id)).data for job in jobs]


async def test_a_lone_job_is_ended_by_a_call_that_is_packed_beforehand(server, redis):
    """It names the script, and what it must not be confused by is in the worker's name."""
    queue, seen = Queue(redis, "q"), []

    async def handler(job):
        seen.append((job.processed_by, job.attempts_started, job.processed_at is not None))

    async with running(Worker(queue, handler, concurrency=1, lock=60, name="100 %d é")):
        await (await queue.add("first")).result(5)
        server.admin("CONFIG", "RESETSTAT")
        jobs = await queue.add_bulk([("a", number) for number in range(5)])
        for job in jobs:
            await job.result(5)

    assert [("100 %d é", 1, True)] * 6 == seen
    assert "cmdstat_eval" not in server.admin("INFO", "commandstats")


async def test_the_kept_jobs_are_no_list_that_is_walked_through_for_each_job(redis):
    """And hold nothing but jobs."""
    queue, gate = Queue(redis, "q"), Gate()
    gate.open.set()
    async with running(Worker(queue, gate, concurrency=1, lock=60)):
        jobs = await queue.add_bulk([("a", number) for number in range(3)])
        for job in jobs:
            await job.result(5)

    assert b"skiplist" == await redis.object("ENCODING", "bull:q:completed")
    assert {job.id.encode() for job in jobs} == set(await redis.zrange("bull:q:completed", 0, -1))


def calls(server):
    return server.admin("INFO", "commandstats")["cmdstat_evalsha"]["calls"]


async def test_of_jobs_that_are_added_together_each_has_its_own_fate(redis):
    """One that is no JSON or too large fails alone; one that is there already is that one; who goes away is missed."""
    queue = Queue(redis, "q", size_limit=1000)
    there = await queue.add("a", 1, job_id="mine")
    adding = [
        asyncio.ensure_future(add)
        for add in (
            queue.add("b"),
            queue.add("b", object()),
            queue.add("b", "x" * 1000),
            queue.add("b", 2, job_id="mine"),
            queue.add("b", 3),
        )
    ]
    gone = asyncio.ensure_future(queue.add("b", 4))
    asyncio.get_running_loop().call_soon(gone.cancel)
    first, no_json, too_large, same, other, _ = await asyncio.gather(*adding, gone, return_exceptions=True)

    assert [NotJSON, JobTooLarge] == [type(no_json), type(too_large)]
    assert [1, None, 3] == [(await queue.get(job.id)).data for job in (same, first, other)]
    assert there.id == same.id


async def test_a_worker_takes_all_that_waits_in_one_call(server, redis):
    """And rings no other worker where nothing is left."""
    queue, gate = Queue(redis, "q"), Gate()
    await queue.add_bulk([("a", number) for number in range(20)])
    await redis.delete("bull:q:marker")
    async with running(Worker(queue, gate, concurrency=32, lock=60)):
        await until(lambda: len(gate.entered) == 20)

        assert 0 == await redis.exists("bull:q:marker")
        gate.open.set()


def test_a_call_holds_32_requests_of_one_group_or_64_kib():
    """Their order stays."""
    small, large, huge = (10, "a"), (40_000, "a"), (100_000, "a")

    def shares(requests):
        return [part.stop - part.start for part in cut(requests, lambda request: request)]

    assert [] == shares([])
    assert [32, 8] == shares([small] * 40)
    assert [1, 1, 2] == shares([large, large, (10, "b"), (10, "b")])
    assert [2, 1, 1] == shares([small, small, huge, small])
