"""A worker's bell: the one blocked read of its process, on a connection of its own that carries the worker's name.

BullMQ keeps a marker where jobs wait, and lists workers by the names of such connections.
"""

import re
from base64 import b64encode

from redyard.client import Redis

SHORTEST = 0.001
"""Seconds; for 0 the server would wait for ever."""


def connection_name(queue: str, worker: str = "") -> str:
    """Return the name by which BullMQ knows a worker's connection."""
    name = "bull:" + b64encode(queue.encode()).decode()
    return f"{name}:w:{re.sub(r'[^!-~]', '-', worker)}" if worker else name


class Bell:
    """Waits for jobs. What rang before anybody waited is not lost: the marker stays until it is taken."""

    def __init__(self, redis: Redis, marker: str, name: str) -> None:
        self._lane = redis.lane(name)
        self._marker = marker
        self._is_open = False

    async def open(self) -> None:
        """Connect, unless that is done."""
        if not self._is_open:
            await self._lane.send((b"PING",))
            self._is_open = True

    async def wait(self, seconds: float) -> float | None:
        """Wait until it rings; return when a delayed job is due (0 for jobs that can run now), or None: it did not."""
        words = (b"BZPOPMIN", self._marker, max(SHORTEST, seconds))
        reply = await self._lane.send_raw(words, timeout=seconds + self._lane.timeout)
        return None if reply is None else float(reply[2]) / 1000

    async def close(self) -> None:
        """Give the connection up: its read may still be waiting."""
        self._is_open = False
        await self._lane.aclose()
