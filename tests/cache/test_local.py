"""The level in this process: as fresh as the server's word, and no larger than was said."""

import asyncio

import pytest

from redyard import Cache
from redyard.cache.local import OVERHEAD, Local
from redyard.client import tracking
from redyard.errors import InvalidURL, InvalidValue
from tests.cache import schedule
from tests.cache.ages import Load
from tests.support.clients import client, restart
from tests.support.proxy import Proxy
from tests.support.wait import until


async def gone(cache: Cache, key: str) -> None:
    """Wait until this process no longer has a value."""
    await until(lambda: cache.levels.at_hand(f"cache:{key}") is None)


async def test_a_second_hit_asks_nobody(redis):
    """And every caller has its own copy."""
    cache = Cache(redis, local=10)
    await cache.set("a", {"list": []})
    await cache.get("a")
    before = sum(cache.levels.tracker.lane.stats.commands.values()) + sum(redis.stats.commands.values())
    values = [await cache.get("a") for _ in range(10)]
    values[0]["list"].append(1)

    assert {"list": []} == values[1]
    assert before == sum(cache.levels.tracker.lane.stats.commands.values()) + sum(redis.stats.commands.values())
    assert 10 == cache.stats.local_hits


async def test_a_change_by_anybody_is_heard(redis, other):
    """By another process with or without a local level, by redis-cli, by the key's end, by FLUSHALL."""
    cache = Cache(redis, local=10)
    changes = [
        lambda: Cache(other, local=10).set("a", 2),
        lambda: Cache(other).delete("a"),
        lambda: other.delete("cache:a"),
        lambda: other.pexpire("cache:a", 1),
        lambda: other.unlink("cache:a"),
    ]
    for change in changes:
        await cache.set("a", 1)
        assert 1 == await cache.get("a")
        await change()
        await gone(cache, "a")


async def test_an_emptied_server_empties_the_local_level(own_server, own_redis):
    """FLUSHALL names no key."""
    cache = Cache(own_redis, local=10)
    await cache.set("a", 1)
    await cache.get("a")
    own_server.admin("FLUSHALL")

    await gone(cache, "a")


async def test_who_writes_reads_what_was_written(redis):
    """At once: a process's own change does not wait for the server's word."""
    cache = Cache(redis, local=10)
    for number in range(200):
        await cache.set("a", number)
        assert number == await cache.get("a")
        assert number == await cache.get("a")
    await cache.delete("a")
    assert await cache.get("a") is None


async def test_a_value_that_changes_while_it_is_read_is_not_kept(server):
    """The race of a miss and its invalidation: the news comes with the answer, before its reader runs."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis, client(server.url) as other:
        cache, theirs = Cache(redis, local=10), Cache(other)
        await theirs.set("a", "old")
        await theirs.set("b", 1)
        await cache.get("b")
        proxy.hold("down")
        reading = asyncio.create_task(cache.get("a"))
        await until(lambda: other.execute_command("CLIENT LIST"))
        await until(lambda: proxy_has_answer(proxy))
        await theirs.set("a", "new")
        await until(lambda: proxy_has_answer(proxy, b"invalidate"))
        proxy.release()

        assert "old" == await reading
        assert "new" == await cache.get("a")


def proxy_has_answer(proxy: Proxy, part: bytes = b"old") -> bool:
    """Say whether the server has answered, and the proxy holds it."""
    return any(part in end.waiting for end in proxy.ends)


async def test_a_lost_connection_empties_it(server):
    """Nobody knows what changed meanwhile."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        cache = Cache(redis, local=10)
        await cache.set("a", 1)
        await cache.get("a")
        epoch = cache.levels.tracker.epoch
        proxy.cut()
        await gone(cache, "a")

        assert epoch < cache.levels.tracker.epoch
        assert 0 == len(cache.levels.local)
        assert 1 == await until(lambda: cache.get("a"))


async def test_a_connection_that_died_silently_empties_it(server, monkeypatch):
    """It is asked whether it lives; without an answer nothing is believed."""
    monkeypatch.setattr(tracking, "BEAT", 0.1)
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        cache = Cache(redis, local=10)
        await cache.set("a", 1)
        await cache.get("a")
        proxy.hold()

        await until(lambda: len(cache.levels.local) == 0)


