"""`RateLimit`: a budget for each client, decided in one script and one round trip.

The rule is GCRA: `limit` hits at once, then one each `per / limit` seconds. While Redis is away, the policy
`on_error` decides: "insurance" counts in memory, "open" allows, "closed" refuses.
"""

import time
from typing import Literal, NamedTuple

from redyard import keys
from redyard.client import Breaker, Redis, Script
from redyard.errors import InvalidValue, RedisAway
from redyard.ratelimit.insurance import Insurance

DEADLINE = 0.4
"""Seconds that a decision may wait for Redis."""

_HIT = Script("redyard.ratelimit", "hit")


class Decision(NamedTuple):
    """What a limit says to one hit; `retry_after` is in seconds, 0 when the hit is allowed."""

    allowed: bool
    remaining: int
    retry_after: float
    limit: int


class RateLimit:
    """At most `limit` hits within `per` seconds, for each client of the limit named `name`."""

    def __init__(
        self,
        redis: Redis,
        name: str,
        *,
        limit: int = 5,
        per: float = keys.Lifetime.RATE_LIMIT.value,
        on_error: Literal["insurance", "open", "closed"] = "insurance",
    ) -> None:
        if limit < 1 or per <= 0:
            raise InvalidValue(value=f"{limit} in {per:g} s", kind="rate limit", example="5 in 900 s")
        self.name = keys.check("name", name)
        self.limit = limit
        self.per = per
        self.on_error = on_error
        self._redis = redis
        self._insurance = Insurance(limit, per)
        self._breaker = Breaker(f"the rate limit {name}", DEADLINE)

    async def hit(self, client: str, *, cost: int = 1) -> Decision:
        """Count a hit of a client and say whether it is allowed; a refused hit costs nothing."""
        key = keys.RATE_LIMIT.make(name=self.name, client=keys.fit(client))
        try:
            reply = await self._breaker.run(
                lambda: _HIT.run(self._redis, [key], self.limit, round(self.per * 1e6), cost)
            )
        except RedisAway:
            return self._without_redis(client, cost)
        allowed, remaining, wait = reply
        return Decision(bool(allowed), remaining, wait / 1e6, self.limit)

    async def reset(self, client: str) -> None:
        """Give a client its whole budget back."""
        key = keys.RATE_LIMIT.make(name=self.name, client=keys.fit(client))
        await self._breaker.run(lambda: self._redis.delete(key), always=True)

    def _without_redis(self, client: str, cost: int) -> Decision:
        if self.on_error == "open":
            return Decision(True, self.limit, 0.0, self.limit)
        if self.on_error == "closed":
            return Decision(False, 0, self._breaker.pause, self.limit)
        return Decision(*self._insurance.hit(keys.fit(client), cost, now=time.monotonic()), self.limit)
