"""Any moment under a mixed load equals a replay of the steps acknowledged by then, and is never half a transaction."""

import asyncio
import random
from pathlib import Path

from redyard.backups.storage import Directory
from redyard.engine.find import Engine
from tests.backups.conftest import following
from tests.support.moments import compare, work
from tests.support.servers import Server
from tests.support.stalls import watched

PRECISION = 0.1
"""Seconds by which a restored moment may be older than the one asked for, where the follower had its turn."""


async def test_random_moments_are_exact(own_server: Server, engine: Engine, tmp_path: Path) -> None:
    """Strings to functions, in three databases: moments drawn at random are what a replay makes of the same steps."""
    seed = random.randrange(10**6)
    async with following(own_server, tmp_path) as follower, watched() as stalls:
        times = await asyncio.to_thread(work, own_server.admin_url, seed, 0.8)
        await follower.base()
    moments = [random.uniform(times[100][1], times[-1][1]) for _ in range(3)]
    kept = engine, Directory(tmp_path / "storage"), seed, times, moments

    assert 3 == await asyncio.to_thread(compare, *kept, lambda at: PRECISION + stalls.around(at))
