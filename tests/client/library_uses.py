"""Libraries on our client: a program for an environment that has them; it exits with 0 when all is as it should be."""

import asyncio
import sys

from redyard import Redis


async def with_cashews(url: str) -> None:
    """Its decorator, its lock and its commands, on its own class with our client as the parent."""
    from cashews import cache
    from cashews.backends.redis import client as classes

    classes.SafeRedis.__bases__ = (Redis,)
    cache.setup(url)
    calls = []

    @cache(ttl="10s", key="double:{number}")
    async def double(number: int) -> int:
        calls.append(number)
        return number * 2

    assert [4, 4] == [await double(2), await double(2)]
    assert [2] == calls
    await cache.set("a", {"b": 1}, expire=10)
    assert {"b": 1} == await cache.get("a")
    assert 2 == [await cache.incr("n") for _ in range(2)][-1]
    async with cache.lock("l", expire=5):
        assert not await cache.set_lock("l", "other", expire=5)
    assert ["double:2"] == [key async for key in cache.scan("double:*")]
    assert [{"b": 1}, None] == list(await cache.get_many("a", "none"))
    await cache.delete_match("double:*")
    assert 4 == await double(2)
    assert [2, 2] == calls
    await cache.close()


async def with_limits(url: str) -> None:
    """All its strategies, whose scripts it registers with our client."""
    from limits import RateLimitItemPerMinute
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

    storage = RedisStorage(f"async+{url}", implementation="redispy")
    ours = Redis.from_url(url)
    await storage.bridge.storage.aclose()
    storage.bridge.storage, storage.bridge.connection_getter = ours, lambda _: ours
    storage.bridge.register_scripts()
    for strategy in (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter):
        limiter, name = strategy(storage), strategy.__name__
        hits = [await limiter.hit(RateLimitItemPerMinute(2), name) for _ in range(3)]
        assert [True, True, False] == hits, (name, hits)
        assert 0 == (await limiter.get_window_stats(RateLimitItemPerMinute(2), name)).remaining
    await ours.aclose()


async def with_bullmq(url: str) -> None:
    """A queue and a worker: jobs run, one of them delayed, one fails, and the worker sleeps between them."""
    from bullmq import Queue, Worker

    queue_client, worker_client = (Redis.from_url(url, decode_responses=True) for _ in range(2))
    done = {}

    async def work(job, token):
        if job.name == "bad":
            raise ValueError("bad job")
        done[job.name] = job.data["n"] * 2
        return done[job.name]

    queue = Queue("q", {"connection": queue_client})
    worker = Worker("q", work, {"connection": worker_client})
    await queue.add("late", {"n": 3}, {"delay": 200})
    await queue.add("bad", {"n": 0}, {})
    await asyncio.gather(*(queue.add(f"job{number}", {"n": number}, {}) for number in range(20)))
    async with asyncio.timeout(15):
        while len(done) < 21 or not (await queue.getJobCounts("failed"))["failed"]:
            await asyncio.sleep(0.02)
    assert {f"job{number}": number * 2 for number in range(20)} | {"late": 6} == done
    await worker.close()
    await queue.close()


if __name__ == "__main__":
    asyncio.run({"cashews": with_cashews, "limits": with_limits, "bullmq": with_bullmq}[sys.argv[1]](sys.argv[2]))
