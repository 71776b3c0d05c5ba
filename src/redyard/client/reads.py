"""The reads under way on one lane: who wants a key that is being read joins in, and nobody waits longer than the
breaker's time.

It is the way of a cache's hit, so it costs no task, no timer and no time-out of its own: one clock ticks for all reads
while there are any.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

from redyard.client.breaker import Breaker
from redyard.client.call import SAFE, give_up
from redyard.client.failures import unanswered
from redyard.client.lane import Lane
from redyard.errors import RedisAway

TICKS = 3
"""Ticks of the clock in a read's time. It is given up at the last one, so within its time and not much before."""

UnderWay = tuple["asyncio.Future[bytes | None]", int]
"""A read's future, and the tick in which it began."""

Keep = Callable[[str, bytes], None]


class Reads:
    """GETs on a lane. `keep` gets each value that was not forgotten while it was on its way."""

    def __init__(self, lane: Lane, breaker: Breaker, *, raw: bool, keep: Keep | None = None) -> None:
        self.lane = lane
        self._breaker = breaker
        self._send = lane.send_raw if raw else lane.send
        self._keep = keep
        self._under_way: dict[str, UnderWay] = {}
        self._tick = 0
        self._clock: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, key: str) -> bytes | None:
        """Return the bytes at a key or None, or raise RedisAway, or a ResponseError where the server refuses."""
        if key in self._under_way and (known := self._mine(key)):
            return await self._finish(key, known)
        if self._breaker.open:
            self._breaker.admit()
        begun = self._begin(key)
        try:
            value = await begun[0]
        except ResponseError:
            raise
        except (RedisError, OSError) as error:
            raise self._breaker.failed(error) from error
        finally:
            mine = self._under_way.get(key) is begun
            if mine:
                del self._under_way[key]
        if self._breaker.open:
            self._breaker.succeeded()
        if mine and value is not None and self._keep is not None:
            self._keep(key, value)
        return value

    async def get_many(self, wanted: Sequence[str]) -> list[bytes | None]:
        """Return what is at several keys, asked for in one write; a refused one is None. Or raise RedisAway."""
        if self._breaker.open:
            self._breaker.admit()
        begun = {key: self._mine(key) or self._begin(key) for key in wanted}
        found: dict[str, bytes | None] = {}
        away: RedisAway | None = None
        for key, one in begun.items():
            try:
                found[key] = await self._finish(key, one)
            except ResponseError:
                found[key] = None
            except RedisAway as error:
                away = error
        if away:
            raise away
        return [found[key] for key in wanted]

    def forget(self, key: str) -> None:
        """Let the read of a key that is on its way end for those who wait, and be neither joined nor kept."""
        self._under_way.pop(key, None)

    def forget_all(self) -> None:
        """Do the same for all keys."""
        self._under_way.clear()

    def _begin(self, key: str) -> UnderWay:
        future = self._send(("GET", key), SAFE)
        if self._clock is None or self._loop is not self.lane._loop:
            self._start()
        begun = self._under_way[key] = (future, self._tick)
        return begun

    def _mine(self, key: str) -> UnderWay | None:
        """Return a key's read under way, unless an event loop took it along into its grave."""
        known = self._under_way.get(key)
        if known and known[0].get_loop() is not asyncio.get_running_loop():
            self.forget_all()
            return None
        return known

    async def _finish(self, key: str, known: UnderWay) -> bytes | None:
        """Wait for a read that this caller began or another; begin it anew if that other has given up."""
        future = known[0]
        try:
            value = await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.cancelled():
                raise
            if self._under_way.get(key) is known:
                del self._under_way[key]
            return await self.get(key)
        except ResponseError:
            raise
        except (RedisError, OSError) as error:
            raise self._breaker.failed(error) from error
        if self._breaker.open:
            self._breaker.succeeded()
        if self._under_way.get(key) is known:
            del self._under_way[key]
            if value is not None and self._keep is not None:
                self._keep(key, value)
        return value

    # ---- the clock

    def _start(self) -> None:
        """Start the clock, after a rest or in another event loop."""
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.call_later(self._breaker.seconds / TICKS, self._look)

    def _look(self) -> None:
        """Give up what has been on its way for too long. A loop that was busy elsewhere has read its answers first."""
        self._tick += 1
        late = self._tick - TICKS
        for key, (future, began) in list(self._under_way.items()):
            if began > late:
                break
            del self._under_way[key]
            give_up(future, unanswered(self._breaker.seconds))
        self._clock = None
        if self._under_way:
            self._start()


def reads_of(redis: Any, breaker: Breaker) -> Reads:
    """Return reads on a client's own lane, whose values come undecoded whatever the client decodes."""
    return Reads(redis._lane, breaker, raw=bool(redis.get_encoder().decode_responses))
