"""The reads under way on one lane: who wants a key that is being read joins in, and nobody waits longer than the
breaker's time.

It is the way of a cache's hit, so it costs no task, no timer and no time-out of its own: the breaker's watch looks
after all reads while there are any.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

from redyard.client.breaker import Breaker
from redyard.client.call import SAFE
from redyard.client.lane import Lane
from redyard.errors import RedisAway

UnderWay = asyncio.Future[bytes | None]
"""A read on its way."""

Keep = Callable[[str, bytes], None]


class Reads:
    """GETs on a lane. `keep` gets each value that was not forgotten while it was on its way."""

    def __init__(self, lane: Lane, breaker: Breaker, *, raw: bool, keep: Keep | None = None) -> None:
        self.lane = lane
        self._breaker = breaker
        self._send = lane.send_raw if raw else lane.send
        self._keep = keep
        self._under_way: dict[str, UnderWay] = {}

    async def get(self, key: str) -> bytes | None:
        """Return the bytes at a key or None, or raise RedisAway, or a ResponseError where the server refuses."""
        if key in self._under_way and (known := self._mine(key)):
            return await self._finish(key, known)
        if self._breaker.open:
            self._breaker.admit()
        begun = self._begin(key)
        try:
            value = await begun
        except ResponseError:
            raise
        except (RedisError, OSError) as error:
            raise self._breaker.failed(error) from error
        finally:
            mine = self._end(key, begun)
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
        try:
            for key, one in begun.items():
                try:
                    found[key] = await self._finish(key, one)
                except ResponseError:
                    found[key] = None
                except RedisAway as error:
                    away = error
        finally:
            for key, one in begun.items():  # a cancelled caller's, too: nobody else would end those
                self._end(key, one)
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
        begun = self._under_way[key] = self._send(("GET", key), SAFE)
        self._breaker.watch.add(begun)
        return begun

    def _mine(self, key: str) -> UnderWay | None:
        """Return a key's read, unless it is answered, so perhaps old, or its event loop took it into its grave."""
        known = self._under_way.get(key)
        if known is None or known.done():
            return None
        if known.get_loop() is not asyncio.get_running_loop():
            self.forget_all()
            return None
        return known

    async def _finish(self, key: str, known: UnderWay) -> bytes | None:
        """Wait for a read that this caller began or another; begin it anew if that other has given up."""
        try:
            value = await asyncio.shield(known)
        except asyncio.CancelledError:
            if not known.cancelled():
                raise
            self._end(key, known)
            return await self.get(key)
        except ResponseError:
            raise
        except (RedisError, OSError) as error:
            raise self._breaker.failed(error) from error
        if self._breaker.open:
            self._breaker.succeeded()
        if self._end(key, known) and value is not None and self._keep is not None:
            self._keep(key, value)
        return value

    def _end(self, key: str, read: UnderWay) -> bool:
        """Let nobody join a read any more; say whether anybody could until now."""
        if self._under_way.get(key) is not read:
            return False
        del self._under_way[key]
        return True


def reads_of(redis: Any, breaker: Breaker) -> Reads:
    """Return reads on a client's own lane, whose values come undecoded whatever the client decodes."""
    return Reads(redis._lane, breaker, raw=bool(redis.get_encoder().decode_responses))
