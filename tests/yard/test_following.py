"""The steps of a move by replication, on two real engines: the exchange of roles loses nothing and gives up in time."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from redyard.errors import MoveFailed
from redyard.yard import following
from redyard.yard.admin import Admin
from redyard.yard.side import Side
from tests.support.servers import PASSWORDS, Server
from tests.support.wait import until

Line = asyncio.Event
"""The line by which the new engine follows the old one: what is on its way arrives while it is set."""


@pytest.fixture
def other_server(own_server: Server) -> Iterator[Server]:
    """Another store of the same engine, to take the part of `own_server`."""
    with Server(own_server.engine) as server:
        yield server


@pytest.fixture
async def line() -> Line:
    """A line that is open."""
    made = Line()
    made.set()
    return made


@pytest.fixture
async def sides(own_server: Server, other_server: Server, line: Line) -> AsyncIterator[tuple[Side, Side]]:
    """The old engine, and the new one that has copied it by way of the line."""
    old, new = side(own_server), side(other_server)
    await old.run("SET", "before", "1")

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while received := await source.read(65536):
            await line.wait()
            target.write(received)
        target.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*old.address)
        await asyncio.gather(pass_on(far_reader, writer), pass_on(reader, far_writer), return_exceptions=True)

    async with await asyncio.start_server(join, "127.0.0.1") as server:
        source = old._replace(address=server.sockets[0].getsockname())
        await following.copy(source, new, PASSWORDS["replication"], log=True, tell=lambda _: None)
        yield old, new
        line.set()
        await new.run("REPLICAOF", "NO", "ONE")
    for each in (old, new):
        await each.admin.close()


def side(server: Server) -> Side:
    """Return a server as one of the two of a move."""
    assert server.process
    return Side(server.seat, server.process, Admin.local(server.seat, PASSWORDS["yard"]), ("127.0.0.1", server.port))


def said(server: Server, name: str) -> object:
    """Return what a server says of its part."""
    return server.admin("INFO", "replication")[name]


async def test_a_ping_on_its_way_is_waited_for(
    own_server: Server, other_server: Server, sides: tuple[Side, Side], line: Line
) -> None:
    """A PING that the old engine sends in the last moment moves its offset: the new one is promoted when it has it."""
    old, new = sides
    await old.run("CONFIG", "SET", "repl-ping-replica-period", "1")
    line.clear()
    before = said(own_server, "master_repl_offset")
    await until(lambda: said(own_server, "master_repl_offset") > before)
    exchange = asyncio.create_task(following.exchange_roles(old, new))
    await until(lambda: said(own_server, "role") == "slave")
    without = said(other_server, "role")
    line.set()
    await exchange

    assert ["slave", "master"] == [without, said(other_server, "role")]
    assert b"1" == await new.run("GET", "before")
    with pytest.raises(redis.ReadOnlyError):
        await old.run("SET", "after", "1")


async def test_a_write_that_never_comes_ends_the_exchange(
    other_server: Server, sides: tuple[Side, Side], line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the new engine lacks a byte of the old one's and cannot have it, it is not promoted."""
    old, new = sides
    monkeypatch.setattr(following, "CATCH_UP_WITHIN", 0.1)
    line.clear()
    await old.run("SET", "late", "1")
    with pytest.raises(MoveFailed, match="lags behind"):
        await following.exchange_roles(old, new)

    assert b"1" == await old.run("GET", "late")
    assert "slave" == said(other_server, "role")
