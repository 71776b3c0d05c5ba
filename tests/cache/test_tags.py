"""Invalidation of many values: by tag, by prefix."""

import asyncio

import pytest

from redyard import Cache
from tests.cache.ages import Load
from tests.support.clients import client
from tests.support.wait import until


@pytest.fixture(params=[0, 100], ids=["one level", "two levels"])
def local(request):
    """With and without a local level."""
    return request.param


async def test_a_tag_takes_all_its_values(redis, local):
    """And no others; what is loaded after it stays."""
    cache, runs = Cache(redis, local=local), []

    @cache.cached("product:{number}", tags=["catalog", "product:{number}"])
    async def product(number: int) -> int:
        runs.append(number)
        return number

    for _ in range(2):
        assert [1, 2] == [await product(1), await product(2)]
    assert await cache.invalidate_tag("product:1")
    assert [1, 2] == [await product(1), await product(2)]
    assert await cache.invalidate_tag("catalog")
    assert [1, 2] * 2 == [await product(number) for number in (1, 2, 1, 2)]
    assert [1, 2, 1, 1, 2] == runs


async def test_another_process_hears_of_a_tag(redis, other, local):
    """It is one command, however many values have the tag."""
    cache = Cache(redis, local=local)
    await cache.set_many({f"a{number}": number for number in range(100)}, tags=["t"])
    assert 100 == len(await cache.get_many([f"a{number}" for number in range(100)]))
    await Cache(other).invalidate_tag("t")

    await until(lambda: gone(cache))
    assert {} == await cache.get_many([f"a{number}" for number in range(100)])


async def gone(cache):
    """Say whether a value of those is gone."""
    return await cache.get("a1") is None


async def test_a_value_that_is_being_loaded_falls_with_its_tag(redis, other):
    """It was loaded from what was true before."""
    cache, load = Cache(redis), Load("old", "new", held=True)
    loading = asyncio.create_task(cache.get_or_set("a", load, tags=["t"]))
    await until(lambda: load.runs)
    await Cache(other).invalidate_tag("t")
    load.go.set()

    assert "old" == await loading
    assert "new" == await cache.get_or_set("a", load, tags=["t"])


async def test_an_evicted_tag_takes_its_values(redis):
    """Else what was invalidated could come back."""
    cache = Cache(redis)
    await cache.set("a", 1, tags=["t"])
    await redis.delete("cachetag:t")

    assert await cache.get("a") is None


async def test_a_tag_has_a_lifetime(redis):
    """No key of the cache lives for ever."""
    await Cache(redis).set("a", 1, tags=["t"])

    assert [] == [key async for key in redis.scan_iter() if await redis.ttl(key) < 0]


async def test_an_old_value_of_an_invalidated_tag_stands_in_for_nothing(redis):
    """It is wrong, not just old."""
    cache, load = Cache(redis), Load("old", ValueError())
    await cache.get_or_set("a", load, tags=["t"], stale_for=3600)
    await cache.invalidate_tag("t")

    with pytest.raises(ValueError):  # noqa: PT011 - the loader's own
        await cache.get_or_set("a", load, tags=["t"], stale_for=3600)


async def test_a_tagged_hit_takes_one_round_trip(redis):
    """The value and its tags are asked for in one write."""
    cache = Cache(redis)

    @cache.cached("a:{n}", tags=["t"])
    async def value(n: int) -> int:
        return n

    await value(1)
    before = redis.stats.latencies["GET"].copy()
    await value(1)

    assert 1 == sum(redis.stats.latencies["GET"]) - sum(before)  # one command of each write is timed


async def test_a_prefix_takes_what_begins_so(redis, local):
    """Names with signs of patterns, and very long ones, too; others stay."""
    cache = Cache(redis, local=local, prefix="v1:")
    names = ["a*b:1", "a*b:" + "x" * 5000, "a*b:\n", "aab:1", "a*"]
    await cache.set_many(dict.fromkeys(names, 1))
    await cache.get_many(names)
    assert await cache.invalidate_prefix("a*b:")

    assert ["aab:1", "a*"] == list(await cache.get_many(names))


async def test_a_function_forgets_all_its_results(redis):
    """Those of its template's beginning."""
    cache, runs = Cache(redis), []

    @cache.cached("product:{number}")
    async def product(number: int) -> int:
        runs.append(number)
        return number

    await cache.set("other", 1)
    await product(1)
    await product(2)
    assert await product.invalidate_all()
    await product(1)

    assert ([1, 2, 1], 1) == (runs, await cache.get("other"))


async def test_a_prefix_takes_loads_under_way(redis, other):
    """What they load is not kept."""
    cache, load = Cache(redis), Load("old", held=True)
    loading = asyncio.create_task(cache.get_or_set("a:1", load))
    await until(lambda: load.runs)
    await Cache(other).invalidate_prefix("a:")
    load.go.set()
    await loading

    assert await cache.get("a:1") is None


async def test_without_redis_nothing_is_confirmed():
    """The caller is told."""
    async with client("redis://127.0.0.1:1", socket_timeout=0.2) as redis:
        cache = Cache(redis)

        assert [False] * 3 == [
            await cache.invalidate_tag("t"),
            await cache.invalidate_prefix("p"),
            await cache.set("a", 1, tags=["t"]),
        ]
        assert 7 == await cache.get_or_set("a", Load(7), tags=["t"])
