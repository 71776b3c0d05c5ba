"""`Cache`: JSON values with a lifetime, loaded once for all who wait for them.

A value comes back as it was written, and each caller has its own copy. While Redis is away or slow, everything is a
miss: a cache must never be the reason for an error.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from redyard import keys
from redyard.cache.cached import Cached
from redyard.cache.flights import Flights
from redyard.client import Breaker, Redis, raw
from redyard.client.coding import decode, encode
from redyard.errors import InvalidValue, RedisAway

P = ParamSpec("P")
T = TypeVar("T")

DEADLINE = 0.3
"""Seconds that a call may wait for Redis before it does without."""


class Cache:
    """A cache on a Redis; `ttl` in seconds for all values that are given none, `prefix` in front of all keys."""

    def __init__(self, redis: Redis, *, ttl: float = keys.Lifetime.CACHE.value, prefix: str = "") -> None:
        self.ttl = ttl
        self.prefix = prefix
        self._redis = redis
        self._flights = Flights()
        self._breaker = Breaker("the cache", DEADLINE)
        _milliseconds(ttl)

    async def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default where there is none; None can be a value."""
        text = await self.read(self.key(key))
        return default if text is None else decode(text)

    async def set(self, key: str, value: object, *, ttl: float | None = None) -> bool:
        """Write a value; say whether Redis took it."""
        return await self.write(self.key(key), encode(value, f"the cache's value {key!r}"), ttl)

    async def delete(self, *names: str) -> bool:
        """Forget values; say whether Redis confirmed it (else they live on until their time is over)."""
        full = [self.key(name) for name in names]
        for key in full:
            self._flights.divert(key)
        try:
            await self._breaker.run(lambda: self._redis.delete(*full), always=True)
        except RedisAway:
            return False
        return True

    async def get_or_set(self, key: str, load: Callable[[], Awaitable[object]], *, ttl: float | None = None) -> Any:
        """Return a value; where there is none, load it once for all who wait, and keep it."""
        return decode(await self.text(self.key(key), load, ttl))

    def cached(self, template: str, *, ttl: float | None = None) -> Callable[[Callable[P, Awaitable[T]]], Cached[P, T]]:
        """Cache a function's results under a key such as "product:{product_id}" made of its arguments."""
        _milliseconds(self.ttl if ttl is None else ttl)
        return lambda function: Cached(self, function, template=template, ttl=ttl)

    async def text(self, key: str, load: Callable[[], Awaitable[object]], ttl: float | None) -> bytes:
        """Return a full key's JSON, loaded once for all who wait for it."""
        text = await self.read(key)
        return text if text is not None else await self._flights.join(key, partial(self._load, key, load, ttl))

    async def _load(
        self, key: str, load: Callable[[], Awaitable[object]], ttl: float | None, wanted: Callable[[], bool]
    ) -> bytes:
        known = await self.read(key)  # another flight may have landed between the look before and this one's start
        if known is not None:
            return known
        text = encode(await load(), f"the cache's value {key!r}")
        if wanted():
            await self.write(key, text, ttl)
        return text

    async def read(self, key: str) -> bytes | None:
        """Return a full key's JSON, or None."""
        try:
            text: bytes | None = await self._breaker.run(lambda: raw(self._redis, "GET", key))
        except RedisAway:
            return None
        return text

    async def write(self, key: str, text: bytes, ttl: float | None) -> bool:
        """Write a full key's JSON; say whether Redis took it."""
        expiry = _milliseconds(self.ttl if ttl is None else ttl)
        try:
            await self._breaker.run(lambda: raw(self._redis, "SET", key, text, "PX", expiry))
        except RedisAway:
            return False
        return True

    def key(self, name: str) -> str:
        """Return the key in Redis of a name."""
        return keys.CACHE.make(key=keys.fit(self.prefix + name))


def _milliseconds(ttl: float) -> int:
    if not 0.001 <= ttl < 1e10:
        raise InvalidValue(value=ttl, kind="time to live", example="60 (seconds; every cached value has an end)")
    return round(ttl * 1000)
