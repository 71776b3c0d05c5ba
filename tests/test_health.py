"""Health checks: bounded, kept for a moment, one at a time."""

import asyncio
import time

import pytest

from redyard.health import Health
from tests.support.clients import client, heard


async def test_a_healthy_redis_was_written_to(server):
    """The check is a write: a server that only answers PING is not healthy."""
    async with client(server.url) as redis:
        result = await Health(redis).redis()
        ttl = [await redis.ttl(key) async for key in redis.scan_iter("temp:health:*")]

    assert result.healthy
    assert {"status", "latency_ms", "used_memory", "connected"} == set(result.to_json())
    assert result.to_json()["used_memory"] > 0
    assert 0 < ttl[0] <= 300


async def test_a_redis_that_is_gone_is_unhealthy():
    """The reason is one word of ours, and no driver's message."""
    async with client("redis://127.0.0.1:1") as redis:
        result = await Health(redis).redis()

    assert {"status": "unhealthy", "used_memory": None, "connected": False, "reason": "unreachable"} == {
        name: value for name, value in result.to_json().items() if name != "latency_ms"
    }


async def test_a_redis_that_hangs_is_unhealthy_within_the_second(own_server):
    """The probe is bounded."""
    async with client(own_server.url) as redis:
        await redis.ping()
        own_server.pause()
        start = time.monotonic()
        result = await Health(redis).redis()
        own_server.resume()

    assert "timeout" == result.facts["reason"]
    assert time.monotonic() - start < 1.5


async def test_a_full_redis_is_unhealthy(own_server):
    """It answers, but it takes nothing more."""
    own_server.admin("CONFIG", "SET", "maxmemory", "1")
    async with client(own_server.url) as redis:
        result = await Health(redis).redis()

    assert "full" == result.facts["reason"]


@pytest.mark.parametrize("wrong", [False, ValueError("the password is hunter2")])
async def test_a_failing_check_makes_the_whole_unhealthy(server, wrong):
    """A check fails by returning False or by raising; what it raised stays inside."""

    async def fails():
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    async def passes():
        return None

    async with client(server.url) as redis:
        with heard() as events:
            report = await Health(redis, checks={"mail": fails, "database": passes}).complete()

    assert [("redis", True), ("mail", False), ("database", True)] == [
        (name, result.healthy) for name, result in report.checks.items()
    ]
    assert "unhealthy" == report.to_json()["status"]
    assert "hunter2" not in str(report.to_json())
    assert ["mail"] == [event.fields["name"] for event in events]


async def test_many_who_ask_are_one_question(server):
    """At once and within a second, the check runs once."""
    asked = []

    async def check():
        asked.append(1)
        await asyncio.sleep(0)

    async with client(server.url) as redis:
        health = Health(redis, checks={"it": check})
        await asyncio.gather(*(health.complete() for _ in range(50)))
        await health.complete()

    assert [1] == asked


async def test_one_who_gives_up_stops_no_other(server):
    """A load balancer that closes its connection does not spoil the answer of the next."""
    go = asyncio.Event()
    async with client(server.url) as redis:
        health = Health(redis, checks={"it": go.wait})
        impatient = asyncio.create_task(health.complete())
        patient = asyncio.create_task(health.complete())
        await asyncio.sleep(0)
        impatient.cancel()
        go.set()

        assert (await patient).healthy
