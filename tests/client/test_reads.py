"""Reads that callers share, and that nobody waits for too long."""

import asyncio

import pytest
from redis.exceptions import ResponseError

from redyard.client import Breaker
from redyard.client.reads import reads_of
from redyard.errors import RedisAway
from tests.support.clients import client
from tests.support.proxy import Proxy
from tests.support.wait import until


async def test_a_value_comes_as_bytes_whatever_the_client_decodes(server, decode):
    """Also one that is no text."""
    async with client(server.url, decode_responses=decode) as redis:
        await redis.set("a", b"\xff")
        reads = reads_of(redis, Breaker("a test", 1))

        assert [b"\xff", None] == [await reads.get("a"), await reads.get("b")]
        assert [None, b"\xff", b"\xff"] == await reads.get_many(["b", "a", "a"])


async def test_a_read_that_hangs_is_given_up_and_the_breaker_opens(server):
    """For all who wait, whoever began it; the next one does not wait at all."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        breaker = Breaker("a test", 0.1)
        reads = reads_of(redis, breaker)
        await reads.get("a")
        proxy.hold()
        outcomes = await asyncio.gather(
            reads.get("a"), reads.get("a"), reads.get("b"), reads.get_many(["b", "c"]), return_exceptions=True
        )

        assert [RedisAway] * 4 == [type(outcome) for outcome in outcomes]
        assert breaker.open
        with pytest.raises(RedisAway, match="a moment ago"):
            await reads.get_many(["a"])
        assert {} == reads._under_way
        proxy.release()
        breaker.pause = 0
        await until(lambda: again(reads))
        assert not breaker.open


async def again(reads) -> bool:
    """Say whether a read succeeds."""
    try:
        return await reads.get("a") is None
    except RedisAway:
        return False


async def test_reads_whose_caller_left_are_not_joined(server):
    """One of them or several: who comes next asks anew."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        reads = reads_of(redis, Breaker("a test", 5))
        await reads.get("a")
        proxy.hold()
        left = [asyncio.create_task(reads.get("a")), asyncio.create_task(reads.get_many(["b", "c"]))]
        await until(lambda: len(reads._under_way) == 3)
        for task in left:
            task.cancel()
        await asyncio.wait(left)

        assert {} == reads._under_way
        proxy.release()
        assert [None] * 3 == await reads.get_many(["a", "b", "c"])


async def test_a_refused_read_is_its_callers(redis):
    """A key of another type; in one of several it is as if nothing were there."""
    await redis.lpush("list", "x")
    await redis.set("a", "1")
    reads = reads_of(redis, Breaker("a test", 1))

    with pytest.raises(ResponseError):
        await reads.get("list")
    assert [None, b"1"] == await reads.get_many(["list", "a"])


async def test_a_forgotten_read_is_not_joined(redis):
    """Who asks after a change gets what is there after it."""
    reads = reads_of(redis, Breaker("a test", 1))
    before = asyncio.create_task(reads.get("a"))
    await asyncio.sleep(0)
    await redis.set("a", "new")
    reads.forget("a")

    assert b"new" == await reads.get("a")
    assert await before is None


async def test_without_a_server_a_read_fails(server):
    """As any call behind a breaker."""
    async with client("redis://127.0.0.1:1") as redis:
        with pytest.raises(RedisAway):
            await reads_of(redis, Breaker("a test", 0.1)).get("a")
