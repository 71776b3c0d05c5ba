"""One load in all processes: who loads, who waits and is woken, and what an invalidation does to a load under way."""

import asyncio

import pytest

from redyard import Cache, events
from redyard.cache import loads
from tests.cache.ages import Load, age
from tests.support.clients import client, heard
from tests.support.wait import until


async def test_one_process_loads_and_the_other_is_woken(redis, other):
    """Hundreds in two processes want one value: one load, and few commands."""
    load = Load({"n": 1}, held=True)
    caches = [Cache(redis), Cache(other)]
    callers = [asyncio.create_task(cache.get_or_set("a", load)) for cache in caches for _ in range(250)]
    await until(lambda: caches[0].levels.tracker._waiting or caches[1].levels.tracker._waiting)
    load.go.set()

    assert [{"n": 1}] * 500 == await asyncio.gather(*callers)
    assert 1 == load.runs
    assert 20 >= sum(int(client.stats.commands.total()) for client in (redis, other))


async def test_a_waiter_does_not_poll(redis, other):
    """While another loads, it reads the record once and waits for the server's word."""
    load = Load(1, held=True)
    first = asyncio.create_task(Cache(redis).get_or_set("a", load))
    await until(lambda: load.runs)
    cache = Cache(other)
    second = asyncio.create_task(cache.get_or_set("a", load))
    await until(lambda: cache.levels.tracker.lane.stats.commands["GET"])
    for _ in range(20):
        await redis.ping()
    assert 1 == cache.levels.tracker.lane.stats.commands["GET"]
    load.go.set()

    assert [1, 1] == await asyncio.gather(first, second)


async def test_when_the_loader_fails_a_waiter_loads(redis, other):
    """It is woken by the failure."""
    load = Load(ValueError("no database"), 2, held=True)
    first = asyncio.create_task(Cache(redis).get_or_set("a", load))
    await until(lambda: load.runs)
    cache = Cache(other)
    second = asyncio.create_task(cache.get_or_set("a", load))
    await until(lambda: cache.levels.tracker._waiting)
    load.go.set()

    assert 2 == await second
    with pytest.raises(ValueError, match="no database"):
        await first


async def test_when_the_loader_dies_its_right_ends(redis, other, monkeypatch):
    """The right is a lease: another process goes on."""
    monkeypatch.setattr(loads, "LEASE", 0.2)
    assert [1] == await loads.ENTER.run(redis, ["cache:a"], b"deadbeef", 200, "0", "0", loads.VACANT)

    assert 7 == await Cache(other).get_or_set("a", Load(7))


async def test_a_load_longer_than_the_lease_holds_its_right(redis, other, monkeypatch):
    """It is renewed for as long as the load goes on."""
    monkeypatch.setattr(loads, "LEASE", 0.15)
    load = Load(1, held=True)
    first = asyncio.create_task(Cache(redis).get_or_set("a", load))
    await until(lambda: load.runs)
    cache = Cache(other)
    second = asyncio.create_task(cache.get_or_set("a", load))
    await until(lambda: redis.stats.commands[b"EVALSHA"] > 6)
    load.go.set()

    assert [1, 1] == await asyncio.gather(first, second)
    assert 1 == load.runs


async def test_an_invalidation_elsewhere_wins_over_a_load_that_began_before(redis, other):
    """The old value is given to who waits for it, and not kept."""
    load = Load("old", held=True)
    loading = asyncio.create_task(Cache(redis).get_or_set("a", load))
    await until(lambda: load.runs)
    assert await Cache(other).delete("a")
    load.go.set()

    assert "old" == await loading
    assert await Cache(other).get("a") is None


async def test_a_value_set_elsewhere_wins_over_a_load_that_began_before(redis, other):
    """What is set is newer than what is being loaded."""
    load = Load("old", held=True)
    loading = asyncio.create_task(Cache(redis).get_or_set("a", load))
    await until(lambda: load.runs)
    assert await Cache(other).set("a", "new")
    load.go.set()
    await loading

    assert "new" == await Cache(redis).get("a")


async def test_a_caller_after_an_invalidation_joins_no_load_from_before(redis):
    """It has its own load."""
    cache, before, after = Cache(redis), Load("old", held=True), Load("new")
    loading = asyncio.create_task(cache.get_or_set("a", before))
    await until(lambda: before.runs)
    await cache.delete("a")

    assert "new" == await cache.get_or_set("a", after)
    before.go.set()
    assert ("old", "new") == (await loading, await cache.get("a"))


async def test_an_old_value_is_loaded_anew_by_one_process_only(redis, other):
    """The other gives the old one and goes on."""
    load = Load("old", "new")
    await Cache(redis).get_or_set("a", load, stale_for=3600)
    await age(redis, "a", 3610)
    load.go.clear()
    values = [await Cache(each).get_or_set("a", load, stale_for=3600) for each in (redis, other, redis)]

    assert ["old"] * 3 == values
    await until(lambda: load.runs == 2)
    load.go.set()
    await until(lambda: Cache(redis).get("a"))
    assert 2 == load.runs


async def test_a_waiter_without_tracking_loads(server, redis):
    """A server or an address that wakes nobody costs a second load, and no polling."""
    load = Load(1, held=True)
    first = asyncio.create_task(Cache(redis).get_or_set("a", load))
    await until(lambda: load.runs)
    async with client(f"{server.url}?protocol=2") as plain:
        second = asyncio.create_task(Cache(plain).get_or_set("a", load))
        await until(lambda: load.runs == 2)
        load.go.set()

        assert [1, 1] == await asyncio.gather(first, second)


async def test_what_is_no_record_is_a_miss_that_is_counted(redis):
    """It is told without its content, and overwritten."""
    await redis.set("cache:a", b"secret content")
    cache = Cache(redis)
    with heard(events.CACHE_UNREADABLE) as seen:
        assert 7 == await cache.get_or_set("a", Load(7))

    assert (1, 7) == (cache.stats.unreadable, await cache.get("a"))
    assert [{"key": "cache:a", "reason": "it is no record of ours"}] == [event.fields for event in seen]


async def test_a_record_that_is_cut_off_is_a_miss(redis):
    """And is loaded anew although its head says that it is fresh."""
    cache = Cache(redis)
    await cache.set("a", {"secret": "content"})
    record = await redis.get("cache:a")
    await redis.set("cache:a", record[:-3], ex=60)
    with heard(events.CACHE_UNREADABLE) as seen:
        assert 7 == await cache.get_or_set("a", Load(7))

    assert 7 == await cache.get("a")
    assert "secret" not in str(seen)


async def test_another_type_of_key_is_a_miss_and_stays(redis):
    """It is not ours to delete; nothing is kept, and the breaker stays closed."""
    await redis.hset("cache:a", "x", "y")
    cache = Cache(redis)

    assert [7, 7] == [await cache.get_or_set("a", Load(7)) for _ in range(2)]
    assert await cache.get("a") is None
    assert {b"x": b"y"} == await redis.hgetall("cache:a")
    assert not cache._breaker.open