async def test_after_a_restart_of_the_server_it_works_again(own_server, own_redis):
    """What was kept is gone, what comes is kept and tracked."""
    cache = Cache(own_redis, local=10)
    await cache.set("a", 1)
    await cache.get("a")
    await restart(own_server)
    await until(lambda: cache.set("a", 2))
    await until(lambda: cache.get("a"))
    await until(lambda: cache.levels.at_hand("cache:a"))
    own_server.admin("DEL", "cache:a")

    await gone(cache, "a")


async def test_two_processes_that_write_leave_no_wrong_value(server, redis, other):
    """After the last write has been heard, both have what Redis has."""
    caches = [Cache(redis, local=100), Cache(other, local=100)]

    async def work(cache: Cache, me: int) -> None:
        for turn in range(300):
            key = f"k{(turn * 7 + me) % 20}"
            await cache.get(key)
            if turn % 3 == me:
                await cache.set(key, [me, turn])

    await asyncio.gather(*(work(cache, me) for me, cache in enumerate(caches) for _ in range(4)))
    async with client(server.url) as third:
        truth = await Cache(third).get_many([f"k{number}" for number in range(20)])
    for cache in caches:
        await until(lambda: agrees(cache, truth))  # noqa: B023 - called at once

    assert 20 == len(truth)
    assert sum(cache.stats.local_hits for cache in caches)


async def agrees(cache: Cache, truth: dict) -> bool:
    """Say whether a cache, its local level first, has what is true."""
    return truth == await cache.get_many(list(truth))


@pytest.mark.parametrize("seed", [1])
async def test_a_failing_network_leaves_no_wrong_value(server, seed):
    """Cuts and silences at random while two processes read and write."""
    assert 0 < await schedule.run(server, rounds=250, seed=seed)


async def test_a_server_that_refuses_to_track_is_used_without(own_server):
    """An ACL may forbid it; the cache works, and says so."""
    own_server.admin("ACL", "SETUSER", "plain", "on", ">secret-of-plain", "~*", "&*", "+@all", "-client|tracking")
    async with client(own_server.url.replace("default:secret-of-default", "plain:secret-of-plain")) as redis:
        cache = Cache(redis, local=10)
        assert [1, 1] == [await cache.get_or_set("a", Load(1)) for _ in range(2)]
        assert [2, 2] == [await cache.get_or_set("b", Load(2), tags=["t"]) for _ in range(2)]

        assert (0, 2) == (cache.stats.local_hits, cache.stats.loads)


async def test_a_local_level_needs_resp3(server):
    """Said at once."""
    async with client(f"{server.url}?protocol=2") as redis:
        with pytest.raises(InvalidURL, match="RESP3"):
            Cache(redis, local=10)


@pytest.mark.parametrize("sizes", [{"local": -1}, {"local": 1, "local_bytes": 0}])
async def test_its_size_must_be_one(redis, sizes):
    """Said at once."""
    with pytest.raises(InvalidValue):
        Cache(redis, **sizes)


def test_the_least_recently_used_goes():
    """When there are too many."""
    local = Local(2, 10_000)
    local.put("a", b"1")
    local.put("b", b"2")
    local.get("a")
    local.put("c", b"3")

    assert [b"1", None, b"3"] == [local.get(key) for key in "abc"]


def test_bytes_have_a_bound():
    """Of all together; a value that would take an eighth is not kept at all."""
    local = Local(1000, 10 * (OVERHEAD + 101))
    for number in range(10, 30):
        local.put(str(number), b"x" * 99)
    local.put("large", b"x" * 5000)

    assert (10, 10 * (OVERHEAD + 101)) == (len(local), local.bytes)
    local.put("29", b"")
    local.drop("28")
    assert 8 * (OVERHEAD + 101) + OVERHEAD + 2 == local.bytes
    local.drop(None)
    assert (0, 0) == (len(local), local.bytes)
