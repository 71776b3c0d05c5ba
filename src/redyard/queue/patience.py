"""A worker's patience: while Redis is away it tries again, with growing pauses, until it is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from redyard import events

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
AWAY = (RedisError, OSError)

PASSES = ("MISCONF", "NOREPLICAS", "BUSY", "LOADING", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED")
"""Refusals of a server that come without a class of their own, and pass."""


class Patience:
    """Repeats steps of `owner` until they succeed, or `stop` is set."""

    def __init__(self, owner: str, stop: asyncio.Event) -> None:
        self._owner = owner
        self._stop = stop

    async def __call__(
        self, step: Callable[[], Awaitable[T]], *, starting: bool = False, after: Exception | None = None
    ) -> T:
        """Return what a step returns, or raise its error when it is told to stop, or when to repeat it cannot help.

        Args:
            step: what to do.
            starting: a wrong password is final.
            after: what the step met already.
        """
        pause, error = FIRST_PAUSE, after
        while True:
            if error is None:
                try:
                    return await step()
                except AWAY as problem:
                    error = problem
            if self._stop.is_set() or broke(error) or (starting and isinstance(error, AuthenticationError)):
                raise error
            events.emit(events.REDIS_AWAY, owner=self._owner, reason=type(error).__name__)
            error = None
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()
            pause = min(pause * 2, LONGEST_PAUSE)


def maybe_ran(error: Exception) -> bool:
    """Say whether a command that failed may have run, and only its answer was lost."""
    return bool(getattr(error, "maybe_ran", False))


def broke(error: Exception) -> bool:
    """Say whether a script broke, rather than that Redis is away: repeated, it would break again."""
    return type(error) is ResponseError and not str(error).startswith(PASSES)
