"""Rate limits: how often a client may do something, counted in one place for all processes."""

from redyard.ratelimit.limit import Decision, RateLimit

__all__ = ["Decision", "RateLimit"]
