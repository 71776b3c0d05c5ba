"""Clients for these tests, and an app with sessions."""

from tests.asgi.session_app import make
from tests.support.clients import decode, own_redis, redis

__all__ = ["decode", "make", "own_redis", "redis"]
