"""What callers say in the tests of cuts, and what each of them may hear: its own answer, or an error that is true."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from redyard import Redis

KIB = "x" * 1024


class Said:
    """The callers of one conversation on keys of their own; `check` is for when all is over."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.redis = redis
        self.name = name
        self.wrong: list[str] = []
        self.counters: list[tuple[str, object]] = []

    async def hold(self) -> None:
        """Let all callers speak at once."""
        redis, name = self.redis, self.name
        await asyncio.gather(
            self.write(f"set:{name}", lambda: redis.set(f"set:{name}", 1), True),
            self.write(f"n:{name}", lambda: redis.incr(f"n:{name}"), 1),
            self.read(lambda: redis.get("fixed"), "fixed"),
            self.read(lambda: redis.echo(name), name),
            self.write(f"p:{name}", lambda: self.pipeline(transaction=False), [1, name]),
            self.write(f"t:{name}", lambda: self.pipeline(transaction=True), [1, name]),
            self.read(lambda: redis.pipeline(transaction=False).get("fixed").echo(name).execute(), ["fixed", name]),
            self.read(lambda: redis.get("kib"), KIB),
        )

    async def pipeline(self, *, transaction: bool) -> list[Any]:
        """Count in one batch with a word of one's own."""
        pipe = self.redis.pipeline(transaction=transaction)
        return await pipe.incr(f"{'t' if transaction else 'p'}:{self.name}").echo(self.name).execute()

    async def read(self, call: Callable[[], Awaitable[Any]], expected: object) -> None:
        """Ask for what cannot harm when it is asked twice: the answer must come."""
        answer = await outcome(call())
        if answer != expected:
            self.wrong.append(f"{expected!r:.80} was read as {answer!r:.80}")

    async def write(self, key: str, call: Callable[[], Awaitable[Any]], expected: object) -> None:
        """Change a key that nobody else changes; it must not be changed twice."""
        answer = await outcome(call())
        self.counters.append((key, answer))
        if answer != expected and not hasattr(answer, "maybe_ran"):
            self.wrong.append(f"{key}: {answer!r} instead of {expected!r}")

    def check(self, stored: dict[str, str | None]) -> list[str]:
        """Return what went wrong: an acknowledged write is there once, and one that did not run is not there."""
        for key, answer in self.counters:
            allowed = {"1"}
            if isinstance(answer, Exception):
                allowed = {None, "1"} if getattr(answer, "maybe_ran", True) else {None}
            if stored[key] not in allowed:
                self.wrong.append(f"{key} is {stored[key]} after {answer!r}")
        return self.wrong


async def outcome(call: Awaitable[Any]) -> Any:
    """Return an answer, or the error."""
    try:
        return await call
    except RedisError as error:
        return error
