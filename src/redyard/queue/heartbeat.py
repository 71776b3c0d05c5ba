"""What a worker tells of itself while it lives: its entry in the queue's hash grows old when it is gone."""

import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from redyard import keys
from redyard.client import raw

if TYPE_CHECKING:
    from redyard.queue.moves import Moves

EVERY = 5.0
"""Seconds between two beats."""

OLD = 15.0
"""Seconds after which a worker that does not tell is not shown any more."""


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A worker of ours; times are Unix times in seconds by the server's clock."""

    name: str
    host: str
    pid: int
    concurrency: int
    active: int
    started_at: float
    seen_at: float


_DECODER = msgspec.json.Decoder(Heartbeat)


class Pulse:
    """Tells that a worker lives."""

    def __init__(self, moves: "Moves", name: str, concurrency: int, active: Callable[[], int]) -> None:
        self._moves = moves
        self._name = name
        self._concurrency = concurrency
        self._active = active
        self._key = keys.WORKERS.make(queue=moves.queue)
        self._started_at = 0.0
        self._told_at = -EVERY

    async def beat(self) -> None:
        """Tell it, unless that was a moment ago. The first beat also forgets workers that are gone."""
        if time.monotonic() - self._told_at < EVERY:
            return
        if not self._started_at:
            self._started_at = self._moves.now()
            await read_heartbeats(self._moves)
        heartbeat = Heartbeat(
            name=self._name,
            host=socket.gethostname(),
            pid=os.getpid(),
            concurrency=self._concurrency,
            active=self._active(),
            started_at=self._started_at,
            seen_at=self._moves.now(),
        )
        await raw(self._moves.redis, "HSET", self._key, self._name, msgspec.json.encode(heartbeat))
        await raw(self._moves.redis, "PEXPIRE", self._key, keys.WORKERS.lifetime.seconds * 1000)
        self._told_at = time.monotonic()

    async def end(self) -> None:
        """Tell that the worker has ended."""
        self._started_at, self._told_at = 0.0, -EVERY
        await raw(self._moves.redis, "HDEL", self._key, self._name)


async def read_heartbeats(moves: "Moves") -> list[Heartbeat]:
    """Return the heartbeats of the workers that live; those of others are removed."""
    key = keys.WORKERS.make(queue=moves.queue)
    texts = await raw(moves.redis, "HVALS", key)
    await moves.learn_time()
    beats = [_DECODER.decode(text) for text in texts]
    gone = {beat.name for beat in beats if moves.now() - beat.seen_at > OLD}
    if gone:
        await raw(moves.redis, "HDEL", key, *gone)
    return [beat for beat in beats if beat.name not in gone]
