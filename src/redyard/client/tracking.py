"""A second lane of a client, on which the server remembers what was read and tells when it changes.

CLIENT TRACKING in its plain mode: a value and the news that it is old come over one connection, in the order in which
they happened, and only for keys that were read here. So a value may be kept in this process until its news comes. What
was on its way when the news came is not kept: `Reads` forgets it. When the connection goes, so does all that was kept.
"""

import asyncio
import weakref
from collections import defaultdict
from collections.abc import Callable
from os import register_at_fork
from typing import Any

import hiredis
from redis.exceptions import InvalidResponse, RedisError, ResponseError

from redyard import events
from redyard.client.breaker import Breaker
from redyard.client.lane import Lane
from redyard.client.link import WAIT
from redyard.client.reads import Reads

BEAT = 0.5
"""Seconds between two questions whether the connection lives, while anybody relies on it: a dead one has no news."""

Changed = Callable[[str | None], None]
"""Is told the key that changed, or None when all must be taken for changed."""

_trackers: "weakref.WeakSet[Tracker]" = weakref.WeakSet()


class Tracker:
    """Reads keys of a client's server, and tells `changed` of each that changed since it was read."""

    def __init__(self, redis: Any, breaker: Breaker, *, keep: Callable[[str, bytes], None], changed: Changed) -> None:
        own: Lane = redis._lane
        self._encoding = redis.get_encoder().encoding
        utf8 = own._pack is hiredis.pack_command
        self.lane = Lane(self._dial, redis._pack_slowly, name=f"{own.name}:tracking", timeout=own.timeout, utf8=utf8)
        self.reads = Reads(self.lane, breaker, raw=False, keep=keep)
        self.refused = "" if speaks_resp3(redis) else "protocol=2"
        self.epoch = 0
        self.keeps = False
        self._redis = redis
        self._changed = changed
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._beat: asyncio.TimerHandle | None = None
        self._asked: asyncio.Future[Any] | None = None
        self.lane.pushed, self.lane.parted = self._pushed, self._distrust
        redis._other_lanes.add(self.lane)
        _trackers.add(self)

    @property
    def here(self) -> bool:
        """Say whether the connection belongs to the event loop that runs: only then does news reach it."""
        return self.lane._link is not None and self.lane._loop is asyncio._get_running_loop()

    def watch(self) -> None:
        """Ask from now on whether the connection lives, while something is kept or waited for."""
        if self._beat is None and self.lane._loop is not None:
            self._beat = self.lane._loop.call_later(BEAT, self._ask)

    async def read_until(self, key: str, done: Callable[[bytes | None], bool], seconds: float) -> bytes | None:
        """Return a key's value as soon as it is `done`, looking at it each time it changes, or raise TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            while True:
                change = loop.create_future()
                self._waiting[key].add(change)  # before the read: the news may come with its answer
                try:
                    value = await self.reads.get(key)
                    if done(value):
                        return value
                    self.watch()
                    await change
                finally:
                    self._leave(key, change)

    def _leave(self, key: str, change: "asyncio.Future[None]") -> None:
        self._waiting[key].discard(change)
        if not self._waiting[key]:
            del self._waiting[key]

    # ---- what the lane tells

    def _pushed(self, news: list[Any]) -> None:
        if news[0] != b"invalidate":
            return
        if news[1] is None:  # the server was emptied
            self._distrust()
            return
        for name in news[1]:
            self._tell(name.decode(self._encoding, "replace"))

    def _tell(self, key: str) -> None:
        self.reads.forget(key)
        self._changed(key)
        for waiter in self._waiting.pop(key, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _distrust(self) -> None:
        """Take everything for changed: nobody knows what the server would have told."""
        self.epoch += 1
        self.reads.forget_all()
        self._changed(None)
        self.keeps = False
        if self._beat is not None:
            self._beat.cancel()
        self._beat = self._asked = None
        for key in list(self._waiting):
            self._tell(key)

    # ---- is it alive?

    def _ask(self) -> None:
        self._beat = None
        if self._asked is not None and not self._asked.done():
            self._distrust()  # no answer in all that time: it may be long dead
            return
        if self.here and (self.keeps or self._waiting):
            self._asked = self.lane.send(("PING",))
            self._asked.add_done_callback(_seen)
            self.watch()

    async def _dial(self) -> tuple[Any, hiredis.Reader]:
        """Connect as the client does, and turn tracking on. News is never decoded: a key may be any bytes."""
        connection, _ = await self._redis._dial()
        try:
            await connection.send_command("CLIENT", "TRACKING", "ON")
            await connection.read_response()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, ResponseError):
                self.refused = str(error)
                events.emit(events.CLIENT_UNTRACKED, name=self.lane.name, reason=type(error).__name__)
            raise
        reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=connection._parser.parse_error, notEnoughData=WAIT
        )
        return connection, reader


def speaks_resp3(redis: Any) -> bool:
    """Say whether a client's connections speak RESP3, over which alone news comes."""
    return str(redis.connection_pool.connection_kwargs.get("protocol") or 3) == "3"


def _seen(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled() and isinstance(future.exception(), RedisError):
        return  # the lane has told of it by then


def _forget_the_parent() -> None:
    """In a forked child, keep nothing: its parent has the connection over which news comes."""
    for tracker in _trackers:
        tracker._distrust()


register_at_fork(after_in_child=_forget_the_parent)
