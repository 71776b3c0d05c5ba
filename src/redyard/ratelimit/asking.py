"""How long a limit waits for Redis, and the breaker that all limits on one client share."""

from weakref import WeakKeyDictionary

from redyard.client import Breaker, Redis

DEADLINE = 0.4
"""Seconds that a decision may wait for Redis."""

_breakers: WeakKeyDictionary[Redis, Breaker] = WeakKeyDictionary()


def breaker_of(redis: Redis) -> Breaker:
    """Return the breaker of a client's limits: a request that several limits judge waits for a dead Redis once."""
    return _breakers.setdefault(redis, Breaker("the rate limits", DEADLINE))
