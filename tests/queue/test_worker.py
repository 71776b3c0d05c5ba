"""Running jobs: attempts, limits, ends."""

import asyncio
import itertools
import os
import signal
import threading

import pytest

from redyard import Queue, Worker
from redyard.errors import EvictingServer, JobFailed, Unrecoverable
from tests.support.clients import client, heard
from tests.support.queues import blocked, state_is
from tests.support.wait import until
from tests.support.workers import Gate, echo, running


async def test_every_job_runs_once(redis):
    """Many jobs, three workers, one list of ids."""
    queue, ran = Queue(redis, "q", remove_on_complete=False), []

    async def handle(job):
        ran.append(job.id)
        await asyncio.sleep(0)

    async with running(*(Worker(queue, handle, concurrency=7) for _ in range(3))):
        jobs = [await queue.add("a") for _ in range(200)]
        await until(lambda: len(ran) >= 200)
        await asyncio.gather(*(job.result(5) for job in jobs))

    assert sorted(job.id for job in jobs) == sorted(ran)
    assert {"completed": 200} == {state: n for state, n in (await queue.counts()).items() if n}


async def test_no_more_jobs_run_at_once_than_allowed(redis):
    """The others wait in Redis, where another worker can take them."""
    queue, gate = Queue(redis, "q"), Gate()
    jobs = [await queue.add("a") for _ in range(5)]
    async with running(Worker(queue, gate, concurrency=3)):
        await until(lambda: len(gate.entered) == 3)
        counts = await queue.counts()
        gate.open.set()
        await asyncio.gather(*(job.result(5) for job in jobs))

    assert (3, 2) == (counts["active"], counts["waiting"])


async def test_an_idle_worker_starts_a_job_at_once(redis):
    """It is woken, not waiting for a next look."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)):
        await until(lambda: blocked(redis))
        start = asyncio.get_running_loop().time()
        job = await queue.add("a")
        await job.result(5)

    assert asyncio.get_running_loop().time() - start < 0.5


async def test_a_failing_job_is_tried_again_after_longer_and_longer_pauses(redis):
    """Twice as long each time, then it has failed, with all its stack traces."""
    queue, times = Queue(redis, "q", attempts=3, backoff=0.1), []

    async def handle(job):
        times.append((job.attempts_made, asyncio.get_running_loop().time()))
        raise ValueError(f"attempt {job.attempts_made}")

    with heard() as events:
        async with running(Worker(queue, handle)):
            job = await queue.add("a")
            with pytest.raises(JobFailed, match="attempt 2"):
                await job.result(5)
    job = await queue.get(job.id)
    pauses = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(times)]

    assert [0, 1, 2] == [made for made, _ in times]
    assert pauses[0] >= 0.09
    assert pauses[1] >= 0.19
    assert (3, 3) == (job.attempts_made, len(job.stack_traces))
    assert "ValueError: attempt 1" in job.stack_traces[1]
    assert [False, False, True] == [event.fields["final"] for event in events]


async def test_without_backoff_the_next_attempt_follows_at_once(redis):
    """The job goes back in line."""
    queue, made = Queue(redis, "q", attempts=3, backoff=0), []

    async def handle(job):
        made.append(job.attempts_made)
        if len(made) < 3:
            raise ValueError
        return "well"

    async with running(Worker(queue, handle)):
        job = await queue.add("a", priority=2)
        assert "well" == await job.result(5)

    assert [0, 1, 2] == made


async def test_an_unrecoverable_error_ends_a_job(redis):
    """Another attempt would not help, says the handler."""
    queue, ran = Queue(redis, "q", attempts=5), []

    async def handle(job):
        ran.append(1)
        raise Unrecoverable(problem="no such customer")

    async with running(Worker(queue, handle)):
        with pytest.raises(JobFailed, match="no such customer"):
            await (await queue.add("a")).result(5)

    assert [1] == ran


async def test_a_handler_that_cancels_itself_fails_like_any_other(redis):
    """The worker goes on with the next job."""
    queue = Queue(redis, "q", attempts=1)

    async def handle(job):
        if job.name == "bad":
            raise asyncio.CancelledError
        return "well"

    async with running(Worker(queue, handle)):
        with pytest.raises(JobFailed, match="cancelled"):
            await (await queue.add("bad")).result(5)

        assert "well" == await (await queue.add("good")).result(5)


async def test_a_result_that_is_no_json_fails_without_another_attempt(redis):
    """The work was done; doing it again would not change the result."""
    queue, ran = Queue(redis, "q", attempts=3), []

    async def handle(job):
        ran.append(1)
        return object()

    async with running(Worker(queue, handle)):
        with pytest.raises(JobFailed, match="cannot be written as JSON"):
            await (await queue.add("a")).result(5)

    assert [1] == ran


async def test_a_plain_function_runs_in_a_thread(redis):
    """It does not stop the jobs beside it."""
    queue = Queue(redis, "q")

    def handle(job):
        return threading.current_thread() is not threading.main_thread()

    async with running(Worker(queue, handle)):
        assert await (await queue.add("a")).result(5) is True


@pytest.mark.parametrize(
    "opts",
    ["[]", '{"attempts":1e999}', '{"backoff":{"type":"fixed","delay":1e999}}', "[" * 3000, '{"deadline":"soon"}'],
)
async def test_options_that_somebody_broke_fail_the_job_alone(redis, opts):
    """It does not come back for ever, and the worker goes on."""
    queue = Queue(redis, "q")
    bad = await queue.add("a", 1)
    await redis.hset(f"bull:q:{bad.id}", "opts", opts)
    async with running(Worker(queue, echo)):
        await until(lambda: state_is(bad, "failed"))
        assert 2 == await (await queue.add("b", 2)).result(5)


async def test_data_that_somebody_broke_fail_the_job_alone(redis):
    """A foreign producer's mistake does not end the worker."""
    queue = Queue(redis, "q")
    bad = await queue.add("a")
    await redis.hset(f"bull:q:{bad.id}", "data", "{broken")
    async with running(Worker(queue, echo)):
        await until(lambda: state_is(bad, "failed"))
        assert 2 == await (await queue.add("b", 2)).result(5)


