"""What holds workers back: pauses, rates, numbers, deadlines, cancellation."""

import asyncio
import time

import pytest

from redyard import Queue, Redis, Worker
from redyard.errors import InvalidValue, JobFailed, RateLimited
from tests.support.clients import client
from tests.support.proxy import DOWN, Proxy
from tests.support.queues import blocked
from tests.support.wait import until
from tests.support.workers import Gate, echo, running


async def test_a_paused_queue_hands_out_no_job(redis):
    """Until it goes on; jobs that run meanwhile end."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(Worker(queue, gate, concurrency=2)):
        first = await queue.add("a")
        await until(lambda: gate.entered)
        await queue.pause()
        later = await queue.add("b", 5)
        gate.open.set()
        await first.result(5)

        assert (True, "waiting") == (await queue.is_paused(), await later.state())
        await queue.resume()
        assert 5 == await later.result(3)
    assert not await queue.is_paused()


async def test_no_more_jobs_run_than_the_queue_allows(redis):
    """In all workers together, whatever each of them could do."""
    queue, gate = Queue(redis, "q"), Gate()
    await queue.set_concurrency(2)
    jobs = [await queue.add("a", n) for n in range(6)]
    async with running(Worker(queue, gate), Worker(queue, gate)):
        await until(lambda: len(gate.entered) == 2)
        counts = await queue.counts()
        gate.open.set()
        await asyncio.gather(*(job.result(10) for job in jobs))

    assert (2, 4) == (counts["active"], counts["waiting"])


async def test_no_more_jobs_start_in_a_time_than_the_queue_allows(redis):
    """The rate is the queue's: two workers share it."""
    queue, times = Queue(redis, "q"), []

    async def handle(job):
        times.append(time.monotonic())

    await queue.set_rate(5, 0.5)
    await queue.add_bulk([("a", n) for n in range(15)])
    async with running(Worker(queue, handle), Worker(queue, handle)):
        await until(lambda: len(times) == 15)

    assert times[-1] - times[0] >= 0.9
    assert all(later - earlier >= 0.45 for earlier, later in zip(times, times[6:], strict=False))


async def test_a_worker_may_bring_its_rate(redis):
    """As BullMQ's workers do."""
    queue, times = Queue(redis, "q"), []

    async def handle(job):
        times.append(time.monotonic())

    await queue.add_bulk([("a", n) for n in range(6)])
    async with running(Worker(queue, handle, limit=(2, 0.3))):
        await until(lambda: len(times) == 6)

    assert times[-1] - times[0] >= 0.55


async def test_a_handler_may_say_that_it_is_enough_for_now(redis):
    """The job goes back, no attempt counted, and runs when the time is over."""
    queue, times = Queue(redis, "q", attempts=1), []

    async def handle(job):
        times.append(time.monotonic())
        if len(times) == 1:
            raise RateLimited(seconds=0.3)
        return job.attempts_made

    async with running(Worker(queue, handle)):
        job = await queue.add("a")

        assert 0 == await job.result(5)
    assert times[1] - times[0] >= 0.29


async def test_enough_for_now_counts_for_a_worker_that_waits_at_the_bell(redis):
    """It has other slots free, and the job that goes back rings."""
    queue, times = Queue(redis, "q", attempts=1), []

    async def handle(job):
        times.append(time.monotonic())
        await until(lambda: blocked(redis))
        if len(times) == 1:
            raise RateLimited(seconds=0.3)

    async with running(Worker(queue, handle, concurrency=2)):
        await until(lambda: blocked(redis))
        await (await queue.add("a")).result(5)

    assert times[1] - times[0] >= 0.29


@pytest.mark.parametrize(
    "wrong",
    [lambda queue: queue.set_concurrency(0), lambda queue: queue.set_rate(0), lambda queue: queue.set_rate(1, 0)],
)
async def test_a_limit_that_lets_nothing_through_is_refused(redis, wrong):
    """To pause the queue says it better."""
    with pytest.raises(InvalidValue):
        await wrong(Queue(redis, "q"))


async def test_limits_are_taken_away_again(redis):
    """Nothing of them is left."""
    queue = Queue(redis, "q")
    await queue.set_concurrency(1)
    await queue.set_rate(1, 60)
    await queue.set_concurrency(None)
    await queue.set_rate(None)
    async with running(Worker(queue, echo)):
        jobs = [await queue.add("a", n) for n in range(5)]

        assert list(range(5)) == await asyncio.gather(*(job.result(5) for job in jobs))


