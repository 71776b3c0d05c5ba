"""A follower on a server of its own, its storage, and scratch engines that read what it kept."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest
import redis

from redyard import events
from redyard.backups import canonical, restore
from redyard.backups.follow import Follower
from redyard.backups.psync import Source
from redyard.backups.storage import Directory, Storage
from redyard.engine.find import Engine, examine, find
from redyard.events import Event
from tests.conftest import REDIS7
from tests.support.servers import PASSWORDS, Server, free_port
from tests.support.wait import until, wait_until

Restored = Callable[[float], Awaitable[Server]]


def source(server: Server) -> Source:
    """Return a server as its replication user sees it."""
    return Source("127.0.0.1", server.port, "replication", PASSWORDS["replication"])


@asynccontextmanager
async def following(server: Server, root: Path, storage: Storage | None = None) -> AsyncIterator[Follower]:
    """Follow a server into `root`; at the end, everything that came is in the storage."""
    follower = Follower(source(server), storage or Directory(root / "storage"), root / "spool", name="test")
    running = asyncio.create_task(follower.run())
    try:
        await until(lambda: follower.connected or running.done())
        yield follower
        await caught_up(server, follower)
        await follower.drain(within=10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        follower.spool.close()


async def caught_up(server: Server, follower: Follower) -> None:
    """Wait until the follower has all that the server has written."""

    def has_all() -> bool:
        offset = server.admin("INFO", "replication")["master_repl_offset"]
        return follower.spool.position is not None and follower.spool.position.offset >= offset

    await until(has_all)


def fill(url: str) -> None:
    """Write a key of every type, into two databases, with ends and bytes that are no text."""
    with redis.Redis.from_url(url) as app:
        app.set(b"bin\xff\xfe", b"\x00\r\n$3")
        app.rpush("list", *range(2500))
        app.sadd("set", *range(700))
        app.zadd("zset", {f"m{number}": number / 3 for number in range(300)} | {"inf": float("inf")})
        app.hset("hash", mapping={f"f{number}": number for number in range(600)})
        for number in range(20):
            app.xadd("stream", {"n": number})
        app.xgroup_create("stream", "group", "0")
        app.set("ends", 1, pxat=4_000_000_000_000)
    with redis.Redis.from_url(url.replace("/0", "/7")) as other:
        other.set("elsewhere", 1)


@pytest.fixture
def other_server() -> Iterator[Server]:
    """A second store, of the other engine where there is one."""
    server = Server(examine(REDIS7) if REDIS7 else find())
    yield server
    server.close()


@pytest.fixture
def twin(engine: Engine) -> Iterator[Server]:
    """A second store of the same engine."""
    server = Server(engine)
    yield server
    server.close()


def reader(server: Server) -> object:
    """Return a client that reads states."""
    return canonical.connect(server.admin_url)


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    """What happens, as it is told."""
    found: list[Event] = []
    unsubscribe = events.subscribe(found.append)
    yield found
    unsubscribe()


@pytest.fixture
def restored(engine: Engine, tmp_path: Path) -> Iterator[Restored]:
    """Return a function that starts a scratch engine with the state of a moment."""
    servers: list[Server] = []

    def make(at: float) -> Server:
        storage = Directory(tmp_path / "storage")
        server = Server(engine)
        servers.append(server)
        server.kill()
        shutil.rmtree(server.seat.data)
        restore.assemble(storage, restore.find(storage, at), server.seat.data)
        server.start()
        return server

    yield partial(asyncio.to_thread, make)
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """A bucket of a server that speaks S3, in a process of its own."""
    port = free_port()
    words = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    with pytest.MonkeyPatch.context() as patch, subprocess.Popen(words, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: has_bucket(port), timeout=30)
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
            patch.setenv("AWS_ACCESS_KEY_ID", "key")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
            patch.setenv("AWS_REGION", "us-east-1")
            yield "s3://backups"
        finally:
            server.kill()


def has_bucket(port: int) -> bool:
    """Make the bucket by the plain protocol; say whether it is there."""
    line = HTTPConnection("127.0.0.1", port)
    try:
        line.request("PUT", "/backups")
        return line.getresponse().status == 200
    except OSError:
        return False
    finally:
        line.close()
