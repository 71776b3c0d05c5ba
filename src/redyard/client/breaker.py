"""A breaker for what must answer although Redis does not: one slow call, then none for a while, then one that tries.

A cache, a limiter and a session store stand in a request's way. They wait for Redis this long and no longer; after a
failure they do not ask until the pause is over, and then one call asks for all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from redyard import events
from redyard.client.within import Limit
from redyard.errors import RedisAway

T = TypeVar("T")


class Breaker:
    """Runs calls within `seconds`; open after a failure, it refuses them for `pause` seconds, then lets one try."""

    def __init__(self, owner: str, seconds: float, *, pause: float = 1.0) -> None:
        self.owner = owner
        self.seconds = seconds
        self.pause = pause
        self.open = False
        self._try_at = 0.0
        self._limit = Limit()

    async def run(self, call: Callable[[], Awaitable[T]], *, always: bool = False) -> T:
        """Return the call's result, or raise RedisAway; `always` asks even within the pause."""
        if not always:
            self._admit()
        try:
            with self._limit.within(self.seconds):
                result = await call()
        except (RedisError, OSError) as error:  # OSError is also the built-in TimeoutError
            reason = type(error).__name__
            self._opened(reason)
            raise RedisAway(owner=self.owner, reason=reason) from error
        self._closed()
        return result

    def _admit(self) -> None:
        now = asyncio.get_running_loop().time()
        if self.open and now < self._try_at:
            raise RedisAway(owner=self.owner, reason="it did not a moment ago")
        self._try_at = now + self.seconds + self.pause  # this call tries; the others are refused until it has ended

    def _opened(self, reason: str) -> None:
        self._try_at = asyncio.get_running_loop().time() + self.pause
        if not self.open:
            events.emit(events.REDIS_AWAY, owner=self.owner, reason=reason)
        self.open = True

    def _closed(self) -> None:
        if self.open:
            events.emit(events.REDIS_BACK, owner=self.owner)
        self.open = False
