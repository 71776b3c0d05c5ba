"""`ConcurrencyLimit`: how many things a client may do at the same time, in all processes together.

Who does one holds a lease, which is renewed while it is held; that of a process that died ends by itself.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import ceil
from typing import NamedTuple

from redyard import keys
from redyard.client import Prepared, Redis, Script
from redyard.errors import RedisAway
from redyard.ratelimit.asking import breaker_of
from redyard.ratelimit.terms import Policy, one_of, seconds, whole

RENEWALS = 3
"""Renewals in the time of a lease."""

_LEASE = Script("redyard.ratelimit", "lease")


class Lease(NamedTuple):
    """One of a client's slots, or the refusal of one: whether it is held, how many are free, seconds to wait for one.

    `degraded`: Redis could not be asked, and the limit's policy decided.
    """

    allowed: bool
    remaining: int
    retry_after: float
    client: str
    id: str
    degraded: bool = False


class ConcurrencyLimit:
    """At most `limit` leases at the same time, for each client of the limit named `name`."""

    def __init__(
        self,
        redis: Redis,
        name: str,
        limit: int = 1,
        *,
        lease: float = 30.0,
        on_error: Policy = "insurance",
    ) -> None:
        one_of(on_error, Policy, "policy for while Redis is away")
        self.name = keys.check("name", name)
        self.limit = whole(limit, "limit", example=5)
        self.lease = seconds(lease, "lease")
        self.on_error = on_error
        self.redis = redis
        self._terms = (b"%d" % limit, b"%d" % ceil(lease * 1000))
        self._breaker = breaker_of(redis)
        self._script = Prepared(_LEASE, redis, self._breaker)
        self._mine: Counter[str] = Counter()

    @asynccontextmanager
    async def hold(self, client: str) -> AsyncIterator[Lease]:
        """Hold a lease within the block, and renew it; look whether it is `allowed` first."""
        lease = await self.acquire(client)
        renewal = asyncio.create_task(self._keep(lease)) if lease.allowed else None
        try:
            yield lease
        finally:
            if renewal:
                renewal.cancel()
                await self.release(lease)

    async def acquire(self, client: str) -> Lease:
        """Take a lease; who gets one ends it by `release`, and keeps it longer by `renew`."""
        lease = await self._ask(client, secrets.token_urlsafe(9))
        if lease.allowed:
            self._mine[client] += 1
        return lease

    async def renew(self, lease: Lease) -> Lease:
        """Hold a lease for its whole length from now on; not allowed: it had ended, and its slot is taken."""
        renewed = await self._ask(lease.client, lease.id)
        return renewed._replace(allowed=True, retry_after=0.0) if renewed.degraded else renewed

    async def release(self, lease: Lease) -> None:
        """End a lease. While Redis is away, it ends by its time."""
        self._mine[lease.client] -= 1
        if self._mine[lease.client] <= 0:
            del self._mine[lease.client]
        with suppress(RedisAway):
            await self._breaker.run(lambda: self.redis.zrem(self._key(lease.client), lease.id))

    async def _ask(self, client: str, lease_id: str) -> Lease:
        try:
            reply = await self._script.run((*self._script.head, b"1", self._key(client), *self._terms, lease_id))
        except RedisAway:
            return self._without_redis(client, lease_id)
        held, free, wait = reply
        return Lease(held == 1, free, wait / 1000, client, lease_id)

    def _without_redis(self, client: str, lease_id: str) -> Lease:
        free = {"insurance": self.limit - self._mine[client], "open": self.limit, "closed": 0}[self.on_error]
        allowed = free > 0
        return Lease(allowed, max(0, free - 1), 0.0 if allowed else self._breaker.pause, client, lease_id, True)

    def _key(self, client: str) -> str:
        return keys.CONCURRENCY.make(name=self.name, client=keys.fit(client))

    async def _keep(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self.lease / RENEWALS)
            await self.renew(lease)
