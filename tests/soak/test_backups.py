"""Backups for long: many random moments, and a follower that is killed over and over."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from redyard.backups import canonical, proving, restore
from redyard.backups.follow import Follower
from redyard.backups.scratch import scratch
from redyard.backups.storage import Directory
from redyard.backups.timeline import Recipe, Timeline
from redyard.engine.find import Engine
from tests.backups.conftest import caught_up, following, source
from tests.backups.test_tail import Followed
from tests.support.counting import TOGETHER, Counting, Round
from tests.support.moments import compare, work_elsewhere
from tests.support.proxy import Proxy
from tests.support.servers import PASSWORDS, Server
from tests.support.stalls import Stalls, watched
from tests.support.wait import until, wait_until

pytestmark = pytest.mark.soak

PRECISION = 0.1
RUNS, MOMENTS = 10, 12
KILLS = 60
CRASHES = int(os.environ.get("SOAK_CRASHES", "10"))
WRITERS = 1
"""Processes that write: one takes a core, as the engine and the follower do."""


@pytest.mark.parametrize("number", range(RUNS))
async def test_moments(own_server: Server, engine: Engine, tmp_path: Path, number: int) -> None:
    """Hundreds of random moments are exact, with bases, cuts and restarts of the follower in between."""
    seed = random.randrange(10**9) + number
    loaded = asyncio.ensure_future(asyncio.to_thread(work_elsewhere, own_server.admin_url, seed, 6.0))
    async with watched() as stalls:
        for _ in range(3):
            async with following(own_server, tmp_path) as follower:
                stalls.follower = follower
                await asyncio.sleep(random.uniform(0.3, 1.0))
                own_server.admin("CLIENT", "KILL", "TYPE", "replica")
                await asyncio.sleep(random.uniform(0.3, 1.0))
                await follower.base()
        async with following(own_server, tmp_path) as stalls.follower:
            times = await loaded
    storage = Directory(tmp_path / "storage")
    first = Timeline(storage.names()).bases[0].at
    moments = [random.uniform(first + PRECISION, times[-1][1]) for _ in range(MOMENTS)]
    spans = restore.windows(storage)
    known = [at for at in moments if any(span.first <= at <= span.last for span in spans)]

    assert 1 == len(spans)
    assert len(known) == await asyncio.to_thread(compare, engine, storage, seed, times, known, precise(stalls))


def precise(stalls: Stalls) -> Callable[[float], float]:
    """Return what says how exact a moment must be: as promised, and as far as the follower had its turn."""
    return lambda at: PRECISION + stalls.around(at)


def test_a_follower_killed_at_any_instant(own_server: Server, engine: Engine, tmp_path: Path) -> None:
    """After sixty kills -9 under writing: one base, no fault, no gap, and the state of the server itself."""
    url = f"redis://replication:{PASSWORDS['replication']}@127.0.0.1:{own_server.port}"
    words = [sys.executable, "-m", "redyard", "backups", "follow", url, "--to", str(tmp_path / "storage")]
    environ = os.environ | {"HOME": str(tmp_path)}
    ending = threading.Event()
    writer = threading.Thread(target=_write, args=(own_server.url, ending))
    writer.start()
    try:
        for number in range(KILLS):
            process = subprocess.Popen(words, env=environ, stderr=subprocess.DEVNULL)
            if number % 3:  # a third at any instant of the start, the others of the following
                wait_until(lambda: own_server.admin("INFO", "replication")["connected_slaves"], timeout=60)
            time.sleep(random.uniform(0.0, 1.2))
            process.send_signal(signal.SIGKILL)
            process.wait()
    finally:
        ending.set()
        writer.join()
    process = subprocess.Popen(words, env=environ, stderr=subprocess.DEVNULL)
    storage = Directory(tmp_path / "storage")
    wait_until(lambda: _has_all(own_server) and storage.names("base/"), timeout=60)
    process.terminate()
    assert 0 == process.wait(30)

    assert [] == proving.faults(storage, lambda _text: None)
    assert 1 == len(restore.windows(storage))
    with scratch(engine, lambda data: restore.assemble(storage, restore.latest(storage), data)) as made:
        assert canonical.state(canonical.connect(own_server.admin_url)) == canonical.state(made.client)


def _write(url: str, ending: threading.Event) -> None:
    with redis.Redis.from_url(url) as app:
        number = 0
        while not ending.is_set():
            with app.pipeline(transaction=False) as pipe:
                for _ in range(20):
                    number += 1
                    pipe.set(f"key:{number % 50_000}", number)
                pipe.execute()
            time.sleep(0.005)


def _has_all(server: Server) -> bool:
    facts = server.admin("INFO", "replication")
    follower = facts.get("slave0", {})
    return follower.get("state") == "online" and follower.get("offset", -1) >= facts["master_repl_offset"]


@pytest.mark.parametrize("number", range(CRASHES))
async def test_crashes_under_full_writing(own_server: Server, engine: Engine, tmp_path: Path, number: int) -> None:
    """After a kill -9 no acknowledged write is missing; the moment of it has all but the last tenth of a second's.

    There is no gap, but where the engine's log was behind what it had sent: its disk hung.
    """
    async with Proxy(own_server.port) as proxy, counting(own_server, tmp_path) as writers, watched() as stalls:
        followed = Followed(own_server, proxy, tmp_path)
        async with running(followed.follower):
            await until(lambda: followed.follower.connected)
            await followed.knows_a_place()
            killed = await kill(own_server, writers)
            await followed.crash()
            await caught_up(own_server, followed.follower)
            await followed.follower.drain(within=60)
        rounds = await asyncio.to_thread(writers.rounds)
    logged = [int(own_server.admin("GET", f"count:{number}") or 0) for number in range(WRITERS)]
    whole, then = history(followed.storage), restore.find(followed.storage, killed)

    last = counts(engine, followed.storage, whole)
    gaps = restore.gaps(restore.windows(followed.storage))
    assert not gaps or logged < last, (gaps, logged, last)
    for found, count in zip(rounds, last, strict=True):
        assert found[-1].count <= count
    for found, count in zip(rounds, counts(engine, followed.storage, then), strict=True):
        assert acknowledged(found, killed - precise(stalls)(killed)) <= count <= begun(found, killed)


@pytest.mark.parametrize("number", range(CRASHES))
async def test_crashes_of_a_server_elsewhere(own_server: Server, engine: Engine, tmp_path: Path, number: int) -> None:
    """Where the server's files are not here, a kill -9 costs at most the acknowledged writes of its last 100 ms."""
    storage = Directory(tmp_path / "storage")
    follower = Follower(source(own_server), storage, tmp_path / "spool", name="test", longest_pause=0.2)
    async with running(follower), counting(own_server, tmp_path) as writers, watched() as stalls:
        await until(lambda: follower.connected)
        await kill(own_server, writers)
        rounds = await asyncio.to_thread(writers.rounds)
        await until(lambda: not follower.connected)
        await follower.drain(within=60)
    last = max(found[-1].done for found in rounds)

    for found, count in zip(rounds, counts(engine, storage, history(storage)), strict=True):
        assert acknowledged(found, last - precise(stalls)(last)) <= count


