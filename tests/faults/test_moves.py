"""Servers that others take the place of: what was refused did not run, and is sent to who has the address now."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis.exceptions as errors

from redyard import Redis
from redyard.client import redis as kit
from redyard.client.failures import takes_no_writes
from tests.faults.conversation import outcome
from tests.support.clients import client
from tests.support.proxy import Proxy
from tests.support.servers import Server
from tests.support.wait import until

NOBODY = 1
"""A port where no primary answers."""


class Address:
    """An address at which one of two servers is to be found; `change` lets the other take it."""

    def __init__(self, proxy: Proxy, here: Server, there: Server) -> None:
        self.proxy, self.here, self.there = proxy, here, there
        self.changes = 0

    def change(self) -> None:
        self.there.admin("REPLICAOF", "NO", "ONE")
        self.proxy.upstream = self.there.port  # first: who is refused finds the new one there
        self.here.admin("REPLICAOF", "127.0.0.1", NOBODY)
        self.here, self.there = self.there, self.here
        self.changes += 1


@pytest.fixture
async def address(own_server: Server, other_server: Server) -> AsyncIterator[Address]:
    """The address of `own_server`, which `other_server` may take."""
    async with Proxy(own_server.port) as proxy:
        yield Address(proxy, own_server, other_server)


@pytest.fixture
async def app(address: Address) -> AsyncIterator[Redis]:
    """An app's client at the address."""
    async with client(address.proxy.url(address.here)) as redis:
        await redis.ping()
        yield redis


async def test_places_that_are_taken_again_and_again(address: Address, app: Redis):
    """However soon a server's place is taken again, callers hear nothing of it, and each command runs once."""
    counted, ending = [], asyncio.Event()

    async def count() -> None:
        while not ending.is_set():
            counted.append(await app.incr("n"))

    async def more() -> None:
        wanted = len(counted) + 100
        await until(lambda: len(counted) > wanted)

    callers = [asyncio.create_task(count()) for _ in range(20)]
    for _ in range(4):
        await more()
        await asyncio.to_thread(address.change)
    await more()
    ending.set()
    await asyncio.gather(*callers)

    assert len(counted) == sum(int(server.admin("GET", "n") or 0) for server in (address.here, address.there))
    assert 5 == address.proxy.connections


async def test_a_server_that_takes_no_writes_any_more(address: Address, app: Redis):
    """When the next one at the address takes none either, its callers hear of it at once."""
    address.there.admin("SET", "there", "yes")
    address.there.admin("REPLICAOF", "127.0.0.1", NOBODY)
    address.here.admin("REPLICAOF", "127.0.0.1", NOBODY)
    address.proxy.upstream = address.there.port
    answers = await asyncio.gather(*(outcome(app.incr("n")) for _ in range(50)), outcome(app.incr("n")))

    assert {errors.ReadOnlyError} == {type(answer) for answer in answers}
    assert b"yes" == await app.get("there")
    assert 2 == address.proxy.connections


@pytest.mark.parametrize("transaction", [False, True])
async def test_pipelines(address: Address, app: Redis, transaction: bool):
    """A pipeline of which nothing ran goes to the new server as a whole, and runs once."""
    address.change()
    answers = await app.pipeline(transaction=transaction).get("a").incr("n").set("b", 1).get("b").execute()

    assert [None, 1, True, b"1"] == answers
    assert b"1" == address.here.admin("GET", "n")
    assert address.there.admin("GET", "n") is None


@pytest.mark.parametrize("transaction", [False, True])
async def test_pipelines_that_wait_in_a_pause(address: Address, app: Redis, transaction: bool):
    """What the old server held back is refused there, and done by the new one."""
    address.here.admin("CLIENT", "PAUSE", 10_000, "WRITE")
    waits = asyncio.create_task(app.pipeline(transaction=transaction).incr("n").lpush("l", "x").execute())
    await until(lambda: address.here.admin("INFO", "clients")["blocked_clients"])
    address.change()
    address.there.admin("CLIENT", "UNPAUSE")

    assert [1, 1] == await waits
    assert [b"x"] == address.here.admin("LRANGE", "l", 0, -1)


async def test_what_a_late_exec_is_told(address: Address):
    """A transaction whose EXEC alone is refused has an error that names the reason: by it, the kit knows."""
    async with client(address.proxy.url(address.here), single_connection_client=True) as lone:
        await lone.execute_command("MULTI")
        await lone.execute_command("INCR", "n")
        address.change()
        refused = await outcome(lone.execute_command("EXEC"))

    assert takes_no_writes(refused)


async def test_pipelines_that_told_somebody(address: Address, app: Redis):
    """A pipeline whose message was published behind a refused write is not sent again: its caller hears of it."""
    address.change()
    answers = await app.pipeline(transaction=False).incr("n").publish("news", "x").execute(raise_on_error=False)

    assert [errors.ReadOnlyError, 0] == [type(answers[0]), answers[1]]
    assert address.here.admin("GET", "n") is None


async def test_pipelines_at_a_server_that_stays_read_only(own_server: Server):
    """One more try, then the caller hears of it."""
    own_server.admin("REPLICAOF", "127.0.0.1", NOBODY)
    async with Proxy(own_server.port) as proxy, client(proxy.url(own_server)) as redis:
        refused = await outcome(redis.pipeline(transaction=False).incr("n").execute())

        assert isinstance(refused, errors.ReadOnlyError)
        assert 2 == proxy.connections


async def test_a_consumer_that_waits_through_moves(address: Address, app: Redis, monkeypatch: pytest.MonkeyPatch):
    """A blocking command is sent again after each move, however many it lives through."""
    monkeypatch.setattr(kit, "MOVES_WITHIN", 0.05)
    popped = asyncio.create_task(app.blpop(["q"], timeout=60))
    for _ in range(3):
        await until(lambda: address.here.admin("INFO", "clients")["blocked_clients"])
        began = time.monotonic()
        await until(lambda began=began: time.monotonic() > began + 2 * kit.MOVES_WITHIN)
        address.change()
    address.here.admin("RPUSH", "q", "x")

    assert (b"q", b"x") == tuple(await popped)
