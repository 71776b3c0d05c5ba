"""An application at work while something happens to its server: it writes, counts, waits, and notes all answers."""

import asyncio
import time
from typing import Self

import redis.asyncio
from redis.exceptions import RedisError

from redyard import Redis


class Load:
    """Writers, a counter and a blocked consumer on one server; every acknowledged write is remembered.

    On the kit's client no error is expected and each is kept; on redis-py's, an error is a write that does not count.

    Args:
        rate: writes in a second that the writers make together; what a pause held up is made up for. 0 for no limit.
    """

    def __init__(self, client: redis.asyncio.Redis, *, writers: int = 20, name: str = "load", rate: float = 0) -> None:
        self.client = client
        self.name = name
        self.written: set[str] = set()
        self.counted = 0
        self.pushed = 0
        self.popped: list[bytes] = []
        self.errors: list[Exception] = []
        self.longest = 0.0  # seconds between two acknowledged writes, whoever made them
        self._acknowledged_at = 0.0
        self._writers, self._every = writers, writers / rate if rate else 0.0
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        tasks = [self._write(number) for number in range(self._writers)] + [self._count(), self._push(), self._pop()]
        self._tasks = [asyncio.create_task(task) for task in tasks]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)
        await self.client.aclose()

    async def miscounted(self, other: redis.asyncio.Redis) -> int:
        """Return how many increments the server counted beyond those that it acknowledged."""
        return int(await other.get(f"{self.name}:counted") or 0) - self.counted

    async def missing(self, other: redis.asyncio.Redis) -> set[str]:
        """Return the acknowledged writes that a server has not."""
        names = sorted(self.written)
        values = await other.mget(names)
        return {name for name, value in zip(names, values, strict=True) if value is None}

    async def _try(self, command: "asyncio.Future[object]") -> bool:
        try:
            await command
        except (RedisError, OSError) as error:
            self.errors.append(error)
            await asyncio.sleep(0)
            return False
        return True

    async def _write(self, writer: int) -> None:
        number, due = 0, time.monotonic() + self._every * writer / self._writers
        while not self._stop.is_set():
            if self._every and (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            due += self._every
            name, number = f"{self.name}:{writer}:{number}", number + 1
            if await self._try(self.client.set(name, "x" * 50)):
                self.written.add(name)
                self._acknowledge()

    def _acknowledge(self) -> None:
        now = time.monotonic()
        self.longest = max(self.longest, now - (self._acknowledged_at or now))
        self._acknowledged_at = now

    async def _count(self) -> None:
        while not self._stop.is_set():
            self.counted += await self._try(self.client.incr(f"{self.name}:counted"))

    async def _push(self) -> None:
        while not self._stop.is_set():
            if await self._try(self.client.lpush(f"{self.name}:jobs", self.pushed)):
                self.pushed += 1
            await asyncio.sleep(0.002)

    async def _pop(self) -> None:
        while not (self._stop.is_set() and len(self.popped) >= self.pushed):
            try:
                found = await self.client.brpop([f"{self.name}:jobs"], timeout=1)
            except (RedisError, OSError) as error:
                self.errors.append(error)
                continue
            if found:
                self.popped.append(found[1])
            elif self._stop.is_set():
                return


def kit(url: str, **options: object) -> Redis:
    """Return the kit's client."""
    return Redis.from_url(url, **options)


def plain(url: str) -> redis.asyncio.Redis:
    """Return redis-py's own client."""
    return redis.asyncio.Redis.from_url(url)
