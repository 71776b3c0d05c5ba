"""Where handlers run: threads and child processes."""

import os
import threading

import pytest

from redyard import Queue, Worker
from redyard.engine.find import find
from redyard.errors import JobFailed
from redyard.queue import report_line, report_progress
from tests.queue import crunch
from tests.support.clients import client
from tests.support.servers import Server
from tests.support.wait import until
from tests.support.workers import running


@pytest.fixture(scope="module")
def store():
    """One engine is enough: these tests are about threads and processes."""
    server = Server(find())
    yield server
    server.close()


@pytest.fixture
async def redis(store):
    """A client of the empty store."""
    store.admin("FLUSHALL")
    async with client(store.url) as made:
        yield made


@pytest.fixture
def queue(redis):
    """A queue with the tasks for child processes."""
    queue = Queue(redis, "q", attempts=1)
    queue.tasks.update(crunch.tasks.tasks)
    return queue


def alive(pid: int) -> bool:
    """Say whether a process lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_plain_functions_run_in_threads_as_many_as_jobs_at_once(redis):
    """All at the same time: each waits for the others."""
    queue, together = Queue(redis, "q"), threading.Barrier(12)

    def handle(job):
        together.wait(20)
        return threading.current_thread().name

    async with running(Worker(queue, handle, concurrency=12)):
        jobs = [await queue.add("a", n) for n in range(12)]
        names = [await job.result(20) for job in jobs]

    assert 12 == len(set(names))


async def test_a_plain_function_tells_how_far_it_is(redis):
    """From its thread: progress and lines are there before its end."""
    queue = Queue(redis, "q")

    def handle(job):
        for percent in (30, 60):
            report_progress(percent)
            report_line(f"at {percent}")

    async with running(Worker(queue, handle)):
        job = await queue.add("a")
        await job.result(5)
    done = await queue.get(job.id)

    assert (60, ["at 30", "at 60"]) == (done.progress, await done.logs())


async def test_an_async_handler_reports_from_anywhere(redis):
    """Without the job in its hands; outside a job nobody hears it."""
    queue = Queue(redis, "q")

    async def deep() -> None:
        report_progress("deep")

    async with running(Worker(queue, lambda _: deep())):
        job = await queue.add("a")
        await job.result(5)
    await deep()

    assert "deep" == (await queue.get(job.id)).progress


async def test_work_for_a_cpu_runs_in_a_child(queue):
    """Its result, progress and log come back."""
    async with running(Worker(queue)):
        job = await queue.add("square", {"n": 12})

        assert 144 == await job.result(20)
        assert os.getpid() != await (await queue.add("process", {})).result(20)
    done = await queue.get(job.id)
    assert (50, ["crunching é"]) == (done.progress, await done.logs())


async def test_a_killed_child_fails_its_attempt_alone(queue):
    """The worker and the next jobs live; the reason says how it ended."""
    async with running(Worker(queue)):
        job = await queue.add("die", {})
        with pytest.raises(JobFailed, match="ended with status -9"):
            await job.result(20)

        assert 4 == await (await queue.add("square", {"n": 2})).result(20)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("fail", {"final": False}, "not now"),
        ("fail", {"final": True}, "never"),
        ("strange", {}, "cannot be written as JSON"),
        ("square", {"n": "x"}, "cannot have these arguments"),
    ],
)
async def test_what_a_child_raises_is_the_job_s_failure(queue, name, data, reason):
    """With the child's stack."""
    async with running(Worker(queue)):
        job = await queue.add(name, data)
        with pytest.raises(JobFailed, match=reason):
            await job.result(20)
    (stack,) = (await queue.get(job.id)).stack_traces

    assert "In a child process" in stack


async def test_what_cannot_be_helped_is_not_tried_again(queue):
    """Also when a child says so."""
    async with running(Worker(queue)):
        final = await queue.add("fail", {"final": True}, attempts=3, backoff=0.01)
        other = await queue.add("fail", {"final": False}, attempts=3, backoff=0.01)
        for job in (final, other):
            with pytest.raises(JobFailed):
                await job.result(20)

    assert [1, 3] == [(await queue.get(job.id)).attempts_made for job in (final, other)]


async def test_the_child_of_a_cancelled_job_is_killed(queue, tmp_path):
    """It would go on for nobody."""
    path = tmp_path / "pid"
    async with running(Worker(queue)):
        job = await queue.add("last", {"path": str(path)})
        pid = int(await until(lambda: path.exists() and path.read_text()))
        await job.cancel("enough")
        with pytest.raises(JobFailed, match="enough"):
            await job.result(10)
        await until(lambda: not alive(pid))


async def test_no_child_outlives_its_worker(queue):
    """They end when it ends."""
    async with running(Worker(queue)):
        pid = await (await queue.add("process", {})).result(20)
        assert alive(pid)

    assert not alive(pid)