@asynccontextmanager
async def running(follower: Follower) -> AsyncIterator[None]:
    """Let a follower run for the time of a block."""
    task = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        follower.spool.close()


@asynccontextmanager
async def counting(server: Server, root: Path) -> AsyncIterator[Counting]:
    """Let writers count in a server until it dies."""
    writers = Counting(server.url, root, WRITERS)
    try:
        await until(writers.has_begun, timeout=60)
        yield writers
    finally:
        writers.end()


async def kill(server: Server, writers: Counting) -> float:
    """Kill a server at some instant, and return the time before that."""
    await asyncio.sleep(random.uniform(0.5, 3.0))
    at = time.time()
    await asyncio.to_thread(server.kill)
    return at


def history(storage: Directory) -> Recipe:
    """Return how to make the last state of the first history."""
    timeline = Timeline(storage.names())
    base = timeline.bases[0]
    chain = timeline.after(base)
    return Recipe(base, chain, chain[-1].end, base.at)


def counts(engine: Engine, storage: Directory, recipe: Recipe) -> list[int]:
    """Restore a state, and return how far each writer's count is in it."""
    with scratch(engine, lambda data: restore.assemble(storage, recipe, data)) as made:
        return [int(made.client.execute_command("GET", f"count:{number}") or 0) for number in range(WRITERS)]


def acknowledged(rounds: list[Round], at: float) -> int:
    """Return how far a count was that was acknowledged at a time."""
    return max((item.count for item in rounds if item.done <= at), default=0)


def begun(rounds: list[Round], at: float) -> int:
    """Return how far a count may be at a time; a round behind the last one may have been cut by the kill."""
    cut = 0 if rounds[-1].began > at else TOGETHER
    return cut + max((item.count for item in rounds if item.began <= at), default=0)
