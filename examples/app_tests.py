"""An app's own tests on a real engine: no mock, clean for each test, and able to fail.

`pytest examples/app_tests.py`. The engine starts once, in less than a tenth of a second.
"""

import asyncio

from redyard import Cache, Queue, RateLimit, Redis
from redyard.ratelimit import Decision
from redyard.testing import Server


def test_a_job_is_added_once(redis_server: Server) -> None:
    """A job's own id makes adding it twice harmless."""

    async def scenario() -> int:
        async with Redis.from_url(redis_server.url) as redis:
            queue = Queue(redis, "mails")
            for _ in range(2):
                await queue.add("welcome", {"to": "Ada"}, job_id="welcome-ada")
            return (await queue.counts())["waiting"]

    assert asyncio.run(scenario()) == 1


def test_the_shop_goes_on_without_its_cache(redis_environ: dict[str, str], redis_cache_server: Server) -> None:
    """A cache that hangs is a miss."""

    async def price() -> int:
        async with Redis.from_env(role="cache", environ=redis_environ) as redis:
            return int(await Cache(redis).get_or_set("price", load))

    async def load() -> int:
        return 42

    with redis_cache_server.paused():
        assert asyncio.run(price()) == 42


def test_a_limit_without_redis_lets_people_in(redis_server: Server) -> None:
    """That is its stated policy; see the guide for the others."""

    async def hit() -> Decision:
        async with Redis.from_url(redis_server.url) as redis:
            return await RateLimit(redis, "sign-in", limit=5, per=60).hit("203.0.113.5")

    redis_server.kill()
    assert asyncio.run(hit()).allowed
