"""Values made old without waiting, and loads that a test holds in its hand."""

import asyncio
import struct

from redyard import Redis

TIMES = struct.Struct("<dd")
PLACE = 18
"""Where a record has the times until which it is fresh and until which it is of use."""


async def age(redis: Redis, name: str, seconds: float) -> None:
    """Let a cached value be so many seconds older; its key's own lifetime stays."""
    record = await redis.get(f"cache:{name}")
    fresh, ends = TIMES.unpack_from(record, PLACE)
    await redis.setrange(f"cache:{name}", PLACE, TIMES.pack(fresh - seconds, ends - seconds))


class Load:
    """A loader: counts its runs, may be held, and may fail."""

    def __init__(self, *results: object, held: bool = False) -> None:
        self.results = list(results)
        self.runs = 0
        self.ended = 0
        self.go = asyncio.Event()
        if not held:
            self.go.set()

    async def __call__(self) -> object:
        result = self.results[min(self.runs, len(self.results) - 1)]
        self.runs += 1
        await self.go.wait()
        self.ended += 1
        if isinstance(result, Exception):
            raise result
        return result