async def test_a_job_that_vanished_from_under_the_queue_is_passed_over(redis):
    """Its id in the list harms nobody."""
    queue = Queue(redis, "q")
    gone = await queue.add("a")
    await redis.delete(f"bull:q:{gone.id}")
    async with running(Worker(queue, echo)):
        assert 2 == await (await queue.add("b", 2)).result(5)

    assert 0 == (await queue.counts())["active"]


@pytest.mark.parametrize(("name", "state"), [("good", "completed"), ("bad", "failed")])
async def test_as_many_finished_jobs_are_kept_as_asked(redis, name, state):
    """The newest (those of one millisecond count as equally old); with the others go their logs."""
    queue = Queue(redis, "q", attempts=1, remove_on_complete=3, remove_on_fail=3)

    async def handle(job):
        await job.log("a line")
        if job.name == "bad":
            raise ValueError

    async with running(Worker(queue, handle, concurrency=1)):
        jobs = [await queue.add(name) for _ in range(6)]
        await until(lambda: state_is(jobs[-1], state))

    kept = [job for job in jobs if await redis.exists(f"bull:q:{job.id}")]
    logs = [job for job in jobs if await redis.exists(f"bull:q:{job.id}:logs")]

    assert (3, 3) == (len(kept), (await queue.counts())[state])
    assert kept == logs
    assert jobs[0] not in kept


async def test_a_stopping_worker_ends_its_jobs_and_takes_no_more(redis):
    """The jobs in hand complete; the others stay in line."""
    queue, gate = Queue(redis, "q"), Gate()
    worker = Worker(queue, gate, concurrency=2)
    for _ in range(4):
        await queue.add("a")
    run = asyncio.create_task(worker.run())
    await until(lambda: len(gate.entered) == 2)
    worker.stop()
    worker.stop()
    gate.open.set()
    await run
    counts = await queue.counts()

    assert (2, 2, 0) == (counts["completed"], counts["waiting"], counts["active"])


async def test_a_cancelled_worker_gives_its_jobs_back(redis):
    """They are next in line, no attempt counted, and run at once elsewhere."""
    queue, gate = Queue(redis, "q", attempts=1), Gate()
    run = asyncio.create_task(Worker(queue, gate).run())
    job = await queue.add("a", 7)
    await until(lambda: gate.entered)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    back = await queue.get(job.id)

    assert ("waiting", 0) == (await job.state(), back.attempts_made)
    async with running(Worker(queue, echo)):
        assert 7 == await job.result(5)


async def test_a_worker_may_be_stopped_before_it_runs_and_run_again(redis):
    """Both are legal: nothing happens, and then it works."""
    queue = Queue(redis, "q")
    worker = Worker(queue, echo)
    worker.stop()
    await worker.run()
    async with running(worker):
        assert 1 == await (await queue.add("a", 1)).result(5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_a_worker_that_was_told_to_listen(redis, number):
    """The job in hand ends, and the signal is the process's own again."""
    queue, gate = Queue(redis, "q"), Gate()
    before = signal.getsignal(number)
    run = asyncio.create_task(Worker(queue, gate).run(handle_signals=True))
    job = await queue.add("a", 1)
    await until(lambda: gate.entered)
    os.kill(os.getpid(), number)
    gate.open.set()
    await asyncio.wait_for(run, 5)

    assert "completed" == await job.state()
    assert before == signal.getsignal(number)


async def test_a_worker_that_cannot_renew_its_locks_ends_with_the_error(redis):
    """A fault of ours must not go on unseen while locks run out."""

    class Faulty(Worker):
        async def _tend(self):
            raise LookupError("a fault of ours")

    with pytest.raises(LookupError, match="a fault of ours"):
        await asyncio.wait_for(Faulty(Queue(redis, "q"), echo).run(), 5)


async def test_an_evicting_server_stops_a_worker_at_its_start(server, redis):
    """It does not run jobs that may vanish."""
    server.admin("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(EvictingServer):
            await Worker(Queue(redis, "q"), echo).run()
    finally:
        server.admin("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_wrong_password_stops_a_worker_at_its_start(server):
    """Waiting would not help."""
    import redis.exceptions

    async with client(f"redis://default:wrong@127.0.0.1:{server.port}") as wrong:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await Worker(Queue(wrong, "q"), echo).run()


async def test_a_stopped_worker_wakes_the_others(redis):
    """A bell that rang for it alone does not leave a job lying."""
    queue = Queue(redis, "q")
    for _ in range(5):
        first = Worker(queue, echo)
        async with running(Worker(queue, echo)):
            run = asyncio.create_task(first.run())
            await until(lambda: blocked(redis))
            job = await queue.add("a", 1)
            first.stop()

            assert 1 == await job.result(2)
            await run
