"""A worker's bell: the one blocked read of its process, on a connection of its own that carries the worker's name.

BullMQ keeps a marker where jobs wait, and lists workers by the names of such connections.
"""

import re
from base64 import b64encode
from typing import Any

from redyard.client import Redis, raw

SHORTEST = 0.001
"""Seconds; for 0 the server would wait for ever."""


def connection_name(queue: str, worker: str = "") -> str:
    """Return the name by which BullMQ knows a worker's connection."""
    name = "bull:" + b64encode(queue.encode()).decode()
    return f"{name}:w:{re.sub(r'[^!-~]', '-', worker)}" if worker else name


class Bell:
    """Waits for jobs. What rang before anybody waited is not lost: the marker stays until it is taken."""

    def __init__(self, redis: Redis, marker: str, name: str) -> None:
        self._redis = redis
        self._marker = marker
        self._name = name
        self._client: Any = None
        self._usual_name: str | None = None

    async def open(self) -> None:
        """Connect, unless that is done."""
        if self._client is not None:
            return
        client: Any = self._redis.client()
        await client.initialize()
        self._client = client
        self._usual_name, client.connection.client_name = client.connection.client_name, self._name
        await raw(client, "CLIENT SETNAME", self._name)

    async def wait(self, seconds: float) -> float | None:
        """Wait until it rings; return when a delayed job is due (0 for jobs that can run now), or None: it did not."""
        reply = await raw(self._client, "BZPOPMIN", self._marker, max(SHORTEST, seconds))
        return None if reply is None else float(reply[2]) / 1000

    async def close(self) -> None:
        """Give the connection up: its read may still be waiting."""
        client, self._client = self._client, None
        if client is not None:
            connection = client.connection
            if connection is not None:
                connection.client_name = self._usual_name
                await connection.disconnect(nowait=True)
            await client.aclose()
