"""The tail of a killed engine's own log: what it acknowledged and never sent is in the backups, moment by moment."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from redyard.backups import restore
from redyard.backups.follow import Follower
from redyard.backups.storage import Directory
from redyard.backups.tail import LOG, MANIFEST, Tail
from redyard.errors import MomentUnknown
from tests.backups.conftest import Restored, caught_up, source
from tests.support.clients import start
from tests.support.proxy import DOWN, Proxy
from tests.support.servers import Server
from tests.support.wait import until

PRECISION = 0.1
"""Seconds by which a restored moment may be older than its mark says."""


class Followed:
    """A server that is followed through a proxy, by a follower that can read the server's own log."""

    def __init__(self, server: Server, proxy: Proxy, root: Path) -> None:
        self.server, self.proxy, self.noticed = server, proxy, 0.0
        self.storage = Directory(root / "storage")
        way = source(server)._replace(port=proxy.port)
        self.follower = Follower(way, self.storage, root / "spool", name="test", longest_pause=0.2)
        self.follower.tail = Tail(lambda: server.seat.data, self._facts, self.follower.spool)

    async def _facts(self) -> dict[str, Any]:
        return await asyncio.to_thread(partial(self.server.admin, "INFO", "replication", "persistence"))

    async def knows_a_place(self) -> None:
        """Wait until the follower has looked where it is in the log."""
        await until((self.follower.spool.directory / "places.json").exists)

    def log(self) -> Path:
        """Return the file that the server writes to."""
        manifest = (self.server.seat.data / LOG / MANIFEST).read_text().split()
        return self.server.seat.data / LOG / manifest[-5]

    async def crash(self) -> None:
        """Kill the server and start it again; what was on its way to the follower is lost."""
        await asyncio.to_thread(self.server.kill)
        self.proxy.cut()
        self.proxy.held.clear()
        await until(lambda: not self.follower.connected)
        self.noticed = time.time()
        await start(self.server)
        await until(lambda: self.follower.connected)


@pytest.fixture
async def followed(own_server: Server, tmp_path: Path) -> AsyncIterator[Followed]:
    """A followed server; at the end everything that came is in the storage."""
    async with Proxy(own_server.port) as proxy:
        made = Followed(own_server, proxy, tmp_path)
        running = asyncio.create_task(made.follower.run())
        await until(lambda: made.follower.connected)
        yield made
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        made.follower.spool.close()


def client(server: Server, database: int = 0) -> redis.Redis:
    return redis.Redis.from_url(server.url.rpartition("/")[0] + f"/{database}", decode_responses=True)


Times = list[tuple[float, float]]


def count(server: Server, times: Times, rounds: int) -> None:
    """Count in two databases, partly in transactions; note when each round began and was acknowledged."""
    with client(server) as app, client(server, 3) as other:
        for _ in range(rounds):
            before = time.time()
            with app.pipeline(transaction=True) as pipe:
                pipe.incr("counted").incr("twice").execute()
            other.incr("third")
            times.append((before, time.time()))


async def unsent(followed: Followed) -> Times:
    """Let the server acknowledge 800 rounds of which the follower gets 300."""
    times: Times = []
    await asyncio.to_thread(count, followed.server, times, 300)
    await followed.knows_a_place()
    await caught_up(followed.server, followed.follower)
    followed.proxy.hold(DOWN)
    await asyncio.to_thread(count, followed.server, times, 500)
    return times


async def shipped(followed: Followed) -> None:
    """Wait until everything is in the storage."""
    await caught_up(followed.server, followed.follower)
    await followed.follower.drain(within=10)


async def right(followed: Followed, restored: Restored, times: Times, at: float) -> bool:
    """Say whether a restored moment has what was acknowledged before its mark, and nothing that came later.

    How many marks there are is a matter of who else is busy: the follower shares a process with those who write. They
    are in whole milliseconds.
    """
    mark, server = restore.find(followed.storage, at).at, await restored(at)
    with client(server) as app, client(server, 3) as other:
        found, twice, third = int(app.get("counted")), int(app.get("twice")), int(other.get("third"))
    least = sum(done <= mark - PRECISION for _, done in times)
    most = sum(before <= mark + 0.001 for before, _ in times)
    return least <= found <= most and found == twice and found - 1 <= third <= found


@pytest.mark.parametrize("torn", [b"", b"*3\r\n$3\r\nSET\r\n$5"])
async def test_a_crash_leaves_no_gap(followed: Followed, restored: Restored, torn: bytes) -> None:
    """Each moment around the crash has what was acknowledged by then, though none of it was sent; there is no gap."""
    times = await unsent(followed)
    await asyncio.to_thread(followed.server.kill)
    with followed.log().open("ab") as log:
        log.write(torn)
    await followed.crash()
    await asyncio.to_thread(count, followed.server, times, 100)
    await shipped(followed)

    assert [] == restore.gaps(restore.windows(followed.storage))
    assert await right(followed, restored, times, times[600][1])
    with client(await restored(followed.noticed + 0.001)) as app:
        assert "800" == app.get("counted")
    with client(await restored(time.time())) as app:
        assert "900" == app.get("counted")


async def test_a_log_that_was_written_anew_names_the_gap(followed: Followed, restored: Restored) -> None:
    """Where the log no longer has what came after the last known place, nothing is made up."""
    times = await unsent(followed)
    followed.follower.tail._facts = _hangs
    was = followed.log()
    followed.server.admin("BGREWRITEAOF")
    await until(lambda: followed.log() != was and not was.exists())
    await followed.crash()
    await shipped(followed)
    windows = restore.windows(followed.storage)

    [(before, after)] = restore.gaps(windows)
    with pytest.raises(MomentUnknown):
        restore.find(followed.storage, (before + restore.SHORTEST_GAP + after) / 2)
    assert await right(followed, restored, times, windows[0].last)


async def _hangs() -> dict[str, Any]:
    return await asyncio.Future()
