"""Clients for these tests, and a store of each format."""

import pytest

from redyard import SessionStore
from tests.support.clients import decode, own_redis, redis

__all__ = ["decode", "own_redis", "redis"]

FORMATS = ["native", "express"]


@pytest.fixture(params=FORMATS)
def store(request, redis):
    """A store of each format in turn: what a session is does not depend on it."""
    return SessionStore(redis, format=request.param, deadline=10)


@pytest.fixture
def native(redis):
    """A store of our own format."""
    return SessionStore(redis, deadline=10)
