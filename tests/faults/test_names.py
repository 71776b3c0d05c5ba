"""Names that do not resolve yet."""

import asyncio
import socket

import pytest

from redyard import Redis
from redyard.client.failures import ConnectionLost
from tests.support.servers import Server

NAME = "redis.railway.internal"


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The look-ups of the name, which the network knows from the twentieth on."""
    seen: list[str] = []
    real = asyncio.BaseEventLoop.getaddrinfo

    async def getaddrinfo(self: asyncio.BaseEventLoop, host: str, port: int, **options: int) -> object:
        if host != NAME:
            return await real(self, host, port, **options)
        seen.append(host)
        if len(seen) < 20:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await real(self, "127.0.0.1", port, **options)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("redyard.client.failures.LONGEST_PAUSE", 0.1)
    return seen


def environ(server: Server, **more: str) -> dict[str, str]:
    return {"REDIS_URL": server.url.replace("127.0.0.1", NAME), **more}


async def test_a_private_name_may_come_later_than_the_process(server: Server, attempts: list[str]) -> None:
    """On a platform with a private network the first command waits for its name, beyond its usual deadline."""
    async with Redis.from_env(environ=environ(server, RAILWAY_PROJECT_ID="1"), socket_timeout=0.2) as redis:
        assert await redis.ping()

    assert 20 <= len(attempts)


async def test_elsewhere_a_name_that_is_unknown_is_an_error_in_time(server: Server, attempts: list[str]) -> None:
    """Without a private network the deadline is the deadline, and the error says that the name is not known."""
    async with Redis.from_env(environ=environ(server), socket_timeout=0.2) as redis:
        with pytest.raises(ConnectionLost, match="not known") as lost:
            await redis.ping()

    assert not lost.value.maybe_ran
