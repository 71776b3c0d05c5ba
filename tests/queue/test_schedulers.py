"""Jobs at times: cron lines, intervals, limits."""

from datetime import UTC, datetime, timedelta

import pytest

from redyard import Queue, Worker
from redyard.errors import BadSchedule
from redyard.queue.schedulers import next_time
from tests.support.queues import state_is
from tests.support.wait import until
from tests.support.workers import echo, running


async def test_an_interval_makes_job_after_job(redis):
    """The first at once, each with the template's data and options."""
    queue, ran = Queue(redis, "q"), []

    async def handle(job):
        ran.append((job.name, job.data, job.opts["attempts"], job.scheduler_id))

    async with running(Worker(queue, handle)):
        await queue.schedulers.upsert("tidy", "sweep", {"room": 1}, every=0.1, attempts=7)
        await until(lambda: len(ran) >= 3)

    assert {("sweep", 1, 7, "tidy")} == {(name, data["room"], attempts, by) for name, data, attempts, by in ran}
    assert 1 == (await queue.counts())["delayed"]


async def test_a_limit_ends_a_scheduler(redis):
    """It makes so many jobs and no more."""
    queue, ran = Queue(redis, "q"), []

    async def handle(job):
        ran.append(job.id)

    async with running(Worker(queue, handle)):
        await queue.schedulers.upsert("tidy", "sweep", every=0.05, limit=3)
        await until(lambda: len(ran) == 3)
        await until(lambda: nothing_waits(queue))

    assert 3 == len(ran)


async def nothing_waits(queue):
    counts = await queue.counts()
    return not any(counts[state] for state in ("waiting", "active", "delayed"))


async def test_a_cron_line_with_seconds(redis):
    """Each second one job, though several workers run."""
    queue, ran = Queue(redis, "q"), []

    async def handle(job):
        ran.append(job.id)

    async with running(Worker(queue, handle), Worker(queue, handle)):
        await queue.schedulers.upsert("tick", "tick", cron="* * * * * *")
        await until(lambda: len(ran) >= 2)

    assert len(set(ran)) == len(ran)


@pytest.mark.parametrize(
    ("cron", "tz", "after", "expected"),
    [
        ("0 3 * * *", None, "2026-07-01T02:00+00:00", "2026-07-01T03:00+00:00"),
        ("0 3 * * *", "Europe/Berlin", "2026-07-01T00:30+00:00", "2026-07-01T01:00+00:00"),
        ("0 3 * * *", "Europe/Berlin", "2026-12-01T00:30+00:00", "2026-12-01T02:00+00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", "2026-03-29T01:00+00:00"),
        ("0 0 1 1 *", "Asia/Tokyo", "2026-01-01T00:00+00:00", "2026-12-31T15:00+00:00"),
        ("*/10 * * * * *", None, "2026-01-01T00:00:05+00:00", "2026-01-01T00:00:10+00:00"),
    ],
)
def test_the_next_time_of_a_cron_line(cron, tz, after, expected):
    """In its zone, with summer time: an hour that is left out does not leave out the job."""
    after, expected = (round(datetime.fromisoformat(text).timestamp() * 1000) for text in (after, expected))

    assert expected == next_time("x", {"pattern": cron, "tz": tz}, after)


async def test_a_scheduler_is_made_once_and_changed_by_the_next(redis):
    """Every process of an app may say it at its start."""
    queue = Queue(redis, "q")
    for hour in (3, 3, 4):
        await queue.schedulers.upsert("nightly", "sweep", {"a": 1}, cron=f"0 {hour} * * *", tz="Europe/Berlin")
    (found,) = await queue.schedulers.all()

    assert ("nightly", "sweep", {"a": 1}, "0 4 * * *", "Europe/Berlin") == (
        found.id, found.name, found.data, found.cron, found.tz
    )  # fmt: skip
    assert found.next > datetime.now(UTC).timestamp()
    assert 1 == (await queue.counts())["delayed"]


async def test_a_removed_scheduler_takes_its_next_job_along(redis):
    """Nothing is left; to remove it again says so."""
    queue = Queue(redis, "q")
    await queue.schedulers.upsert("tidy", "sweep", every=60, start=datetime.now(UTC) + timedelta(hours=1))

    assert (True, False) == (await queue.schedulers.remove("tidy"), await queue.schedulers.remove("tidy"))
    assert await queue.schedulers.get("tidy") is None
    assert not any((await queue.counts()).values())


async def test_a_scheduler_goes_on_when_its_job_fails(redis):
    """The next one was made before this one ran."""
    queue, ran = Queue(redis, "q", attempts=1), []

    async def handle(job):
        ran.append(job.id)
        raise ValueError

    async with running(Worker(queue, handle)):
        await queue.schedulers.upsert("tidy", "sweep", every=0.05)
        await until(lambda: len(ran) >= 3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cron": "0 3 * * *", "every": 5},
        {"cron": "61 * * * *"},
        {"cron": "every day"},
        {"cron": "0 0 30 2 *"},
        {"cron": "0 3 * * *", "tz": "Europe/Atlantis"},
        {"every": 0},
        {"every": 5, "limit": 0},
        {"every": 5, "end": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
async def test_a_schedule_that_cannot_be_is_refused(redis, options):
    """When it is made, not when it should run."""
    with pytest.raises(BadSchedule):
        await Queue(redis, "q").schedulers.upsert("tidy", "sweep", **options)

    assert not await redis.exists("bull:q:repeat")


async def test_a_schedule_that_somebody_broke_fails_its_job(redis):
    """With a reason that can be read; the worker goes on."""
    queue = Queue(redis, "q")
    job_id = await queue.schedulers.upsert("tidy", "sweep", every=60)
    await redis.hset(f"bull:q:{job_id}", "opts", '{"repeat":{"tz":"UTC"}}')
    async with running(Worker(queue, echo)):
        job = await queue.get(job_id)
        await until(lambda: state_is(job, "failed"))
        assert 2 == await (await queue.add("b", 2)).result(5)

    assert "pattern" in (await queue.get(job_id)).failed_reason
