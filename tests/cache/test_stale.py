"""Old values: given while a new one is loaded, or because none can be."""

import asyncio

import pytest

from redyard import Cache, events
from redyard.cache import loads
from redyard.errors import LoadTimedOut
from tests.cache.ages import Load, age
from tests.support.clients import heard
from tests.support.wait import until


async def test_an_old_value_is_given_at_once_and_loaded_anew(redis):
    """Stale-while-revalidate: nobody waits, and the next caller has the new one."""
    cache, load = Cache(redis), Load("old", "new", held=True)
    load.go.set()
    await cache.get_or_set("a", load, ttl=60, stale_for=60)
    load.go.clear()
    await age(redis, "a", 60)

    assert ["old"] * 3 == [await cache.get_or_set("a", load, ttl=60, stale_for=60) for _ in range(3)]
    load.go.set()
    await until(lambda: load.ended == 2)
    await until(lambda: cache.get("a"))
    assert ("new", 2) == (await cache.get_or_set("a", load, ttl=60), load.runs)
    assert 3 == cache.stats.stale


async def test_a_value_too_old_is_loaded_anew_while_its_callers_wait(redis):
    """The time for old values has an end."""
    cache, load = Cache(redis), Load("old", "new")
    await cache.get_or_set("a", load, ttl=60, stale_for=5, stale_if_error=3600)
    await age(redis, "a", 70)

    assert "new" == await cache.get_or_set("a", load, ttl=60, stale_for=5)


async def test_an_old_value_stands_in_for_a_failed_load(redis):
    """Stale-if-error, and for a second nobody loads that value again."""
    cache, load = Cache(redis), Load("old", ValueError("no database"))
    await cache.get_or_set("a", load, stale_if_error=3600)
    await age(redis, "a", 3610)

    assert ["old"] * 3 == [await cache.get_or_set("a", load, stale_if_error=3600) for _ in range(3)]
    assert (2, 1, 3) == (load.runs, cache.stats.errors, cache.stats.stale)


async def test_old_values_and_failures_are_told_to_who_listens(redis):
    """With the key, and the kind of error without its text."""
    cache, load = Cache(redis), Load("old", ValueError("hunter2"))
    await cache.get_or_set("a", load, stale_if_error=3600)
    await age(redis, "a", 3610)
    with heard(events.CACHE_STALE, events.CACHE_ERROR) as seen:
        await cache.get_or_set("a", load, stale_if_error=3600)

    assert [
        (events.CACHE_ERROR, {"key": "cache:a", "error": "ValueError"}),
        (events.CACHE_STALE, {"key": "cache:a"}),
    ] == [(event.kind, event.fields) for event in seen]


async def test_after_a_failure_elsewhere_an_old_value_is_used_and_none_is_loaded_for(redis, other):
    """Who has an old value does not try; who may not use it, does."""
    load = Load("old", ValueError("no database"), "new")
    await Cache(redis).get_or_set("a", load, stale_if_error=3600)
    await age(redis, "a", 3610)
    await Cache(redis).get_or_set("a", load, stale_if_error=3600)

    assert "old" == await Cache(other).get_or_set("a", load, stale_if_error=3600)
    assert "new" == await Cache(other).get_or_set("a", load)


async def test_a_failure_without_an_old_value_is_the_callers(redis):
    """What the loader raised."""
    load = Load(ValueError("no database"))
    with pytest.raises(ValueError, match="no database"):
        await Cache(redis).get_or_set("a", load, stale_for=60)

    assert 0 == await redis.dbsize()


@pytest.mark.parametrize(("held", "expected"), [(False, "new"), (True, "old")])
async def test_a_soft_timeout_prefers_the_new_value_that_comes_in_time(redis, held, expected):
    """And the old one else; the load goes on."""
    cache, load = Cache(redis), Load("old", "new")
    await cache.get_or_set("a", load, stale_for=3600)
    if held:
        load.go.clear()
    await age(redis, "a", 3610)

    assert expected == await cache.get_or_set("a", load, stale_for=3600, soft_timeout=0.05 if held else 10)
    load.go.set()
    await until(lambda: cache.get("a"))
    assert "new" == await cache.get("a")


