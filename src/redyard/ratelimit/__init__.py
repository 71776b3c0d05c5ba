"""Rate limits: how often, and how often at once, a client may do something, counted in one place for all processes."""

from redyard.ratelimit.concurrency import ConcurrencyLimit, Lease
from redyard.ratelimit.limit import RateLimit
from redyard.ratelimit.several import Hit, hit_all
from redyard.ratelimit.terms import Decision

__all__ = ["ConcurrencyLimit", "Decision", "Hit", "Lease", "RateLimit", "hit_all"]
