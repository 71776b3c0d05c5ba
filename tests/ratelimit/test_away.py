"""Limits while Redis hangs, is gone, or is full."""

import asyncio
from contextlib import asynccontextmanager

from redyard import RateLimit, events
from redyard.ratelimit import ConcurrencyLimit, Hit, hit_all
from redyard.ratelimit.asking import DEADLINE
from tests.support.clients import heard, restart
from tests.support.wait import until


async def all_ways(limits):
    """Ask in every way at once."""
    hits = [limit.hit(f"203.0.113.{n}") for n in range(50) for limit in limits[:2]]
    asked = hit_all(*(Hit(limit, "ada") for limit in limits))
    held = ConcurrencyLimit(limits[0].redis, "export").acquire("ada")
    *decisions, said, lease = await asyncio.gather(*hits, asked, held)
    return [*decisions, *said.values(), lease]


@asynccontextmanager
async def ticking():
    """Count eighths of the deadline, one a turn of the loop at most: on a busy machine they stall as what they time."""
    ticks = []

    async def tick():
        while True:
            await asyncio.sleep(DEADLINE / 8)
            ticks.append(len(ticks))

    task = asyncio.create_task(tick())
    try:
        yield ticks
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_request_waits_once_for_a_redis_that_hangs(own_server, own_redis):
    """A hundred callers of all limits have the policy's answer after one wait; who comes later has it at once."""
    limits = [
        RateLimit(own_redis, name, 5, rule=rule) for name, rule in (("a", "gcra"), ("b", "window"), ("c", "gcra"))
    ]
    before = await all_ways(limits)
    with own_server.paused():
        async with ticking() as waited:
            first = await all_ways(limits)
        async with ticking() as later:
            second = await all_ways(limits)

    assert [{False}, {True}, {True}] == [{one.degraded for one in answers} for answers in (before, first, second)]
    assert all(one.allowed for one in [*before, *first])
    assert len(waited) <= 12  # once, not once for each limit
    assert len(later) <= 4


async def test_limits_use_redis_again_when_it_is_back(own_server, own_redis):
    """Events tell of both, once for all limits."""
    limit = RateLimit(own_redis, "a", 5)
    await limit.hit("ada")
    with heard(events.REDIS_AWAY, events.REDIS_BACK) as seen:
        await asyncio.to_thread(own_server.kill)
        assert (await limit.hit("ada")).degraded
        assert (await RateLimit(own_redis, "b").hit("ada")).degraded
        await restart(own_server)

        async def back():
            return not (await limit.hit("ada")).degraded

        await until(back)

    assert ["redis.away", "redis.back"] == [event.kind.name for event in seen]
    assert {"the rate limits"} == {event.fields["owner"] for event in seen}


async def test_a_full_server_fails_nobody(own_server, own_redis):
    """What it cannot store is counted in memory."""
    limit = RateLimit(own_redis, "a", 2)
    own_server.admin("CONFIG", "SET", "maxmemory", "100kb")
    decisions = [await limit.hit("ada") for _ in range(3)]

    assert [True, True, False] == [one.allowed for one in decisions]
    assert all(one.degraded for one in decisions)
