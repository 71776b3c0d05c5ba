"""A worker's bell: the one blocked read of its process, on a connection of its own that carries the worker's name.

BullMQ keeps a marker where jobs wait, and lists workers by the names of such connections. The call that takes jobs is
sent right behind the blocked read; the server runs it when that has ended. So a job is on its way to an idle worker
as soon as it is there: no answer has to arrive first, and no question has to go back.
"""

import asyncio
import re
import secrets
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from redyard import keys
from redyard.client import Redis, Words

LONGEST = 5.0
"""Seconds for which a worker waits before it looks by itself."""

SLACK = 0.2
"""Seconds that the server's read lasts beyond the wait: an idle server ends it up to a tenth of a second late."""


def connection_name(queue: str, worker: str = "") -> str:
    """Return the name by which BullMQ knows a worker's connection."""
    name = "bull:" + b64encode(queue.encode()).decode()
    return f"{name}:w:{re.sub(r'[^!-~]', '-', worker)}" if worker else name


class Bell:
    """Waits for jobs. What rang before anybody waited is not lost: the marker stays until it is taken."""

    def __init__(self, redis: Redis, queue: str, name: str) -> None:
        self._redis = redis
        self._flags = redis.script_flags
        self._marker = keys.MARKER.make(queue=queue)
        self._lane = redis.lane(name)
        self._patience = self._lane.timeout
        self._lane.timeout += LONGEST  # one deadline for every wait: it costs no timer for each
        self._is_open = False
        self.unanswered = ""
        """The name of the last wait, until it is answered."""

    async def open(self) -> None:
        """Connect, unless that is done."""
        if not self._is_open:
            await self._lane.send((b"PING",), timeout=self._patience)
            self._is_open = True

    async def wait(self, seconds: float, take: Callable[[str], Words]) -> Any:
        """Wait until it rings, or so long; return the reply to the call that takes jobs then.

        Args:
            seconds: LONGEST at most. Then it is rung from here.
            take: makes that call for a wait of this name.
        """
        self.unanswered = secrets.token_hex(8)
        words = (b"BZPOPMIN", self._marker, min(max(0.0, seconds) + SLACK, LONGEST))
        calls = [(words, self._flags), (take(self.unanswered), self._flags)]
        timer = asyncio.get_running_loop().call_later(seconds, self._ring) if seconds < LONGEST else None
        try:
            replies = await self._lane.send_batch(calls)
        finally:
            if timer:
                timer.cancel()
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        self.unanswered = ""
        return replies[1]

    def _ring(self) -> None:
        self._redis.send_raw((b"ZADD", self._marker, 0, "0")).add_done_callback(_forget)

    async def close(self) -> None:
        """Give the connection up: its read may still be waiting."""
        self._is_open = False
        await self._lane.aclose()


def _forget(reply: "asyncio.Future[Any]") -> None:
    """Let a ring that failed pass: the read ends by itself."""
    if not reply.cancelled():
        reply.exception()
