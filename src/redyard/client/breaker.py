"""A breaker for what must answer although Redis does not: one slow call, then none for a while, then one that tries.

A cache, a limiter and a session store stand in a request's way. They wait for Redis this long and no longer; after a
failure they do not ask until the pause is over, and then one call asks for all.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.exceptions import RedisError

from redyard import events
from redyard.client.call import give_up
from redyard.client.within import Limit
from redyard.errors import RedisAway

T = TypeVar("T")

ROUNDS = 8
"""Looks of a watchman per deadline: a wait ends up to an eighth early."""


class Breaker:
    """Runs calls within `seconds`; open after a failure, it refuses them for `pause` seconds, then lets one try."""

    def __init__(self, owner: str, seconds: float, *, pause: float = 1.0) -> None:
        self.owner = owner
        self.seconds = seconds
        self.pause = pause
        self.open = False
        self._try_at = 0.0
        self._limit = Limit()
        self.watch = Watch(seconds)

    async def run(self, call: Callable[[], Awaitable[T]], *, always: bool = False) -> T:
        """Return the call's result, or raise RedisAway; `always` asks even within the pause."""
        if self.open and not always:
            self.admit()
        try:
            with self._limit.within(self.seconds):
                result = await call()
        except (RedisError, OSError) as error:  # OSError is also the built-in TimeoutError
            raise self.failed(error) from error
        if self.open:
            self.succeeded()
        return result

    def admit(self) -> None:
        """Let a call try while open, or raise RedisAway: within the pause, and while another one tries."""
        now = asyncio.get_running_loop().time()
        if now < self._try_at:
            raise RedisAway(owner=self.owner, reason="it did not a moment ago")
        self._try_at = now + self.seconds + self.pause  # this call tries; the others are refused until it has ended

    def failed(self, error: Exception) -> RedisAway:
        """Open after a failed call; return what to raise."""
        reason = type(error).__name__
        self._try_at = asyncio.get_running_loop().time() + self.pause
        if not self.open:
            events.emit(events.REDIS_AWAY, owner=self.owner, reason=reason)
        self.open = True
        return RedisAway(owner=self.owner, reason=reason)

    def succeeded(self) -> None:
        """Close after a call that was answered."""
        if self.open:
            events.emit(events.REDIS_BACK, owner=self.owner)
        self.open = False


class Watch:
    """Ends waits that last for `seconds` by one timer for all: one for each would cost more than its reply."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._new: list[asyncio.Future[Any]] = []
        self._older: deque[list[asyncio.Future[Any]]] = deque()

    def add(self, future: "asyncio.Future[Any]") -> None:
        """Watch a future until it is done, or fail it by TimeoutError."""
        loop = future.get_loop()
        if loop is not self._loop:
            self._begin(loop)
        self._new.append(future)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._new = []
        self._older = deque([] for _ in range(ROUNDS - 1))
        loop.call_later(self.seconds / ROUNDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return  # an older loop's
        waiting, self._new = [future for future in self._new if not future.done()], []
        self._older.append(waiting)
        for future in self._older.popleft():
            give_up(future, TimeoutError(f"no answer within {self.seconds:g} s"))
        if any(self._older):
            loop.call_later(self.seconds / ROUNDS, self._look, loop)
        else:
            self._loop = None  # the next wait begins anew
