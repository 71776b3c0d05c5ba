"""Single flight: many who want one value wait for one load of it."""

import asyncio
from collections.abc import Awaitable, Callable

Load = Callable[[Callable[[], bool]], Awaitable[bytes]]
"""Loads a value; it is told by a function whether the value is still to be kept."""


class Flights:
    """The loads under way in this process, by key."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[bytes]] = {}

    async def join(self, key: str, load: Load) -> bytes:
        """Return what the key's load brings; start it if none is under way. A caller that gives up stops no other."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(self._fly(key, load))
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    def divert(self, key: str) -> None:
        """Let the key's load under way end without being kept: the value was invalidated meanwhile."""
        self._tasks.pop(key, None)

    async def _fly(self, key: str, load: Load) -> bytes:
        me = asyncio.current_task()
        try:
            return await load(lambda: self._tasks.get(key) is me)
        finally:
            if self._tasks.get(key) is me:
                del self._tasks[key]


def _retrieve(task: asyncio.Task[bytes]) -> None:
    if not task.cancelled():
        task.exception()  # the waiters have it; without any, asyncio would warn
