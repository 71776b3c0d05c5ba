"""Backups for long: many random moments, and a follower that is killed over and over."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from redyard.backups import canonical, proving, restore
from redyard.backups.scratch import scratch
from redyard.backups.storage import Directory
from redyard.backups.timeline import Timeline
from redyard.engine.find import Engine
from tests.backups.conftest import caught_up, following
from tests.backups.test_tail import Followed
from tests.support.moments import compare, work
from tests.support.proxy import Proxy
from tests.support.servers import PASSWORDS, Server
from tests.support.wait import until, wait_until

pytestmark = pytest.mark.soak

PRECISION = 0.1
RUNS, MOMENTS = 10, 12
KILLS = 60
CRASHES = int(os.environ.get("SOAK_CRASHES", "10"))


@pytest.mark.parametrize("number", range(RUNS))
async def test_moments(own_server: Server, engine: Engine, tmp_path: Path, number: int) -> None:
    """Hundreds of random moments are exact, with bases, cuts and restarts of the follower in between."""
    seed = random.randrange(10**9) + number
    loaded = asyncio.ensure_future(asyncio.to_thread(work, own_server.admin_url, seed, 6.0))
    for _ in range(3):
        async with following(own_server, tmp_path) as follower:
            await asyncio.sleep(random.uniform(0.3, 1.0))
            own_server.admin("CLIENT", "KILL", "TYPE", "replica")
            await asyncio.sleep(random.uniform(0.3, 1.0))
            await follower.base()
    async with following(own_server, tmp_path):
        times = await loaded
    storage = Directory(tmp_path / "storage")
    first = Timeline(storage.names()).bases[0].at
    moments = [random.uniform(first + PRECISION, times[-1][1]) for _ in range(MOMENTS)]
    spans = restore.windows(storage)
    known = [at for at in moments if any(span.first <= at <= span.last for span in spans)]

    assert 1 == len(spans)
    assert len(known) == await asyncio.to_thread(compare, engine, storage, seed, times, known, PRECISION)


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
    """When a kill -9 has been noticed, each write that was acknowledged is restored at that moment; there is no gap."""
    acknowledged, ending = [0] * 4, threading.Event()
    async with Proxy(own_server.port) as proxy:
        followed = Followed(own_server, proxy, tmp_path)
        running = asyncio.create_task(followed.follower.run())
        await until(lambda: followed.follower.connected)
        await followed.knows_a_place()
        writers = [threading.Thread(target=_count, args=(own_server.url, n, acknowledged, ending)) for n in range(4)]
        for writer in writers:
            writer.start()
        await asyncio.sleep(random.uniform(0.5, 3.0))
        await asyncio.to_thread(own_server.kill)
        counts = list(acknowledged)
        ending.set()
        await asyncio.gather(*(asyncio.to_thread(writer.join) for writer in writers))
        await followed.crash()
        await caught_up(own_server, followed.follower)
        await followed.follower.drain(within=60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        followed.follower.spool.close()
    recipe = restore.find(followed.storage, followed.noticed)
    with scratch(engine, lambda data: restore.assemble(followed.storage, recipe, data)) as made:
        found = [int(made.client.execute_command("GET", f"count:{n}") or 0) for n in range(4)]

    assert [] == restore.gaps(restore.windows(followed.storage))
    assert all(have >= wanted for have, wanted in zip(found, counts, strict=True)), (found, counts)


def _count(url: str, number: int, acknowledged: list[int], ending: threading.Event) -> None:
    """Count in pipelines as fast as that goes; note what was acknowledged."""
    with redis.Redis.from_url(url, retry=None) as app, suppress(redis.RedisError):
        while not ending.is_set():
            with app.pipeline(transaction=False) as pipe:
                for _ in range(50):
                    pipe.incr(f"count:{number}")
                    pipe.set(f"filled:{number}", "x" * 200)
                acknowledged[number] = pipe.execute()[-2]
