"""One load of a value in all processes: who has the right to load, who waits, and what is kept in the end.

The right lies in the record's head on the server (`lua/enter.lua`). Who does not get it reads the record on the
tracking lane, and the server wakes him when it changes. Whatever goes wrong with Redis, the value is loaded.
"""

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, NamedTuple

from redis.exceptions import RedisError, ResponseError

from redyard.cache.coding import PLAIN, UNREADABLE, Coder, Writing
from redyard.cache.levels import Levels
from redyard.cache.record import NOBODY, VACANT, Record, Versions, parse, write
from redyard.cache.stats import Stats
from redyard.cache.tags import Tags
from redyard.cache.terms import Terms
from redyard.client import Breaker, Redis, Script
from redyard.errors import LoadTimedOut, NotJSON, RedisAway

LEASE = 6.0
"""Seconds after which the right to load passes on when its holder has died; a living one renews it in time."""

REST = 1.0
"""Seconds in which nobody loads a value anew whose load has failed, where an old value can stand in."""

ENTER, HOLD, KEEP, LEAVE = (Script(__package__, name) for name in ("enter", "hold", "keep", "leave"))

FOUND, YOURS, BUSY = 0, 1, 2
"""What `lua/enter.lua` answers: it was loaded meanwhile; load it; another one does."""

NO_RIGHT = b""
"""The token of one who loads without Redis; nothing is kept."""


class Job(NamedTuple):
    """A value to be loaded: its key, how, on which terms, with which tags."""

    key: str
    load: Callable[[], Awaitable[object]]
    coder: Coder
    terms: Terms
    tags: tuple[str, ...] = ()


class Want(Enum):
    """What a caller can live with when another process has the right to load."""

    NOTHING = "he has an old value and waits for nobody"
    NEWS = "he has an old value, for the case that the load fails or has failed a moment ago"
    VALUE = "he has none"


class NotNow(Exception):
    """Another process loads the value, or failed to a moment ago; the old one stands in."""


class Alone(Exception):
    """There is no right to be had or waited for: load without it, and keep nothing."""


class Loads:
    """Loads values for a cache, each once for all processes."""

    def __init__(
        self, redis: Redis, breaker: Breaker, *, levels: Levels, tags: Tags, writing: Writing, stats: Stats
    ) -> None:
        self._redis = redis
        self._breaker = breaker
        self._levels = levels
        self._tags = tags
        self._writing = writing
        self._stats = stats

    async def fly(self, job: Job, seen: float, want: Want) -> Record:
        """Return a record that is fresh for longer than `seen`, loaded here or elsewhere, or raise NotNow."""
        token = os.urandom(8)
        while True:
            try:
                state, *rest = await self._ask(ENTER, job.key, token, _ms(LEASE), repr(seen), repr(time.time()), VACANT)
                found = rest[0] if state == FOUND else None
                if state == BUSY:
                    found = await self._wait(job.key, seen, want, milliseconds=rest[0], holder=rest[1])
            except (Alone, RedisAway, ResponseError):
                return await self._load(job, NO_RIGHT)
            if state == YOURS:
                return await self._load(job, token)
            record = parse(found) if found is not None else None
            if record is not None and record.fresh > seen and not record.empty:
                if await self._tags.hold(record):
                    return record
                seen = record.fresh

    async def _wait(self, key: str, seen: float, want: Want, *, milliseconds: int, holder: bytes) -> bytes | None:
        """Return what another process loads, or None when it is time to ask again for the right."""
        if want is Want.NOTHING or (holder == NOBODY and want is Want.NEWS):
            raise NotNow
        if holder == NOBODY or self._levels.tracker.refused:
            raise Alone

        def done(text: bytes | None) -> bool:
            record = parse(text) if text is not None else None
            return record is None or record.fresh > seen or record.holder == NOBODY

        try:
            return await self._levels.tracker.read_until(key, done, milliseconds / 1000 + 0.05)
        except TimeoutError:
            return None

    async def _load(self, job: Job, token: bytes) -> Record:
        began = time.perf_counter()
        self._stats.loads += 1
        try:
            tags, token = await self._versions(job, token)
            value = await self._run(job, token)
            text = _written(job, value, self._writing.flags)
        except Exception as error:
            self._stats.failed(job.key, error)
            if token:
                await self._try(LEAVE, job.key, token, _ms(REST), VACANT)
            raise
        seconds = time.perf_counter() - began
        packed, flags = self._writing.pack(text)
        fresh = time.time() + job.terms.fresh_for(value)
        ends = fresh + job.terms.old_for
        record = write(packed, flags, fresh=fresh, ends=ends, seconds=seconds, tags=tags)
        kept = bool(token) and await self._try(KEEP, job.key, token, record, _ms(ends - time.time()))
        self._levels.forget(job.key)
        self._stats.loaded(job.key, seconds, kept=kept)
        return Record(flags, NOBODY, 0.0, fresh, ends, seconds, b"", packed)

    async def _versions(self, job: Job, token: bytes) -> tuple[Versions, bytes]:
        """Return the tags' versions before the load; without them nothing may be kept."""
        if not token or not job.tags:
            return {}, token
        try:
            return await self._tags.versions(job.tags), token
        except (RedisAway, ResponseError):
            return {}, NO_RIGHT

    async def _run(self, job: Job, token: bytes) -> object:
        """Run the loader, as long as it may; hold the right meanwhile."""
        task = asyncio.ensure_future(job.load())
        limit = job.terms.hard_timeout
        ends = time.monotonic() + limit if limit is not None else math.inf
        try:
            while not (await asyncio.wait({task}, timeout=min(LEASE / 3, ends - time.monotonic())))[0]:
                if time.monotonic() >= ends:
                    raise LoadTimedOut(key=job.key, seconds=limit)
                if token:
                    await self._try(HOLD, job.key, token, _ms(LEASE))
            return task.result()
        finally:
            task.cancel()

    async def _ask(self, script: Script, key: str, *args: str | bytes | float) -> Any:
        """Run a script behind the breaker. A refusal (a full server, a right that is missing) leaves it closed."""

        async def call() -> Any:
            try:
                return await script.run(self._redis, [key], *args)
            except ResponseError as error:
                return error

        answer = await self._breaker.run(call)
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    async def _try(self, script: Script, key: str, *args: str | bytes | float) -> bool:
        """Run a script whose failure harms nobody; say whether it did its work."""
        try:
            return bool(await self._ask(script, key, *args))
        except (RedisAway, RedisError):
            return False


def _written(job: Job, value: object, flags: int) -> bytes:
    """Return a value as JSON or MessagePack that reads as its type says, or raise NotJSON."""
    what = job.coder.what if job.coder is not PLAIN else f"the cache's value {job.key!r}"
    text = job.coder.write(value, flags, what)
    try:
        job.coder.read(text, flags)
    except UNREADABLE as error:
        raise NotJSON(what=what, reason=f"it is not of its type ({type(error).__name__})") from None
    return text


def _ms(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
