"""Tags: a tag has a version, a value remembers the versions that its tags had when its load began.

To invalidate a tag is to delete its version: every value that has it no longer holds, however many there are, also
those that are being loaded. A version that the server evicted or let expire does the same, so nothing old comes back.
"""

import random
from collections.abc import Mapping
from functools import partial
from typing import Any

from redis.exceptions import ResponseError

from redyard import keys
from redyard.cache.levels import Levels
from redyard.cache.names import fit
from redyard.cache.record import Record, Versions
from redyard.client import Breaker, Redis, raw
from redyard.errors import RedisAway


class Tags:
    """The tags of one cache."""

    def __init__(self, redis: Redis, breaker: Breaker, levels: Levels, *, prefix: str) -> None:
        self._redis = redis
        self._breaker = breaker
        self._levels = levels
        self._lead = keys.CACHE_TAG.pattern.removesuffix("{tag}")
        self._prefix = prefix

    def key(self, name: str) -> str:
        """Return the key in Redis of a tag."""
        return self._lead + fit(self._prefix + name)

    async def versions(self, tags: tuple[str, ...]) -> Versions:
        """Return the versions of tags, making those that are missing; or raise RedisAway or ResponseError."""
        found: Versions = {}
        for tag in tags:
            new = f"{random.getrandbits(64):x}"
            old = await self._breaker.run(partial(self._make, tag, new))
            if isinstance(old, ResponseError):
                raise old
            found[tag] = new if old is None else old.decode()
            if old is None:
                self._levels.forget(tag)
        return found

    async def hold(self, record: Record, known: Mapping[str, bytes] | None = None) -> bool:
        """Say whether no tag of a record was invalidated since its load began; `known` are versions read just now."""
        versions = record.versions()
        if known is None or not versions.keys() <= known.keys():
            try:
                known = await self._levels.get_many(list(versions))
            except RedisAway:
                return False
        return all(known.get(tag) == version.encode() for tag, version in versions.items())

    async def _make(self, tag: str, version: str) -> Any:
        """Make a version where there is none, and return the one that is there. A refusal is no absence."""
        try:
            life = keys.CACHE_TAG.lifetime.seconds
            return await raw(self._redis, "SET", tag, version, "NX", "GET", "EX", life)
        except ResponseError as error:
            return error
