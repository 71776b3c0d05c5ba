"""Node's producer, our worker."""

import time

import pytest

from redyard import Queue, Redis, Worker
from tests.interop.conftest import Bull
from tests.interop.deeds import Deeds
from tests.support.wait import until
from tests.support.workers import running

pytestmark = pytest.mark.needs_node

DATA = {
    "unicode": "Grüße 🌍 \u0000 \u2028 ",
    "nested": [{"a": [[], {}, None, True]}],
    "integers": [2**53 - 1, -(2**53) + 1, 0],
    "floats": [0.1, 1e-7, 1.5e300, -2.5],
    "": "no name",
}


async def done(bull: Bull, job_id: str, *, state: str = "completed") -> dict:
    """Wait until Node sees a job in a state, and return it as Node sees it."""

    async def there() -> bool:
        return await bull.state("q", job_id) == state

    await until(there)
    return await bull.read("q", job_id)


async def test_any_json_comes_back_as_it_was(bull: Bull, redis: Redis) -> None:
    """Unicode, nesting, the largest integers of JavaScript and floats, as data and as result."""
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, await bull.add("q", "a", DATA))

    assert (DATA, DATA) == (job["data"], job["returnvalue"])


async def test_nothing_given_and_nothing_returned_are_null(bull: Bull, redis: Redis) -> None:
    """Node's undefined is our None, and our None is its null."""
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, await bull.add("q", "a"))

    assert job["returnvalue"] is None


async def test_a_batch_is_worked_in_its_order(bull: Bull, redis: Redis) -> None:
    """addBulk of fifty jobs."""
    deeds = Deeds()
    made = await bull.call("q", "addBulk", [{"name": "a", "data": number} for number in range(50)])
    async with running(Worker(Queue(redis, "q"), deeds, concurrency=1)):
        await until(lambda: len(deeds.ran) == 50)

    assert [job["id"] for job in made] == deeds.ran


async def test_attempts_follow_each_other_with_their_backoff(bull: Bull, redis: Redis) -> None:
    """Exponential from 50 ms: the third attempt comes after 150 ms, and Node sees both failures."""
    job_id = await bull.add("q", "a", {"do": {"flaky": 2}}, attempts=3, backoff={"type": "exponential", "delay": 50})
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, job_id)

    assert ("well after 2", 3, 2) == (job["returnvalue"], job["attemptsMade"], len(job["stacktrace"]))
    assert job["finishedOn"] - job["timestamp"] >= 150


async def test_a_job_that_failed_for_good_tells_node_why(bull: Bull, redis: Redis) -> None:
    """Its reason and the stack of each attempt."""
    job_id = await bull.add("q", "a", {"do": {"fail": None}}, attempts=3, backoff={"type": "fixed", "delay": 10})
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, job_id, state="failed")

    assert ("broken", 3, 3) == (job["failedReason"], job["attemptsMade"], len(job["stacktrace"]))


async def test_our_unrecoverable_error_ends_their_job(bull: Bull, redis: Redis) -> None:
    """Though attempts were left."""
    job_id = await bull.add("q", "a", {"do": {"fatal": None}}, attempts=5)
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, job_id, state="failed")

    assert 1 == job["attemptsMade"]
    assert "hopeless" in job["failedReason"]


async def test_a_delayed_job_waits_for_its_time(bull: Bull, redis: Redis) -> None:
    """And is not forgotten by a worker that has nothing else to do."""
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, await bull.add("q", "a", delay=300))

    assert job["processedOn"] - job["timestamp"] >= 300


async def test_the_order_is_of_the_priorities(bull: Bull, redis: Redis) -> None:
    """Jobs without one first, the newest of them when it says lifo, then 1 before 2."""
    deeds = Deeds()
    orders = {"two": {"priority": 2}, "one": {"priority": 1}, "none": {}, "lifo": {"lifo": True}}
    for job_id, options in orders.items():
        await bull.add("q", "a", jobId=job_id, **options)
    async with running(Worker(Queue(redis, "q"), deeds, concurrency=1)):
        await until(lambda: len(deeds.ran) == 4)

    assert ["lifo", "none", "one", "two"] == deeds.ran


async def test_progress_and_log_reach_node(bull: Bull, redis: Redis) -> None:
    """As BullMQ's own."""
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, await bull.add("q", "a", {"do": {"tell": None}}))

    assert {"percent": 50} == job["progress"]
    assert ["half of it"] == (await bull.call("q", "getJobLogs", job["id"]))["logs"]


async def test_a_parent_of_theirs_gets_its_childrens_results(bull: Bull, redis: Redis) -> None:
    """Two children in the same queue run first."""
    children = [{"name": "child", "queueName": "q", "data": word} for word in ("one", "two")]
    tree = {"name": "parent", "queueName": "q", "data": {"do": {"children": None}}, "children": children}
    made = await bull.order("flow", tree=tree)
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, made["id"])

    assert ["one", "two"] == job["returnvalue"]


@pytest.mark.parametrize(
    ("option", "state"),
    [
        ("failParentOnFailure", "failed"),
        ("ignoreDependencyOnFailure", "completed"),
        ("removeDependencyOnFailure", "completed"),
        ("continueParentOnFailure", "completed"),
    ],
)
async def test_a_failed_child_means_what_it_says(bull: Bull, redis: Redis, option: str, state: str) -> None:
    """To a parent that Node made and we work."""
    child = {"name": "child", "queueName": "q", "data": {"do": {"fail": None}}, "opts": {option: True}}
    tree = {"name": "parent", "queueName": "q", "data": {"do": {"ignored": None}}, "children": [child]}
    made = await bull.order("flow", tree=tree)
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job = await done(bull, made["id"], state=state)

    assert state == await bull.state("q", job["id"])
    if option in {"ignoreDependencyOnFailure", "continueParentOnFailure"}:
        assert ["broken"] == job["returnvalue"]


