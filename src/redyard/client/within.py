"""A limit for many short waits that share a timer: asyncio's own, one timer a wait, costs more than a command does."""

import asyncio
from types import TracebackType
from typing import Any


class Limit:
    """Ends waits after their seconds: `with limit.within(0.2): await ...` raises TimeoutError, as `asyncio.timeout`.

    Those of one limit are to have the same seconds: the timer looks at the oldest first.
    """

    def __init__(self) -> None:
        self.waits: dict[Wait, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking = False

    def within(self, seconds: float) -> "Wait":
        """Return what bounds the block of a `with`."""
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        if loop is not self._loop:
            self._loop, self.waits, self._ticking = loop, {}, False
        wait = Wait(self.waits, task, loop.time() + seconds)
        if not self._ticking:
            self._ticking = True
            loop.call_at(wait.due, self._tick, loop)
        return wait

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel who is late, and come back when the next may be."""
        now = loop.time()
        for wait in self.waits:
            if wait.due > now:
                loop.call_at(wait.due, self._tick, loop)
                return
            wait.end()
        self._ticking = False


class Wait:
    """One wait of a task, which is cancelled when it is late."""

    __slots__ = ("_before", "_late", "_task", "_waits", "due")

    def __init__(self, waits: dict["Wait", None], task: "asyncio.Task[Any]", due: float) -> None:
        self.due = due
        self._waits = waits
        self._task = task
        self._before = task.cancelling()
        self._late = False

    def end(self) -> None:
        """Cancel the task, once."""
        if not self._late:
            self._late = True
            self._task.cancel()

    def __enter__(self) -> None:
        """Begin."""
        self._waits[self] = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Make the cancellation that was ours a TimeoutError; another's stays what it is."""
        del self._waits[self]
        if self._late and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error