async def test_within_the_soft_timeout_a_failure_gives_the_old_value(redis):
    """An error is never worse than waiting longer."""
    cache, load = Cache(redis), Load("old", ValueError())
    await cache.get_or_set("a", load, stale_for=3600)
    await age(redis, "a", 3610)

    assert "old" == await cache.get_or_set("a", load, stale_for=3600, soft_timeout=10)


async def test_a_hard_timeout_ends_the_load(redis):
    """Its callers get an error, and the loader is cancelled."""
    cache, load = Cache(redis), Load("never", held=True)
    with pytest.raises(LoadTimedOut, match=r"0\.05 s"):
        await cache.get_or_set("a", load, hard_timeout=0.05)

    await until(lambda: cache.stats.errors)
    assert (1, 0) == (load.runs, load.ended)


async def test_after_a_hard_timeout_an_old_value_stands_in(redis):
    """As after any error."""
    cache, load = Cache(redis), Load("old", "never")
    await cache.get_or_set("a", load, stale_if_error=3600)
    load.go.clear()
    await age(redis, "a", 3610)

    assert "old" == await cache.get_or_set("a", load, stale_if_error=3600, hard_timeout=0.05)


async def test_a_dear_value_is_loaded_anew_before_its_end(redis):
    """XFetch: near the end of a value that took long, somebody loads it, and nobody waits."""
    cache, load = Cache(redis), Load("old", "new")
    await cache.get_or_set("a", load, ttl=3600, jitter=0)
    record = bytearray(await redis.get("cache:a"))
    record[34:38] = b"\x00\x00\x80\x7e"  # its load took 8.5e37 seconds
    await redis.set("cache:a", bytes(record), keepttl=True)

    assert "old" == await cache.get_or_set("a", load, ttl=3600, early=False)
    assert "old" == await cache.get_or_set("a", load, ttl=3600)
    await until(lambda: load.ended == 2)
    await until(lambda: cache.get("a"))
    assert 2 == load.runs


async def test_a_lifetime_is_a_bit_shorter_by_chance_and_never_longer(redis):
    """Values that were loaded together do not end together."""
    cache = Cache(redis)
    for number in range(50):
        await cache.get_or_set(f"a{number}", Load(1), ttl=1000, jitter=0.5)
    ends = [await redis.ttl(f"cache:a{number}") for number in range(50)]

    assert 499 <= min(ends) <= max(ends) <= 1000
    assert 10 < len(set(ends))


async def test_nothing_found_is_a_value_with_a_lifetime_of_its_own(redis):
    """None is loaded once, and asked for again soon."""
    cache, load = Cache(redis), Load(None)

    assert [None, None] == [await cache.get_or_set("a", load, none_ttl=10) for _ in range(2)]
    assert 1 == load.runs
    assert await redis.ttl("cache:a") <= 10


async def test_what_is_old_lives_as_long_as_it_may_be_used(redis):
    """And no key is without an end."""
    await Cache(redis).get_or_set("a", Load(1), ttl=100, jitter=0, stale_for=20, stale_if_error=300)

    assert 399 <= await redis.ttl("cache:a") <= 400


async def test_while_an_old_value_is_loaded_anew_it_lives_on(redis, other):
    """Its key may end in the middle of the load; the right to load must not end with it."""
    load = Load("old", "new")
    await Cache(redis).get_or_set("a", load, ttl=60, stale_for=60)
    await age(redis, "a", 60)
    await redis.pexpire("cache:a", 500)
    load.go.clear()
    assert "old" == await Cache(other).get_or_set("a", load, stale_for=3600)
    await until(lambda: load.runs == 2)

    assert await redis.pttl("cache:a") > 500
    load.go.set()
    await until(lambda: Cache(redis).get("a"))
    assert loads.LEASE > 0.5


async def test_a_cancelled_caller_stops_no_load(redis):
    """Its value is kept for the next one."""
    cache, load = Cache(redis), Load(7, held=True)
    caller = asyncio.create_task(cache.get_or_set("a", load))
    await until(lambda: load.runs)
    caller.cancel()
    load.go.set()

    assert 7 == await until(lambda: cache.get("a"))
