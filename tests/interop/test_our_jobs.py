"""Our producer, Node's worker."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from redyard import Queue, Redis
from redyard.errors import JobFailed
from redyard.queue.flows import Flow
from redyard.queue.rules import Backoff, Deduplication, Keep
from tests.interop.conftest import Bull
from tests.interop.test_their_jobs import DATA
from tests.support.wait import until

pytestmark = pytest.mark.needs_node


async def names(bull: Bull, count: int) -> list[str]:
    """Wait until Node has begun so many jobs, and return their names in order."""

    async def begun() -> list[dict]:
        ran = await bull.ran("q")
        return ran if len(ran) >= count else []

    return [job["name"] for job in await until(begun)]


async def test_any_json_comes_back_as_it_was(bull: Bull, redis: Redis) -> None:
    """Unicode, nesting, the largest integers of JavaScript and floats, as data and as result."""
    await bull.work("q")
    job = await Queue(redis, "q").add("a", DATA)

    assert DATA == await job.result(10)


async def test_nothing_returned_is_none(bull: Bull, redis: Redis) -> None:
    """A Node handler that returns undefined."""
    await bull.work("q")

    assert await (await Queue(redis, "q").add("a", {"do": {"nothing": None}})).result(10) is None


async def test_a_batch_is_worked_in_its_order(bull: Bull, redis: Redis) -> None:
    """Fifty jobs added at once."""
    wanted = [f"n{number}" for number in range(50)]
    await Queue(redis, "q").add_bulk((name, None) for name in wanted)
    await bull.work("q", concurrency=1)

    assert wanted == await names(bull, 50)


async def test_attempts_follow_each_other_with_their_backoff(bull: Bull, redis: Redis) -> None:
    """Node reads our attempts, the kind and the delay of our backoff."""
    await bull.work("q")
    queue = Queue(redis, "q", attempts=3, backoff=0.05)
    job = await queue.add("a", {"do": {"flaky": 2}})

    assert "well after 2" == await job.result(10)
    job = await queue.get(job.id)
    assert (3, 2) == (job.attempts_made, len(job.stack_traces))
    assert job.finished_at - job.added_at >= 0.15


async def test_a_job_that_failed_for_good_tells_us_why(bull: Bull, redis: Redis) -> None:
    """Its reason and the stack of each attempt."""
    await bull.work("q")
    queue = Queue(redis, "q", attempts=3, backoff=Backoff("fixed", 0.01))
    job = await queue.add("a", {"do": {"fail": None}})
    with pytest.raises(JobFailed, match="broken"):
        await job.result(10)
    job = await queue.get(job.id)

    assert ("broken", 3, 3) == (job.failed_reason, job.attempts_made, len(job.stack_traces))
    assert "failed" == await job.state()


async def test_their_unrecoverable_error_ends_our_job(bull: Bull, redis: Redis) -> None:
    """Though attempts were left."""
    await bull.work("q")
    queue = Queue(redis, "q", attempts=5)
    job = await queue.add("a", {"do": {"fatal": None}})
    with pytest.raises(JobFailed, match="hopeless"):
        await job.result(10)

    assert 1 == (await queue.get(job.id)).attempts_made


async def test_a_delayed_job_waits_for_its_time(bull: Bull, redis: Redis) -> None:
    """And is not forgotten by a worker that has nothing else to do."""
    await bull.work("q")
    queue = Queue(redis, "q")
    job = await queue.add("a", delay=0.3)
    await job.result(10)
    job = await queue.get(job.id)

    assert job.processed_at - job.added_at >= 0.3


async def test_the_order_is_of_the_priorities(bull: Bull, redis: Redis) -> None:
    """Jobs without one first, the newest of them when it is lifo, then 1 before 2."""
    queue = Queue(redis, "q")
    await queue.add("two", priority=2)
    await queue.add("one", priority=1)
    await queue.add("none")
    await queue.add("lifo", lifo=True)
    await bull.work("q", concurrency=1)

    assert ["lifo", "none", "one", "two"] == await names(bull, 4)


async def test_an_id_of_our_own_is_theirs_too(bull: Bull, redis: Redis) -> None:
    """Added by us and by Node, it is one job."""
    queue = Queue(redis, "q")
    ours = await queue.add("a", "ours", job_id="order-7")
    theirs = await bull.add("q", "a", "theirs", jobId="order-7")

    assert (ours.id, "ours") == (theirs, (await bull.read("q", "order-7"))["data"])
    assert 1 == (await queue.counts())["waiting"]


async def test_progress_and_log_reach_us(bull: Bull, redis: Redis) -> None:
    """As our own."""
    await bull.work("q")
    queue = Queue(redis, "q")
    job = await queue.add("a", {"do": {"tell": None}})
    await job.result(10)
    job = await queue.get(job.id)

    assert ({"percent": 50}, ["half of it"]) == (job.progress, await job.logs())


async def test_a_parent_of_ours_gets_its_childrens_results(bull: Bull, redis: Redis) -> None:
    """Two children run first, one of them a parent itself, in Node."""
    inner = Flow("child", {"do": {"children": None}}, children=[Flow("leaf", "leaf")])
    tree = Flow("parent", {"do": {"children": None}}, children=[Flow("child", "one"), inner])
    job = await Queue(redis, "q").add_flow(tree)
    await bull.work("q")

    assert [["leaf"], "one"] == await job.result(10)


@pytest.mark.parametrize("rule", ["fail", "ignore", "remove", "continue"])
async def test_a_failed_child_means_what_it_says(bull: Bull, redis: Redis, rule: str) -> None:
    """To a parent that we made and Node works."""
    child = Flow("child", {"do": {"fail": None}}, attempts=1, on_failure=rule)
    queue = Queue(redis, "q")
    job = await queue.add_flow(Flow("parent", {"do": {"ignored": None}}, children=[child]))
    await bull.work("q")
    if rule == "fail":
        with pytest.raises(JobFailed, match="child"):
            await job.result(10)
    else:
        assert {"remove": []}.get(rule, ["broken"]) == await job.result(10)


async def test_our_scheduler_goes_on_in_their_worker(bull: Bull, redis: Redis) -> None:
    """Every 100 ms, three times, and no fourth; Node knows it by its id."""
    queue = Queue(redis, "q")
    await queue.schedulers.upsert("tick", "a", "t", every=0.1, limit=3)
    seen = await bull.call("q", "getJobScheduler", "tick")
    await bull.work("q")
    await names(bull, 3)

    assert ("a", 100, 3) == (seen["name"], seen["every"], seen["limit"])
    assert 0 == (await queue.counts())["delayed"]


async def test_our_cron_line_goes_on_in_their_worker(bull: Bull, redis: Redis) -> None:
    """Each second, in a time zone: the job that Node takes makes the next one."""
    queue = Queue(redis, "q")
    await queue.schedulers.upsert("tick", "a", cron="* * * * * *", tz="Asia/Tokyo")
    await bull.work("q")
    await names(bull, 2)

    assert ["tick"] == [scheduler.id for scheduler in await queue.schedulers.all()]
    assert 1 == (await queue.counts())["delayed"]


async def test_both_know_the_same_next_time(bull: Bull, redis: Redis) -> None:
    """Of a cron line in a zone with summer time."""
    queue = Queue(redis, "q")
    start = datetime.now(UTC) + timedelta(days=1)
    await queue.schedulers.upsert("ours", "a", cron="30 9 * * 1-5", tz="Europe/Berlin", start=start)
    options = {"pattern": "30 9 * * 1-5", "tz": "Europe/Berlin", "startDate": round(start.timestamp() * 1000)}
    await bull.call("q", "upsertJobScheduler", "theirs", options, {"name": "a"})
    ours, theirs = [await queue.schedulers.get(name) for name in ("ours", "theirs")]

    assert ours.next == theirs.next


async def test_a_dropped_job_of_ours_is_run_once(bull: Bull, redis: Redis) -> None:
    """Deduplicated while it waits, by us and by Node, and added anew when it is done."""
    queue = Queue(redis, "q")
    first = await queue.add("a", 1, deduplication="same")
    assert first.id == (await queue.add("a", 2, deduplication="same")).id
    assert first.id == await bull.add("q", "a", 3, deduplication={"id": "same"})
    await bull.work("q")

    assert 1 == await first.result(10)
    assert 4 == await (await queue.add("a", 4, deduplication=Deduplication("same", ttl=60))).result(10)
    assert 2 == len(await bull.ran("q"))


async def test_our_limit_of_the_queue_is_kept_by_their_worker(bull: Bull, redis: Redis) -> None:
    """Four jobs at two in 300 ms take one more window."""
    queue = Queue(redis, "q")
    await queue.set_rate(2, 0.3)
    await queue.add_bulk([("a", number) for number in range(4)])
    began = time.monotonic()
    await bull.work("q")
    await names(bull, 4)

    assert time.monotonic() - began >= 0.3


async def test_we_pause_their_worker(bull: Bull, redis: Redis) -> None:
    """Nothing is taken until we resume the queue."""
    queue = Queue(redis, "q")
    await queue.pause()
    await bull.work("q")
    job = await queue.add("a", 1)
    assert await bull.call("q", "isPaused")
    assert [] == await bull.ran("q")

    await queue.resume()
    assert 1 == await job.result(10)


@pytest.mark.parametrize(("rule", "left"), [(True, 0), (False, 6), (2, 2), (Keep(count=3), 3), (Keep(age=3600), 6)])
async def test_they_keep_as_many_as_we_say(bull: Bull, redis: Redis, rule: int | bool | Keep, left: int) -> None:
    """By remove_on_complete: none, all, a count, an age."""
    queue = Queue(redis, "q", remove_on_complete=rule)
    await queue.add_bulk([("a", number) for number in range(6)])
    await bull.work("q", concurrency=1)

    async def over() -> bool:
        counts = await queue.counts()
        return not counts["active"] + counts["waiting"]

    await until(over)

    assert left == (await queue.counts())["completed"]
