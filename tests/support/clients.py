"""Clients of the servers, closed when the test is over; an area's conftest imports the fixtures."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from redyard import Redis, events
from redyard.errors import DirectoryBusy
from tests.support.servers import Server
from tests.support.wait import until

USES = {events.RATELIMIT_DECIDED, events.SESSION_USED, events.JOB_ENDED}


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[Redis]:
    """A client that is closed at the end."""
    made = Redis.from_url(url, **options)
    try:
        yield made
    finally:
        await made.aclose()


@contextmanager
def heard(*kinds: events.Kind) -> Iterator[list[events.Event]]:
    """The events of these kinds that are emitted meanwhile; when none is named, of all but the client's own and what
    is told of each use."""
    seen: list[events.Event] = []
    wanted = kinds or tuple(kind for kind in events.TABLE if not kind.name.startswith("client.") and kind not in USES)
    unsubscribe = events.subscribe(lambda event: seen.append(event) if event.kind in wanted else None)
    try:
        yield seen
    finally:
        unsubscribe()


async def start(server: Server) -> None:
    """Start a killed server again; a child of the dead one may hold its directory for a moment."""

    def started() -> bool:
        try:
            server.start()
        except DirectoryBusy:
            return False
        return True

    await until(lambda: asyncio.to_thread(started))


async def restart(server: Server) -> None:
    """Kill a server and start it again on its files and port."""
    await asyncio.to_thread(server.kill)
    await start(server)


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def decode(request: pytest.FixtureRequest) -> bool:
    """Both kinds of client: the kit must not care."""
    return bool(request.param)


@pytest.fixture
async def redis(server: Server) -> AsyncIterator[Redis]:
    """A client of an app on the shared store."""
    async with client(server.url) as made:
        yield made


@pytest.fixture
async def own_redis(own_server: Server) -> AsyncIterator[Redis]:
    """A client of an app on a store of its own."""
    async with client(own_server.url) as made:
        yield made