async def test_an_attempt_that_takes_too_long_is_ended(redis):
    """It counts as failed, and the next one has its chance."""
    queue, ran = Queue(redis, "q", attempts=2, backoff=0), []

    async def handle(job):
        ran.append(job.attempts_made)
        if len(ran) == 1:
            await asyncio.Event().wait()
        return "well"

    async with running(Worker(queue, handle)):
        job = await queue.add("a", deadline=0.1)

        assert "well" == await job.result(5)
    assert "longer than 0.1 s" in (await queue.get(job.id)).stack_traces[0]


async def test_a_running_job_is_cancelled_from_anywhere(redis):
    """Its handler hears of it, and nobody tries it again."""
    queue, gate, heard = Queue(redis, "q", attempts=5), Gate(), []

    async def handle(job):
        try:
            await gate(job)
        except asyncio.CancelledError:
            heard.append(job.id)
            raise

    async with running(Worker(queue, handle)):
        job = await queue.add("a")
        await until(lambda: gate.entered)
        elsewhere = await Queue(redis, "q").get(job.id)
        assert await elsewhere.cancel("not needed any more")
        with pytest.raises(JobFailed, match="not needed any more"):
            await job.result(5)

    assert [job.id] == heard == gate.entered
    assert not await redis.exists("bull:q:redyard-cancelled")


@pytest.mark.parametrize("options", [{}, {"delay": 60}, {"priority": 3}])
async def test_a_waiting_job_that_is_cancelled_never_runs(redis, options):
    """It fails with the reason when a worker meets it, at once where it was delayed."""
    queue = Queue(redis, "q", attempts=5)
    job = await queue.add("a", **options)
    assert await job.cancel()
    async with running(Worker(queue, echo)):
        with pytest.raises(JobFailed, match="cancelled"):
            await job.result(5)


async def test_what_has_finished_cannot_be_cancelled(redis):
    """It says so, and changes nothing."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)):
        job = await queue.add("a", 1)
        await job.result(5)

    assert not await job.cancel()
    assert "completed" == await job.state()


async def test_a_handler_that_ends_although_it_was_cancelled_has_ended(redis):
    """What it returns is its result, and its task is as good as new for others."""
    queue, gate = Queue(redis, "q"), Gate()

    async def handle(job):
        try:
            await gate(job)
        except asyncio.CancelledError:
            return asyncio.current_task().uncancel()

    async with running(Worker(queue, handle)):
        job = await queue.add("a")
        await until(lambda: gate.entered)
        await job.cancel()

        assert 0 == await job.result(5)


async def test_jobs_in_hand_are_given_back_when_the_grace_is_over(redis):
    """They are next in line, no attempt counted; the platform would kill them otherwise."""
    queue, gate = Queue(redis, "q", attempts=1), Gate()
    worker = Worker(queue, gate, grace=0.1)
    run = asyncio.create_task(worker.run())
    job = await queue.add("a", 7)
    await until(lambda: gate.entered)
    worker.stop()
    await asyncio.wait_for(run, 5)

    assert ("waiting", 0) == (await job.state(), (await queue.get(job.id)).attempts_made)


def test_the_grace_is_the_platforms_time_but_two_seconds(monkeypatch):
    """Between SIGTERM and SIGKILL, as it says; without end where it does not."""
    queue = Queue(Redis.from_url("redis://h"), "q")
    before = Worker(queue, echo).grace
    monkeypatch.setenv("RAILWAY_PROJECT_ID", "p")
    monkeypatch.setenv("RAILWAY_DEPLOYMENT_DRAINING_SECONDS", "45")

    assert (None, 43) == (before, Worker(queue, echo).grace)


async def test_a_worker_whose_clock_is_off_goes_by_the_servers(redis, monkeypatch):
    """A delayed job runs when it is due, not a minute early or late."""
    queue = Queue(redis, "q")
    now = time.time
    monkeypatch.setattr("redyard.queue.moves.time.time", lambda: now() + 60)
    late = await queue.add("late", delay=30)
    async with running(Worker(Queue(redis, "q"), echo)):
        soon = await queue.add("soon", 1, delay=0.2)

        assert 1 == await soon.result(5)
        assert "delayed" == await late.state()
    assert abs(late.added_at - now()) < 5


async def test_a_slow_answer_moves_no_clock_that_agrees_with_the_servers(server):
    """It says when the server was asked only within the time that it took."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        queue = Queue(redis, "q")
        await queue.counts()
        proxy.hold(DOWN)
        asking = asyncio.create_task(queue.moves.learn_time())
        asked = time.monotonic()
        await until(lambda: time.monotonic() > asked + 0.1)
        proxy.release()
        await asking

        assert abs(queue.moves.now() - time.time()) < 0.03
