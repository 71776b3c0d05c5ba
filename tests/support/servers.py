"""Real engines for tests: those that `redyard.testing` gives to every app's tests."""

import redis

from redyard.testing.server import MB, PASSWORDS, Server, free_port, free_ports

__all__ = ["MB", "PASSWORDS", "Server", "answers", "free_port", "free_ports"]


def answers(url: str) -> bool:
    """Say whether an engine answers PING."""
    try:
        with redis.Redis.from_url(url, retry=None) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
