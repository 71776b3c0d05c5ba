"""A network that fails at random while two processes read and change values that they also keep themselves."""

import asyncio
import random

from redyard import Cache, Redis
from tests.support.clients import client
from tests.support.proxy import Proxy
from tests.support.servers import Server
from tests.support.wait import until

KEYS = 100
"""So many that each is read seldom: what was not emptied is not overwritten by chance either."""


async def run(server: Server, *, rounds: int, seed: int) -> int:
    """Run rounds of chance; fail if a value stays wrong after the last one. Return how many hits asked no server."""
    chance = random.Random(seed)
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as behind, client(server.url) as straight:
        caches = [Cache(behind, local=1000), Cache(straight, local=1000)]
        going = True

        async def read(cache: Cache) -> None:
            while going:
                await cache.get(name(chance))
                await asyncio.sleep(chance.random() / 1000)

        readers = [asyncio.create_task(read(cache)) for cache in caches * 2]
        for number in range(rounds):
            await caches[chance.random() < 0.8].set(name(chance), number)
            await trouble(proxy, chance)
        going = False
        await asyncio.gather(*readers)
        proxy.release()
        for cache in caches:
            await until(lambda: agrees(cache, straight))  # noqa: B023 - awaited at once
        return sum(cache.stats.local_hits for cache in caches)


def name(chance: random.Random) -> str:
    """Return one of the names."""
    return f"k{chance.randrange(KEYS)}"


async def trouble(proxy: Proxy, chance: random.Random) -> None:
    """Cut, hold back or let pass; mostly nothing."""
    what = chance.random()
    if what < 0.03:
        proxy.cut(reset=chance.random() < 0.5)
    elif what < 0.06:
        proxy.hold(chance.choice(["up", "down"]))
    elif what < 0.5:
        proxy.release()
    await asyncio.sleep(chance.random() / 500)


async def agrees(cache: Cache, redis: Redis) -> bool:
    """Say whether a cache, its own level first, has what the server has."""
    names = [f"k{number}" for number in range(KEYS)]
    return await cache.get_many(names) == await Cache(redis).get_many(names)
