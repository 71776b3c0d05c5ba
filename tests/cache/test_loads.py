"""One load in all processes: who loads, who waits and is woken, and what an invalidation does to a load under way."""

import asyncio
import random

import pytest

from redyard import Cache, events
from redyard.cache import loads
from redyard.client import tracking
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


async def test_while_another_process_loads_old_values_cost_a_read(redis, other):
    """The record says that somebody is at it."""
    load = Load("old", "new")
    await Cache(redis).get_or_set("a", load, stale_for=3600)
    await age(redis, "a", 3610)
    load.go.clear()
    await Cache(redis).get_or_set("a", load, stale_for=3600)
    await until(lambda: load.runs == 2)
    cache = Cache(other)

    assert ["old"] * 5 == [await cache.get_or_set("a", load, stale_for=3600) for _ in range(5)]
    assert {"GET": 5} == dict(other.stats.commands)
    load.go.set()
    await until(lambda: cache.get("a"))


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


async def test_a_waiter_does_not_wait_for_a_server_that_hangs(own_server, own_redis, monkeypatch):
    """Its loader is asked, as at any other moment at which Redis does not answer."""
    monkeypatch.setattr(tracking, "BEAT", 0.1)
    load = Load(1, held=True)
    async with client(own_server.url) as theirs:
        cache = Cache(theirs)
        first = asyncio.create_task(Cache(own_redis).get_or_set("a", load))
        await until(lambda: load.runs)
        second = asyncio.create_task(cache.get_or_set("a", load))
        await until(lambda: cache.levels.tracker._waiting)
        own_server.pause()
        await until(lambda: load.runs == 2)
        load.go.set()

        assert [1, 1] == await asyncio.gather(first, second)
        own_server.resume()


async def test_a_waiter_does_not_wait_for_a_server_that_went(own_server, own_redis):
    """It is told by the connection's end."""
    load = Load(1, held=True)
    async with client(own_server.url) as theirs:
        cache = Cache(theirs)
        first = asyncio.create_task(Cache(own_redis).get_or_set("a", load))
        await until(lambda: load.runs)
        second = asyncio.create_task(cache.get_or_set("a", load))
        await until(lambda: cache.levels.tracker._waiting)
        await asyncio.to_thread(own_server.kill)
        await until(lambda: load.runs == 2)
        load.go.set()

        assert [1, 1] == await asyncio.gather(first, second)


async def test_what_another_process_loads_in_another_type_is_loaded_here(redis, other):
    """Two versions of an app: neither fails for the other's values."""
    theirs, ours = Load("text", held=True), Load(5)
    first = asyncio.create_task(Cache(redis).get_or_set("a", theirs, of=str))
    await until(lambda: theirs.runs)
    cache = Cache(other)
    second = asyncio.create_task(cache.get_or_set("a", ours, of=int))
    await until(lambda: cache.levels.tracker._waiting)
    theirs.go.set()

    assert ["text", 5] == await asyncio.gather(first, second)


async def test_a_caller_without_an_old_value_joins_no_load_that_would_give_it_one(redis, other):
    """One refreshes in vain what another loads; a caller who may not have the old value waits for the new one."""
    load = Load("old", "new")
    cache = Cache(redis)
    await cache.get_or_set("a", load, stale_for=3600)
    await age(redis, "a", 3610)
    load.go.clear()
    refreshing = asyncio.create_task(Cache(other).get_or_set("a", load))
    await until(lambda: load.runs == 2)
    values = asyncio.gather(cache.get_or_set("a", load, stale_for=3600), cache.get_or_set("a", load))
    await until(lambda: cache.levels.tracker._waiting)
    load.go.set()

    assert ["old", "new"] == await values
    assert ("new", 2) == (await refreshing, load.runs)


@pytest.mark.parametrize("local", [0, 100])
async def test_whatever_happens_no_value_is_older_than_its_invalidation(redis, other, local):
    """Two processes load and change one truth in any order; who asks after the last change was heard has it."""
    caches, truth = [Cache(redis, local=local), Cache(other, local=local)], {"n": 0}
    chance = random.Random(7)

    async def load() -> int:
        value = truth["n"]
        await asyncio.sleep(chance.random() / 500)
        return value

    async def ask(cache: Cache) -> None:
        for _ in range(150):
            await cache.get_or_set("a", load, stale_for=0)
            await asyncio.sleep(chance.random() / 1000)

    async def change(cache: Cache) -> None:
        for _ in range(40):
            truth["n"] += 1
            await cache.delete("a")
            await asyncio.sleep(chance.random() / 200)

    await asyncio.gather(*(ask(cache) for cache in caches * 3), *map(change, caches))
    for cache in caches:
        await until(lambda: agrees(cache, load, truth))  # noqa: B023 - called at once

    assert truth["n"] == await Cache(redis).get("a") == 80


async def agrees(cache, load, truth) -> bool:
    """Say whether a cache has the truth."""
    return truth["n"] == await cache.get_or_set("a", load)
