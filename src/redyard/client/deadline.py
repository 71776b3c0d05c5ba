"""A deadline for what must answer although Redis does not: one slow call, then none for a while.

A cache, a limiter and a session store stand in a request's way. They wait for Redis this long and no longer, and
after a failure they do not ask again until the pause is over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from redyard import events
from redyard.errors import RedisAway

T = TypeVar("T")


class Deadline:
    """Runs calls to Redis within `seconds`; after one failed, refuses the others for `pause` seconds."""

    def __init__(self, owner: str, seconds: float, *, pause: float = 1.0) -> None:
        self.owner = owner
        self.seconds = seconds
        self.pause = pause
        self._closed_until = 0.0

    async def run(self, call: Callable[[], Awaitable[T]], *, always: bool = False) -> T:
        """Return the call's result, or raise RedisAway; `always` asks even within the pause."""
        now = asyncio.get_running_loop().time
        if not always and now() < self._closed_until:
            raise RedisAway(owner=self.owner, reason="it did not a moment ago")
        try:
            async with asyncio.timeout(self.seconds):
                result = await call()
        except (RedisError, OSError) as error:  # OSError is also the built-in TimeoutError
            self._closed_until = now() + self.pause
            reason = type(error).__name__
            events.emit(events.REDIS_AWAY, owner=self.owner, reason=reason)
            raise RedisAway(owner=self.owner, reason=reason) from error
        self._closed_until = 0.0
        return result