async def test_their_scheduler_goes_on_in_our_worker(bull: Bull, redis: Redis) -> None:
    """Every 100 ms, three times, and no fourth."""
    deeds = Deeds()
    await bull.call("q", "upsertJobScheduler", "tick", {"every": 100, "limit": 3}, {"name": "a", "data": "t"})
    async with running(Worker(Queue(redis, "q"), deeds)):
        await until(lambda: len(deeds.ran) == 3)

        assert 0 == (await bull.call("q", "getJobCounts"))["delayed"]

    assert 3 == len(set(deeds.ran))


async def test_their_cron_line_goes_on_in_our_worker(bull: Bull, redis: Redis) -> None:
    """Each second, in a time zone: the job that we take makes the next one."""
    deeds = Deeds()
    await bull.call("q", "upsertJobScheduler", "tick", {"pattern": "* * * * * *", "tz": "Asia/Tokyo"}, {"name": "a"})
    async with running(Worker(Queue(redis, "q"), deeds)):
        await until(lambda: len(deeds.ran) == 2)

    assert 1 == len(await bull.call("q", "getJobSchedulers"))
    assert 1 == (await bull.call("q", "getJobCounts"))["delayed"]


async def test_a_dropped_job_of_theirs_is_run_once(bull: Bull, redis: Redis) -> None:
    """Deduplicated while it waits, and added anew when it is done."""
    deeds = Deeds()
    for _ in range(3):
        await bull.add("q", "a", deduplication={"id": "same"})
    async with running(Worker(Queue(redis, "q"), deeds)):
        await until(lambda: deeds.ran)
        await done(bull, deeds.ran[0])
        await done(bull, await bull.add("q", "a", deduplication={"id": "same"}))

    assert 2 == len(deeds.ran)


async def test_their_workers_limit_is_kept_by_ours(bull: Bull, redis: Redis) -> None:
    """Four jobs at two in 300 ms take one more window."""
    deeds = Deeds()
    await bull.call("q", "addBulk", [{"name": "a", "data": number} for number in range(4)])
    began = time.monotonic()
    async with running(Worker(Queue(redis, "q"), deeds, limit=(2, 0.3))):
        await until(lambda: len(deeds.ran) == 4)

    assert time.monotonic() - began >= 0.3


async def test_their_limit_of_the_queue_is_kept_by_ours(bull: Bull, redis: Redis) -> None:
    """Set in Node for all workers: rate and concurrency."""
    deeds = Deeds()
    await bull.call("q", "setGlobalRateLimit", 2, 300)
    await bull.call("q", "setGlobalConcurrency", 1)
    await bull.call("q", "addBulk", [{"name": "a", "data": number} for number in range(4)])
    began = time.monotonic()
    async with running(Worker(Queue(redis, "q"), deeds)):
        await until(lambda: len(deeds.ran) == 4)

    assert time.monotonic() - began >= 0.3


async def test_node_pauses_our_worker(bull: Bull, redis: Redis) -> None:
    """Nothing is taken until it resumes the queue."""
    deeds, queue = Deeds(), Queue(redis, "q")
    await bull.call("q", "pause")
    async with running(Worker(queue, deeds)):
        job_id = await bull.add("q", "a")
        assert await queue.is_paused()
        assert not deeds.ran

        await bull.call("q", "resume")
        await done(bull, job_id)

    assert [job_id] == deeds.ran


@pytest.mark.parametrize(("rule", "left"), [(True, 0), (False, 6), (2, 2), ({"count": 3}, 3), ({"age": 3600}, 6)])
async def test_we_keep_as_many_as_they_say(bull: Bull, redis: Redis, rule: object, left: int) -> None:
    """By removeOnComplete: none, all, a count, an age."""
    deeds = Deeds()
    await bull.call("q", "addBulk", [{"name": "a", "opts": {"removeOnComplete": rule}} for _ in range(6)])
    async with running(Worker(Queue(redis, "q"), deeds, concurrency=1)):
        await until(lambda: len(deeds.ran) == 6)

    assert left == (await bull.call("q", "getJobCounts"))["completed"]


async def test_node_waits_for_our_result(bull: Bull, redis: Redis) -> None:
    """waitUntilFinished hears of it by our worker's event."""
    await bull.order("listen", name="q", kinds=["completed"])
    async with running(Worker(Queue(redis, "q"), Deeds())):
        job_id = await bull.add("q", "a", {"n": 7})

        assert {"n": 7} == await bull.order("wait", name="q", id=job_id)


async def test_node_hears_every_event_of_our_worker(bull: Bull, redis: Redis) -> None:
    """From waiting to its end, progress and retries between."""
    kinds = ["added", "waiting", "active", "progress", "completed", "failed", "delayed", "drained", "retries-exhausted"]
    await bull.order("listen", name="q", kinds=kinds)
    async with running(Worker(Queue(redis, "q"), Deeds())):
        told = await bull.add("q", "a", {"do": {"tell": None}})
        lost = await bull.add("q", "a", {"do": {"fail": None}}, attempts=2, backoff={"type": "fixed", "delay": 20})
        await done(bull, told)
        await done(bull, lost, state="failed")

        async def heard() -> list[dict]:
            events = await bull.order("heard", name="q")
            return events if any(event["kind"] == "retries-exhausted" for event in events) else []

        events = await until(heard)

    def of(job_id: str) -> list[str]:
        return [event["kind"] for event in events if event.get("jobId") == job_id]

    assert ["added", "waiting", "active", "progress", "completed"] == of(told)
    assert {"added", "waiting", "active", "delayed", "failed", "retries-exhausted"} == set(of(lost))
