"""What the kit's parts do, counted while somebody listens."""

import pytest

from redyard import Cache, Queue, RateLimit, SessionStore, Worker, events
from redyard.metrics import KIT, render
from redyard.metrics.counts import MOST, REST, TABLE, EventCounts
from redyard.sessions.record import Change
from tests.support.wait import until
from tests.support.workers import running


@pytest.fixture
def counts():
    made = EventCounts()
    yield made
    made.close()


def test_each_row_is_of_the_table_of_metrics():
    """The reference page and the dashboard read that one."""
    assert {row.metric for row in TABLE.values()} <= set(KIT)
    assert set(TABLE) <= {kind.name for kind in events.TABLE}


def test_events_are_counted_until_it_is_closed():
    """Those that did not happen are there as zeros."""
    counts = EventCounts()
    events.emit(events.REDIS_AWAY, owner="cache", reason="test")
    counts.close()
    events.emit(events.REDIS_AWAY, owner="cache", reason="test")
    found = {sample.labels["kind"]: sample.value for sample in counts.samples()}

    assert (1, 0) == (found["redis.away"], found["redis.back"])
    assert {kind.name for kind in events.TABLE} == set(found)


def test_labels_do_not_fill_the_memory(counts):
    """Names may come from outside: those beyond a number count as one."""
    for number in range(MOST + 50):
        events.emit(events.CACHE_HIT, key=f"cache:{number}")
    figures = [sample for sample in counts.samples() if sample.metric.name == "redyard_cache_requests_total"]

    assert MOST + 1 == len(figures)
    assert [50] == [sample.value for sample in figures if sample.labels["cache"] == REST]


async def test_a_cache_is_counted_by_its_functions(redis, counts):
    """Hits and misses by the name that a key begins with; the time of loads."""
    cache = Cache(redis)

    @cache.cached("product:{number}")
    async def product(number: int) -> str:
        return "lamp"

    for _ in range(3):
        await product(1)
    text = render(counts.samples())

    assert 'redyard_cache_requests_total{cache="product",result="miss"} 1\n' in text
    assert 'redyard_cache_requests_total{cache="product",result="hit"} 2\n' in text
    assert 'redyard_cache_load_duration_seconds_count{cache="product"} 1\n' in text


@pytest.mark.parametrize("rule", ["gcra", "window"])
async def test_a_limit_is_counted_by_its_decisions(redis, counts, rule):
    """Also the refusals that come from memory; a look counts nothing."""
    limit = RateLimit(redis, "login", limit=2, per=60, rule=rule)
    for _ in range(5):
        await limit.hit("somebody")
    await limit.peek("somebody")
    text = render(counts.samples())

    assert 'redyard_ratelimit_decisions_total{limit="login",result="allowed",degraded="false"} 2\n' in text
    assert 'redyard_ratelimit_decisions_total{limit="login",result="refused",degraded="false"} 3\n' in text


async def test_sessions_are_counted_by_what_was_done(redis, counts):
    """What a request does with one."""
    store = SessionStore(redis)
    name = store.new_id()
    record = await store.create(name, Change(fields={"user": b"1"}, removed=[]))
    await store.load(name)
    await store.load(store.new_id())
    await store.destroy_key(record.key)
    found = {sample.labels["what"]: sample.value for sample in counts.samples() if "what" in sample.labels}

    assert {"created": 1, "loaded": 1, "absent": 1, "ended": 1} == found


async def test_jobs_are_counted_with_their_time(redis, counts):
    """Each attempt, by what came of it."""
    queue = Queue(redis, "mail", attempts=1)
    for fails in (False, True):
        await queue.add("send", {"fails": fails})

    async def send(job):
        assert not job.data["fails"]

    async with running(Worker(queue, send)):
        await until(lambda: sum(s.suffix == "_count" for s in counts.samples()) == 2)
    text = render(counts.samples())

    assert 'redyard_job_duration_seconds_count{queue="mail",result="completed"} 1\n' in text
    assert 'redyard_job_duration_seconds_bucket{queue="mail",result="failed",le="+Inf"} 1\n' in text


async def test_nobody_who_listens_hears_nothing(redis):
    """What happens often is told to those alone who want to hear of all."""
    seen = []
    unsubscribe = events.subscribe(seen.append, level=events.CHECK_FAILED.level)
    try:
        await RateLimit(redis, "login").hit("somebody")
        events.emit(events.CHECK_FAILED, name="a", reason="b")
    finally:
        unsubscribe()

    assert [events.CHECK_FAILED] == [event.kind for event in seen]
    assert not events.listening()
