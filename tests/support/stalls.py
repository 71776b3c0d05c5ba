"""How long a follower in this process could do nothing, and when: it had no turn, or no connection.

On a machine that is busy with others nobody can be exact; and what came after a cut came then.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redyard.backups.follow import Follower

TURN, NEAR = 0.01, 0.5
"""Seconds between the turns that are asked for, and around a moment in which a turn that came late matters to it."""


class Stalls:
    """The turns that came late, and those on which `follower`, if there is one, was not connected."""

    def __init__(self) -> None:
        self.follower: Follower | None = None
        self._late: list[tuple[float, float]] = []

    def around(self, at: float) -> float:
        """Return by how many seconds the latest of the turns near a moment (Unix time) came late."""
        return max((late for when, late in self._late if when - late - NEAR <= at <= when + NEAR), default=0.0)

    async def watch(self) -> None:
        """Ask for a turn again and again."""
        last = time.time()
        while True:
            await asyncio.sleep(TURN)
            if self.follower is None or self.follower.connected:
                now = time.time()
                self._late.append((now, now - last - TURN))
                last = now


@asynccontextmanager
async def watched() -> AsyncIterator[Stalls]:
    """Watch for the time of a block."""
    stalls = Stalls()
    task = asyncio.create_task(stalls.watch())
    try:
        yield stalls
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
