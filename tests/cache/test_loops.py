"""Event loops that end and processes that fork while a cache has values in this process."""

import asyncio
import os

from redyard import Cache, Redis
from tests.cache.ages import Load
from tests.support.clients import client
from tests.support.loops import LEAVES_LOOPS

pytestmark = LEAVES_LOOPS


def test_another_event_loop_does_not_believe_what_it_finds(server):
    """News does not reach it: it asks, and then hears of changes itself."""
    cache = Cache(Redis.from_url(server.url), local=10)

    async def first() -> None:
        await cache.set("a", 1)
        await cache.get("a")
        await cache.get_or_set("b", Load(1), stale_for=1)

    async def change() -> None:
        async with client(server.url) as other:
            await Cache(other).set("a", 2)

    async def second() -> None:
        assert [2, 2] == [await cache.get("a"), await cache.get("a")]
        assert 1 == cache.stats.local_hits
        await cache._redis.aclose()

    for run in (first, change, second):
        asyncio.run(run())


async def test_a_forked_child_keeps_nothing(redis):
    """Its parent has the connection over which news comes."""
    cache = Cache(redis, local=10)
    await cache.set("a", 1)
    await cache.get("a")
    child = os.fork()
    if child == 0:
        os._exit(len(cache.levels.local))
    _, status = os.waitpid(child, 0)

    assert (0, 1) == (os.waitstatus_to_exitcode(status), len(cache.levels.local))
