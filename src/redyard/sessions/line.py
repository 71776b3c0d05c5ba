"""A script's way to Redis: within a deadline, behind a breaker, and only to a server that keeps what it is given.

This lies in the way of every request, so a script's future is awaited as it is, and the breaker's one timer watches all
of them: a timer each costs more than the script, and keeps its call alive for the collector to look at.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

from redis.exceptions import NoScriptError, RedisError, ResponseError

from redyard.client import Breaker, Redis, Script
from redyard.errors import RedisAway
from redyard.reading import Guard

OWNER = "the session store"

DEADLINE = 0.35
"""Seconds that a request may wait for its session: with its own work, the answer is there within half a second."""


class Line:
    """Runs the scripts of sessions; what fails is RedisAway."""

    def __init__(self, redis: Redis, deadline: float, *, allow_eviction: bool) -> None:
        self._send = redis.send_raw
        self._guard = Guard(redis, "a session store", allow_eviction=allow_eviction)
        self._breaker = Breaker(OWNER, deadline)
        self._proven = False
        self._knock_at = 0.0
        self._knocking: asyncio.Future[None] | None = None

    async def run(self, script: Script, keys: list[str], *args: Any) -> Any:
        """Run a script and return its reply."""
        if self._breaker.open:
            self._knock()
            raise RedisAway(owner=OWNER, reason="it did not a moment ago")
        if not self._proven:
            return await self._carefully(script, keys, args)
        try:
            return await self._ask(b"EVALSHA", script.digest, len(keys), *keys, *args)
        except NoScriptError:
            return await self._carefully(script, keys, args)
        except ResponseError as error:  # it answered: a full server is no reason to stop asking
            raise _refused(error) from error
        except (RedisError, OSError) as error:
            trouble = error

        async def fail() -> Any:
            raise trouble

        return await self._breaker.run(fail, always=True)

    async def _carefully(self, script: Script, keys: list[str], args: tuple[Any, ...]) -> Any:
        """Ask a server that is new, or does not know the script."""

        async def ask() -> Any:
            await self._guard.check()
            try:
                return await self._ask(b"EVAL", script.text, len(keys), *keys, *args)
            except ResponseError as error:
                return error

        answer = await self._breaker.run(ask)
        self._proven = True
        if isinstance(answer, ResponseError):
            raise _refused(answer) from answer
        return answer

    def _knock(self) -> None:
        """Look in the background whether Redis is back: no visitor waits for that."""
        now = time.monotonic()
        if now >= self._knock_at:
            self._knock_at = now + self._breaker.pause
            self._knocking = asyncio.ensure_future(self._try())

    async def _try(self) -> None:
        with suppress(RedisAway):
            await self._breaker.run(lambda: self._ask(b"PING"))

    def _ask(self, *words: Any) -> "asyncio.Future[Any]":
        future = self._send(words)
        self._breaker.watch.add(future)
        return future


def _refused(error: ResponseError) -> RedisAway:
    return RedisAway(owner=OWNER, reason=type(error).__name__)
