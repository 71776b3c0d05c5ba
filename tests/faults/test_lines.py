"""Lines that fail without a word: half open, slow, cut while greeting, a name that is gone."""

import asyncio
import random
import socket
import time

import pytest

from redyard import events
from redyard.client.failures import ConnectionLost, TimedOut
from tests.faults.conversation import KIB, Said, outcome
from tests.support.clients import client, heard
from tests.support.proxy import DOWN, UP, Proxy
from tests.support.wait import until


async def test_a_half_open_connection_is_replaced(server):
    """Nothing comes back and nobody says why: callers hear it within their deadline, the next has a new connection."""
    async with Proxy(server.port) as proxy, client(proxy.url(server), socket_timeout=0.4) as redis:
        await redis.ping()
        proxy.lose()
        began = time.monotonic()
        lost = await asyncio.gather(*(outcome(redis.incr("n")) for _ in range(10)))
        noticed = time.monotonic() - began

        assert {TimedOut} == {type(answer) for answer in lost}
        assert all(answer.maybe_ran for answer in lost)
        assert noticed < 0.4 * 1.25 + 0.3
        assert 1 == await redis.incr("n")
        assert 2 == proxy.connections


async def test_a_server_that_accepts_and_never_answers(server):
    """Callers hear within their deadline that nothing ran; when the server answers again, so does the client."""
    async with Proxy(server.port) as proxy, client(proxy.url(server), socket_timeout=0.3) as redis:
        proxy.deaf = True
        answer = await outcome(redis.incr("n"))
        proxy.deaf = False
        proxy.cut()

        assert isinstance(answer, ConnectionLost)
        assert not answer.maybe_ran
        assert 1 == await redis.execute_command("INCR", "n", timeout=10)


async def test_a_slow_connection_is_kept(server):
    """As long as bytes come the connection is not replaced; who has time gets the answer, who has none is told."""
    server.admin("SET", "kib", KIB)
    async with Proxy(server.port) as proxy, client(proxy.url(server), socket_timeout=0.1) as redis:
        await redis.ping()
        proxy.trickle[DOWN] = (20, 0.01)
        patient = asyncio.create_task(redis.execute_command("GET", "kib", timeout=20))
        usual = await outcome(redis.get("kib"))
        answer = await patient

        assert KIB.encode() == answer
        assert isinstance(usual, TimedOut)
        assert 1 == proxy.connections


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.soak), 3])
@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_a_greeting_cut_at_every_byte(server, direction, every):
    """Nothing was sent before the greeting is over: every call of the conversation is answered, and runs once.

    Each run takes a third of the places; the soak test takes all.
    """
    server.admin("MSET", "fixed", "fixed", "kib", KIB)
    async with Proxy(server.port) as proxy, client(proxy.url(server), decode_responses=True) as redis:
        await redis.ping()
        length = proxy.passed[direction] - 20

    async def hold(position):
        async with Proxy(server.port) as proxy, client(proxy.url(server), decode_responses=True) as redis:
            proxy.cut_after(position, direction)
            said = Said(redis, f"{direction}-{position}")
            await said.hold()
            return said.wrong + [f"{key}: {answer!r}" for key, answer in said.counters if isinstance(answer, Exception)]

    problems = []
    places = range(random.randint(1, every), length, every)
    for start in range(0, len(places), 20):
        held = await asyncio.gather(*map(hold, places[start : start + 20]))
        problems += [problem for one in held for problem in one]

    assert length > 150
    assert [] == problems


@pytest.fixture
async def names(monkeypatch):
    """What names stand for, in this test's event loop; a name that is not there is not known."""
    known = {}
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def getaddrinfo(host, port, **options):
        if host.endswith(".test") and host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await resolve(known.get(host, host), port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    return known


async def test_a_name_that_is_gone_and_comes_back(server, names):
    """Calls wait for the name as they wait for the server."""
    async with Proxy(server.port) as proxy:
        names["redis.test"] = "127.0.0.1"
        async with client(proxy.url(server).replace("127.0.0.1", "redis.test"), socket_timeout=10) as redis:
            await redis.ping()
            names.clear()
            with heard(events.CLIENT_RECONNECTING) as seen:
                proxy.cut()
                await until(lambda: seen)
            waits = asyncio.create_task(redis.get("a"))
            too_short = await outcome(redis.execute_command("INCR", "n", timeout=0.2))
            names["redis.test"] = "127.0.0.1"

            assert await waits is None
            assert isinstance(too_short, ConnectionLost)
            assert "Name or service not known" in str(too_short)
            assert 1 == await redis.incr("n")


async def test_a_name_that_is_known_only_later(server, names):
    """A first call waits for a network that is not yet there."""
    async with client(server.url.replace("127.0.0.1", "redis.test"), socket_timeout=10) as redis:
        with heard(events.CLIENT_ERROR) as seen:
            waits = asyncio.create_task(redis.incr("n"))
            await until(lambda: seen)
        names["redis.test"] = "127.0.0.1"

        assert 1 == await waits
