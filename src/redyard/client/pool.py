"""redis-py's pool that waits for a free connection, made to live through event loops and forks."""

import asyncio
import os
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool

INHERITED: list[Any] = []
"""What a forked child neither uses nor closes: closing would take a connection out of its parent's event loop."""


class Pool(BlockingConnectionPool):
    """A `BlockingConnectionPool` that begins anew in another event loop, and after a fork."""

    _loop: asyncio.AbstractEventLoop | None = None
    _pid = 0

    async def get_connection(self, *_: Any, **__: Any) -> Any:
        """Return a free connection of this event loop, or wait for one."""
        self._belong()
        return await cast("Any", super()).get_connection()

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections of this event loop."""
        self._belong()
        await super().disconnect(inuse_connections)

    async def renew(self) -> None:
        """Close what is idle, and what is used when it comes back: the login was changed."""
        self._belong()
        await cast("Any", self).update_active_connections_for_reconnect()
        await self.disconnect(inuse_connections=False)

    def _belong(self) -> None:
        loop, pool = asyncio.get_running_loop(), cast("Any", self)
        if loop is self._loop:
            return
        if self._pid not in {0, os.getpid()}:
            INHERITED.append((pool._available_connections, pool._in_use_connections))
        self._loop, self._pid = loop, os.getpid()
        pool.reset()
        pool._lock, pool._condition = asyncio.Lock(), asyncio.Condition()
