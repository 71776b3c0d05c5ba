"""Clients for these tests."""

from tests.support.clients import decode, own_redis, redis

__all__ = ["decode", "own_redis", "redis"]
