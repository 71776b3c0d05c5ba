"""What servers refuse: some of it passes, some leads elsewhere, some is for the caller to know."""

import asyncio
import socket

import pytest
import redis.exceptions as errors

from redyard.client import raw
from tests.faults.conversation import outcome
from tests.support.clients import client
from tests.support.proxy import Proxy
from tests.support.wait import until

NOBODY = 1
"""A port where no primary answers: a replica of it stays one, with the data that it has."""


@pytest.fixture
async def slow_start(own_server):
    """A killed server whose files take about two seconds to read; it is to be started."""
    own_server.admin("EVAL", "for n = 1, 3000 do redis.call('SET', 'k' .. n, n) end", 0)
    own_server.admin("BGREWRITEAOF")
    await until(lambda: own_server.admin("INFO", "persistence")["aof_rewrite_in_progress"] == 0)
    with own_server.seat.configuration.open("a") as file:
        file.write("key-load-delay 700\nloading-process-events-interval-bytes 1024\n")
    await asyncio.to_thread(own_server.kill)
    return own_server


async def start_at_once(server):
    """Start an engine and do not wait until it answers."""
    server.process = await asyncio.to_thread(server.seat.spawn, server.engine)


async def test_a_loading_server(slow_start):
    """Commands wait until a real engine has read its files; each of them runs once."""
    async with client(slow_start.url, socket_timeout=20) as redis:
        await start_at_once(slow_start)
        answers = await asyncio.gather(redis.get("k3000"), redis.incr("n"), raw(redis, "GET", "k1"))

        assert [b"3000", 1, b"1"] == answers
        assert redis.stats.resent > 0


@pytest.mark.parametrize("transaction", [False, True])
async def test_a_loading_server_and_pipelines(slow_start, transaction):
    """A batch of which nothing ran waits as a whole, and runs once."""
    async with client(slow_start.url, socket_timeout=20) as redis:
        await start_at_once(slow_start)
        answers = await redis.pipeline(transaction=transaction).get("k3000").incr("n").execute()

        assert [b"3000", 1] == answers
        assert redis.stats.resent > 0


async def test_a_loading_server_for_too_long(slow_start):
    """A caller who cannot wait so long hears why."""
    await start_at_once(slow_start)
    async with client(slow_start.url, socket_timeout=0.2) as redis:
        assert await until(lambda: said(redis, errors.BusyLoadingError))


async def said(redis, kind):
    return isinstance(await outcome(redis.get("a")), kind)


async def test_a_demoted_server_whose_place_another_took(own_server, other_server):
    """READONLY leads to a new connection, where the command runs; its caller hears nothing of it."""
    async with Proxy(own_server.port) as proxy, client(proxy.url(own_server)) as redis:
        await redis.set("a", "there")
        own_server.admin("REPLICAOF", "127.0.0.1", NOBODY)
        proxy.upstream = other_server.port
        answers = await asyncio.gather(redis.incr("n"), redis.set("b", 1), redis.get("a"), raw(redis, "INCR", "m"))

        assert [1, True, b"there", 1] == answers
        assert b"1" == other_server.admin("GET", "n")
        assert own_server.admin("GET", "n") is None
        assert 2 == proxy.connections


async def test_a_demoted_server_and_blocking_commands(own_server, other_server):
    """A blocking command that a demoted server refused is sent again, over a new connection, to who has its address."""
    async with Proxy(own_server.port) as proxy, client(proxy.url(own_server)) as redis:
        await redis.blpop(["q"], timeout=0.01)
        own_server.admin("REPLICAOF", "127.0.0.1", NOBODY)
        proxy.upstream = other_server.port
        other_server.admin("RPUSH", "q", "x")

        assert (b"q", b"x") == tuple(await redis.blpop(["q"], timeout=0.1))


async def test_a_server_that_stays_read_only(own_server):
    """One more try, then the caller hears of it; reading goes on."""
    own_server.admin("REPLICAOF", "127.0.0.1", NOBODY)
    async with Proxy(own_server.port) as proxy, client(proxy.url(own_server)) as redis:
        refused = await outcome(redis.set("a", 1))

        assert isinstance(refused, errors.ReadOnlyError)
        assert await redis.get("a") is None
        assert 2 == proxy.connections


async def test_a_replica_without_its_primary(own_server):
    """MASTERDOWN passes when the replica becomes a primary: the command waits for it."""
    own_server.admin("SET", "a", "there")
    own_server.admin("CONFIG", "SET", "replica-serve-stale-data", "no")
    own_server.admin("REPLICAOF", "127.0.0.1", NOBODY)
    async with client(own_server.url) as redis:
        waits = asyncio.create_task(redis.get("a"))
        await until(lambda: redis.stats.resent)
        own_server.admin("REPLICAOF", "NO", "ONE")

        assert b"there" == await waits


async def test_a_wrong_password(own_server):
    """It fails at once, at the first attempt, and says what is wrong."""
    async with Proxy(own_server.port) as proxy:
        url = proxy.url(own_server).replace("default:", "default:wrong-")
        async with client(url) as redis:
            answers = await asyncio.gather(*(outcome(redis.ping()) for _ in range(10)))

            assert {errors.AuthenticationError} == {type(answer) for answer in answers}
            assert "password" in str(answers[0])
            assert "secret-of" not in str(answers[0])
            assert 1 == proxy.connections


@pytest.fixture
def crowd(own_server):
    """Connections of others, as many as the server takes."""
    own_server.admin("CONFIG", "SET", "maxclients", 10)
    sockets = [socket.create_connection(("127.0.0.1", own_server.port)) for _ in range(15)]
    yield sockets
    for one in sockets:
        one.close()


async def test_a_server_without_a_free_connection(own_server, crowd):
    """Who cannot wait for long enough hears why."""
    async with client(own_server.url, socket_timeout=0.3) as redis:
        answer = await until(lambda: outcome(redis.ping()))

        assert isinstance(answer, errors.ConnectionError)
        assert "max number of clients" in str(answer)


async def test_a_server_that_has_a_free_connection_again(own_server, crowd):
    """Who can wait gets his answer when others have left."""
    async with Proxy(own_server.port) as proxy, client(proxy.url(own_server), socket_timeout=20) as redis:
        waits = asyncio.create_task(redis.incr("n"))
        await until(lambda: proxy.connections > 1)
        for one in crowd:
            one.close()

        assert 1 == await waits
