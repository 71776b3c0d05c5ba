"""One session in several processes."""

import json
import subprocess
import sys

import pytest

from redyard import SessionStore
from redyard.sessions import Session

WRITER = """
import asyncio, sys
from redyard import Redis, SessionStore
from redyard.sessions import Session

async def main(url, form, session_id, first):
    async with Redis.from_url(url) as redis:
        store = SessionStore(redis, format=form, deadline=10)
        sessions = [await Session(store, session_id).load() for _ in range(25)]
        for number, session in enumerate(sessions, int(first)):
            session[f"f{number}"] = number
        print("all have read", flush=True)
        sys.stdin.readline()
        await asyncio.gather(*(session.commit() for session in sessions))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("engine", ["valkey"], indirect=True, scope="session")  # both are tried by the other tests
@pytest.mark.parametrize("form", ["native", "express"])
async def test_writers_of_two_processes_lose_nothing(server, redis, form):
    """50 requests, 25 in each, all have read before the first one writes: 50 fields."""
    session = await Session(SessionStore(redis, format=form, deadline=10)).load()
    session["start"] = 0
    await session.commit()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, server.url, form, session.id, first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in ("0", "25")
    ]
    assert ["all have read\n"] * 2 == [writer.stdout.readline() for writer in writers]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=30)

    assert [0, 0] == [writer.returncode for writer in writers]
    wanted = {"start": 0} | {f"f{n}": n for n in range(50)}
    assert json.dumps(wanted, sort_keys=True) == json.dumps(dict(await session.reload()), sort_keys=True)
