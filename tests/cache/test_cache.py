"""Values that may be forgotten."""

import asyncio
import time

import pytest

from redyard import Cache, events
from redyard.errors import InvalidValue, NotJSON
from tests.support.clients import client, heard
from tests.support.wait import until


@pytest.mark.parametrize("value", [None, 0, "é", [1, {"a": None}], {"n": 1.5}])
async def test_a_value_comes_back_as_it_was(server, decode, value):
    """With every kind of client; None is a value like any other."""
    async with client(server.url, decode_responses=decode) as redis:
        cache = Cache(redis)
        assert await cache.set("a", value)

        assert value == await cache.get("a", "nothing")


async def test_what_is_not_there_is_the_default(redis):
    """None, or what the caller says."""
    cache = Cache(redis)

    assert [None, 7] == [await cache.get("a"), await cache.get("a", 7)]


@pytest.mark.parametrize(("given", "expected"), [(None, 3600), (60, 60), (0.25, 0)])
async def test_every_value_has_a_lifetime(redis, given, expected):
    """That of the cache, or its own."""
    await Cache(redis).set("a", 1, ttl=given)

    assert expected == -(-(await redis.pttl("cache:a")) // 1000) - (expected == 0)


@pytest.mark.parametrize("ttl", [0, -1, 1e11, float("nan")])
def test_a_lifetime_must_be_one(redis, ttl):
    """A cache cannot keep for ever."""
    with pytest.raises(InvalidValue):
        Cache(redis, ttl=ttl)


async def test_deleted_values_are_gone(redis):
    """Several in one call."""
    cache = Cache(redis)
    await cache.set("a", 1)
    await cache.set("b", 2)
    assert await cache.delete("a", "b", "c")

    assert 0 == await redis.dbsize()


async def test_a_prefix_keeps_two_caches_apart(redis):
    """It is a part of the key."""
    await Cache(redis, prefix="v2:").set("a", 1)

    assert [b"cache:v2:a"] == [key async for key in redis.scan_iter()]


async def test_a_name_of_any_kind_fits(redis):
    """Names that strangers choose may be long or unprintable."""
    cache = Cache(redis)
    names = ["x" * 10_000, "line\nbreak", "\0", "é:ü", ""]
    for number, name in enumerate(names):
        await cache.set(name, number)

    assert list(range(5)) == [await cache.get(name) for name in names]


async def test_what_is_no_json_is_refused(redis):
    """Nothing is pickled."""
    with pytest.raises(NotJSON, match="'a'"):
        await Cache(redis).set("a", object())


async def test_many_who_miss_share_one_load(redis):
    """Many callers, one load, and each has its own copy."""
    cache, loads = Cache(redis), []

    async def load():
        loads.append(1)
        await asyncio.sleep(0)
        return {"list": []}

    values = await asyncio.gather(*(cache.get_or_set("a", load) for _ in range(50)))
    values[0]["list"].append(1)

    assert [1] == loads
    assert 50 == len({id(value) for value in values})
    assert {"list": []} == values[1] == await cache.get("a")


async def test_who_gives_up_stops_no_other(redis):
    """The first caller is cancelled; the load goes on for the second."""
    cache, go, loads = Cache(redis), asyncio.Event(), []

    async def load():
        loads.append(1)
        await go.wait()
        return 7

    first = asyncio.create_task(cache.get_or_set("a", load))
    second = asyncio.create_task(cache.get_or_set("a", load))
    await until(lambda: loads)
    first.cancel()
    go.set()

    assert 7 == await second
    assert [1] == loads


async def test_a_failing_load_fails_for_all_and_is_not_kept(redis):
    """The next caller tries again."""
    cache, go, loads = Cache(redis), asyncio.Event(), []

    async def load():
        loads.append(1)
        await go.wait()
        if len(loads) == 1:
            raise ValueError("no database")
        return 7

    waiting = [asyncio.create_task(cache.get_or_set("a", load)) for _ in range(3)]
    await until(lambda: loads and asyncio.gather(*(cache.get("b") for _ in range(3))))
    go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert ["no database"] * 3 == [str(result) for result in results]
    assert 7 == await cache.get_or_set("a", load)


async def test_a_value_invalidated_while_it_is_loaded_is_not_kept(redis):
    """Else an old value would outlive the change that made it old."""
    cache, go, loads = Cache(redis), asyncio.Event(), []

    async def load():
        loads.append(1)
        await go.wait()
        return "old"

    loading = asyncio.create_task(cache.get_or_set("a", load))
    await until(lambda: loads)
    await cache.delete("a")
    go.set()

    assert "old" == await loading
    assert await cache.get("a") is None


async def test_without_redis_everything_is_a_miss():
    """The loader answers, and what could not be kept or deleted says so."""
    async with client("redis://127.0.0.1:1") as redis:
        cache = Cache(redis)
        with heard(events.REDIS_AWAY) as seen:
            assert [7, 7] == [await cache.get_or_set("a", lambda: asyncio.sleep(0, 7)) for _ in range(2)]
        assert not await cache.set("a", 1)
        assert not await cache.delete("a")
        assert await cache.get("a") is None

    assert [events.REDIS_AWAY] == [event.kind for event in seen]


async def test_a_hanging_redis_costs_a_moment_once(own_server, own_redis):
    """0.3 s the first time, nothing after it, and it is used again when it is back."""
    cache, times = Cache(own_redis), []
    await cache.set("a", "kept")
    own_server.pause()
    for _ in range(3):
        start = time.monotonic()
        assert 7 == await cache.get_or_set("a", lambda: asyncio.sleep(0, 7))
        times.append(time.monotonic() - start)
    own_server.resume()

    assert times[0] < 0.6
    assert max(times[1:]) < 0.05
    assert "kept" == await until(lambda: cache.get("a"))


async def test_a_full_redis_fails_nobody(own_server, own_redis):
    """What is there is read on, what is not is loaded; nothing is kept, and no breaker opens."""
    cache = Cache(own_redis)
    await cache.set("kept", 1)
    own_server.admin("CONFIG", "SET", "maxmemory", "1")
    with heard(events.REDIS_AWAY) as seen:
        assert 7 == await cache.get_or_set("a", lambda: asyncio.sleep(0, 7))
        assert 7 == await cache.get_or_set("b", lambda: asyncio.sleep(0, 7), tags=["t"])
        assert not await cache.set("a", 1)
        assert [1, None] == [await cache.get("kept"), await cache.get("a")]

    assert [] == seen


async def test_many_values_in_one_round_trip(redis):
    """Written and read; those that are not there are left out, and None is there."""
    cache = Cache(redis)
    assert await cache.set_many({"a": 1, "b": None, "c": [3]}, ttl=60)
    before = sum(redis.stats.latencies["GET"]) if "GET" in redis.stats.latencies else 0

    assert {"a": 1, "b": None, "c": [3]} == await cache.get_many(["a", "b", "c", "d"])
    assert 1 == sum(redis.stats.latencies["GET"]) - before  # one command of each write is timed
    assert {} == await cache.get_many([])
    assert (3, 1) == (cache.stats.hits, cache.stats.misses)


async def test_many_that_cannot_be_read_are_misses(redis):
    """Each by itself: a foreign text, a key of another type, one that is cut off."""
    cache = Cache(redis)
    await cache.set_many({"a": 1, "b": "text"})
    await redis.set("cache:foreign", "x")
    await redis.lpush("cache:list", "x")
    await redis.setrange("cache:b", 40, b"{")

    assert {"a": 1} == await cache.get_many(["a", "b", "foreign", "list"])


async def test_what_happens_is_told_to_who_listens(redis):
    """Hits, misses and loads, with the key."""
    cache = Cache(redis)
    with heard() as seen:
        for _ in range(2):
            await cache.get_or_set("a", lambda: asyncio.sleep(0, 7))

    names = [event.kind.name for event in seen]
    assert ["cache.miss", "cache.load", "cache.hit"] == names
    assert {"cache:a"} == {event.fields["key"] for event in seen}
    assert (1, 1, 1) == (cache.stats.hits, cache.stats.misses, cache.stats.loads)


async def test_callers_of_one_moment_share_a_read(redis):
    """A hundred hits of one key are one command, and each has its own copy."""
    cache = Cache(redis)
    await cache.set("a", {"n": []})
    before = redis.stats.commands["GET"]
    values = await asyncio.gather(*(cache.get("a") for _ in range(100)))

    assert 1 == redis.stats.commands["GET"] - before
    assert 100 == len({id(value["n"]) for value in values})


async def test_a_reader_who_gives_up_takes_no_other_along(redis):
    """Who joined in reads on."""
    cache = Cache(redis)
    await cache.set("a", 7)
    first, *others = [asyncio.create_task(cache.get("a")) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()

    assert [7, 7] == await asyncio.gather(*others)


@pytest.mark.parametrize("change", ["delete", "set"])
async def test_who_reads_after_a_change_joins_no_read_from_before(redis, change):
    """A read that began before the change has what was there; one that begins after it has what is there."""
    cache = Cache(redis)
    await cache.set("a", "old")
    before = asyncio.create_task(cache.get("a"))
    changing = asyncio.create_task(cache.delete("a") if change == "delete" else cache.set("a", "new"))
    await asyncio.sleep(0)
    after = asyncio.create_task(cache.get("a"))

    assert ["old", True, None if change == "delete" else "new"] == await asyncio.gather(before, changing, after)


async def test_no_key_is_without_an_end(server, redis):
    """Whatever is done: values, tags, a load that goes on, one that failed, what was invalidated."""
    cache = Cache(redis)
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow():
        begun.set()
        await go.wait()
        return 1

    async def failing():
        raise ValueError

    await cache.set_many({"a": 1, "b": None}, tags=["t"])
    await cache.get_or_set("c", lambda: asyncio.sleep(0, 1), tags=["u"], stale_for=60, stale_if_error=3600)
    await cache.invalidate_tag("u")
    with pytest.raises(ValueError):  # noqa: PT011 - the loader's own
        await cache.get_or_set("d", failing, stale_if_error=60)
    loading = asyncio.create_task(cache.get_or_set("e", slow, tags=["v"]))
    await begun.wait()
    ends = {key: await redis.pttl(key) for key in server.admin("KEYS", "*")}
    go.set()
    await loading

    assert {b"cache:a", b"cache:b", b"cache:c", b"cache:e", b"cachetag:t", b"cachetag:v"} <= set(ends)
    assert all(end > 0 for end in ends.values())
