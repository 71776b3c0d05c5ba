"""Node's workers, events and bull-board beside ours, on one queue."""

import asyncio
import json
import signal
import urllib.request
from contextlib import aclosing
from typing import Any

import pytest

from redyard import Job, Queue, Redis, Worker
from redyard.queue.rules import Backoff
from tests.interop.conftest import HERE, Bull, Node
from tests.interop.deeds import Deeds
from tests.support.queues import state_is
from tests.support.servers import Server
from tests.support.wait import until
from tests.support.workers import Gate, echo, running, worker_process

pytestmark = pytest.mark.needs_node
LOCK = 0.6


async def test_both_work_one_queue_and_no_job_runs_twice(bull: Bull, redis: Redis) -> None:
    """Three hundred jobs, a worker of each kind."""
    deeds, queue = Deeds(), Queue(redis, "q", remove_on_complete=False)
    jobs = await queue.add_bulk([("a", number) for number in range(300)])
    await bull.work("q", concurrency=5)
    async with running(Worker(queue, deeds, concurrency=5)):

        async def completed() -> bool:
            return (await queue.counts())["completed"] == len(jobs)

        await until(completed)
        theirs = [job["id"] for job in await bull.ran("q")]

    assert sorted(job.id for job in jobs) == sorted(theirs + deeds.ran)


async def test_each_sees_the_others_workers(bull: Bull, redis: Redis) -> None:
    """By the names of their connections."""
    queue = Queue(redis, "q")
    await bull.work("q", name="theirs")
    async with running(Worker(queue, echo, name="ours")):

        async def seen() -> set[str]:
            found = {worker["rawname"] for worker in await bull.call("q", "getWorkers")}
            return found if len(found) == 2 else set()

        assert {"ours", "theirs"} == {name.rpartition(":")[2] for name in await until(seen)}
        assert {"ours", "theirs"} == {worker.name for worker in await queue.workers()}


async def test_node_sees_a_worker_of_ours_that_was_never_idle(bull: Bull, redis: Redis) -> None:
    """It has had a job from its first moment on."""
    queue, gate = Queue(redis, "q"), Gate()
    await queue.add("a")
    async with running(Worker(queue, gate, concurrency=1, name="busy")):
        await until(lambda: gate.entered)
        found = [worker["rawname"] for worker in await bull.call("q", "getWorkers")]
        gate.open.set()

    assert ["busy"] == [name.rpartition(":")[2] for name in found]


async def test_we_hear_every_event_of_their_worker(bull: Bull, redis: Redis) -> None:
    """From the first to the last of a job that fails, and is tried again in vain."""
    queue = Queue(redis, "q", attempts=2, backoff=Backoff("fixed", 0.01))
    kinds: list[str] = []
    async with aclosing(queue.events(since="0-0")) as events:
        job = await queue.add("a", {"do": {"fail": None}})
        await bull.work("q")
        async for event in events:
            kinds += [event.name] if event.job_id == job.id else []
            if event.name == "retries-exhausted":
                break

    twice = ["waiting", "active", "delayed", "waiting", "active", "failed", "retries-exhausted"]
    assert ["added", *twice] == kinds


async def test_we_run_the_jobs_again_that_failed_in_node(bull: Bull, redis: Redis) -> None:
    """All of one reason, and Node works them anew."""
    queue = Queue(redis, "q", attempts=1)
    jobs = await queue.add_bulk([("a", {"do": {"fail": None}})] * 3)
    await bull.work("q")
    await until(lambda: count(queue, "failed", 3))
    assert 3 == await queue.retry_all(reason="broken")
    await until(lambda: count(queue, "failed", 3))

    assert 2 * len(jobs) == len(await bull.ran("q"))


async def count(queue: Queue, state: str, number: int) -> bool:
    return {state: number} == {name: jobs for name, jobs in (await queue.counts()).items() if jobs}


async def test_the_job_of_a_killed_node_worker_runs_in_ours(node_modules: object, server: Server, redis: Redis) -> None:
    """When its lock has run out."""
    queue = Queue(redis, "q")
    node = Node(HERE / "bull.cjs")
    try:
        bull = Bull(node)
        await bull.connect(server)
        await bull.work("q", lockDuration=round(LOCK * 1000))
        job = await queue.add("a", {"do": {"hang": None}})
        await until(lambda: bull.ran("q"))
        node.process.send_signal(signal.SIGKILL)
    finally:
        node.close()

    async def again(_: Job) -> str:
        return "well"

    async with running(Worker(queue, again, lock=LOCK)):
        assert "well" == await job.result(10)

    assert 1 == (await queue.get(job.id)).stalls


async def test_the_job_of_our_killed_worker_runs_in_node(bull: Bull, server: Server, redis: Redis) -> None:
    """Node finds it by the same list of active jobs and the same locks."""
    job = await Queue(redis, "q").add("a", "hang")
    async with worker_process(server.url, "q", lock=LOCK) as victim:
        await until(lambda: begun(job))
        victim.kill()
    await bull.work("q", stalledInterval=200)

    assert "hang" == await job.result(10)


async def begun(job: Job) -> bool:
    return (await job.queue.get(job.id)).progress == "begun"


async def board(bull: Bull, path: str) -> Any:
    """Ask bull-board what its page would show."""
    port = await bull.order("board", names=["q"])
    address = f"http://127.0.0.1:{port}{path}"

    def read() -> Any:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)

    return await asyncio.to_thread(read)


async def test_bull_board_shows_our_queue(bull: Bull, redis: Redis) -> None:
    """Its counts and its jobs, by state."""
    queue = Queue(redis, "q", attempts=1)
    async with running(Worker(queue, Deeds())):
        await (await queue.add("good", {"n": 1})).result(10)
        failed = await queue.add("bad", {"do": {"fail": None}})
        await until(lambda: state_is(failed, "failed"))
    await queue.add("later", delay=60)
    await queue.add("urgent", priority=3)
    await queue.add("next")
    shown = (await board(bull, "/api/queues?activeQueue=q&status=failed&page=1"))["queues"][0]
    counts = {state: number for state, number in shown["counts"].items() if number}

    assert {"waiting": 1, "completed": 1, "failed": 1, "delayed": 1, "prioritized": 1} == counts
    assert [("bad", "broken")] == [(job["name"], job["failedReason"]) for job in shown["jobs"]]


async def test_bull_board_shows_one_job_of_ours(bull: Bull, redis: Redis) -> None:
    """Its data, options, progress, result and log."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, Deeds())):
        job = await queue.add("tells", {"do": {"tell": None}})
        await job.result(10)
    shown = await board(bull, f"/api/queues/q/{job.id}")
    logs = await board(bull, f"/api/queues/q/{job.id}/logs")

    assert "completed" == shown["status"]
    assert ("tells", {"percent": 50}, "told", 3) == tuple(
        shown["job"][field] if field != "attempts" else shown["job"]["opts"]["attempts"]
        for field in ("name", "progress", "returnValue", "attempts")
    )
    assert ["half of it"] == logs
