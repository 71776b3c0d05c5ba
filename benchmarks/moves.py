"""A store of 200 MB under a working app, moved up, down and to another engine: what was lost, how long it paused."""

import asyncio
import shutil
import time
from typing import NamedTuple

import redis
from tests.support.load import Load, kit
from tests.support.wait import until
from tests.support.yards import Sandbox

from redyard import Queue, SessionStore, Worker
from redyard.queue import Job
from redyard.sessions import Session

MEGABYTES = 200
MOVES = (("scale", "redis", "1gb", "--move"), ("scale", "redis", "256mb", "--move"))
PAUSE_BAR = 50


class Figures(NamedTuple):
    engine: str
    what: str
    seconds: float
    pause_ms: float
    written: int
    per_second: float
    lost: int
    jobs: int
    twice: int
    sessions_lost: int
    errors: int
    memory: str


def fill(url: str) -> None:
    with redis.Redis.from_url(url) as app, app.pipeline(transaction=False) as pipe:
        for number in range(MEGABYTES * 100):
            pipe.set(f"filled:{number}", "x" * 9_900)
        pipe.execute()


async def signed_in(store: SessionStore) -> str:
    """Begin a session and return its id."""
    session = await Session(store).load()
    session["user"] = "somebody"
    await session.commit()
    return str(session.id)


async def through(yard: Sandbox, engine: str, what: str, moves: tuple[tuple[str, ...], ...]) -> Figures:
    """Let an app work while the moves are made, and count what became of its work."""
    url = yard.url("redis-store")
    runs: dict[str, int] = {}
    errors: list[Exception] = []
    async with kit(url) as own:
        queue, store = Queue(own, "long"), SessionStore(own)

        async def work(job: Job) -> None:
            runs[job.id] = runs.get(job.id, 0) + 1
            await asyncio.sleep(2)

        worker = Worker(queue, work, concurrency=50)
        running = asyncio.create_task(worker.run())
        jobs = [(await queue.add("long", {})).id for _ in range(200)]
        async with Load(kit(url), writers=32, name=what) as load:
            sessions = [await signed_in(store) for _ in range(100)]
            await until(lambda: load.popped)
            began, before = time.perf_counter(), len(load.written)
            answers = [await asyncio.to_thread(yard.json, *words) for words in moves]
            took = time.perf_counter() - began
            rate = (len(load.written) - before) / took
        await until(lambda: len(runs) == len(jobs), timeout=60)
        worker.stop()
        await running
        lost = await load.missing(own)
        errors += load.errors
        gone = [name for name in sessions if "user" not in await Session(store, name).load()]
        miscounted = await load.miscounted(own)
        written = sorted(load.written)
        for start in range(0, len(written), 1000):
            await own.unlink(*written[start : start + 1000])
    moved = [item for answer in answers for item in answer["moved"]]
    return Figures(
        engine,
        what,
        sum(item["seconds"] for item in moved) / len(moved),
        max(item["pause_ms"] for item in moved),
        len(load.written),
        rate,
        len(lost) + miscounted,
        len(jobs),
        sum(count > 1 for count in runs.values()),
        len(gone),
        len(errors),
        ", ".join(f"{item['memory'] >> 20} MB" for item in moved),
    )


def one(engine: str | None) -> list[Figures]:
    yard = Sandbox(engine)
    try:
        yard.json("add", "redis", "--role", "store")
        fill(yard.url("redis-store"))
        name = yard.json("info", "redis")["instances"][0]["engine"]
        rows = [asyncio.run(through(yard, name, "256mb to 1gb to 256mb", MOVES))]
        if engine:
            yard.kill_yard()
            del yard.environ["REDYARD_ENGINE"]
            yard.json("up", "--detach")
            rows.append(asyncio.run(through(yard, name, "upgrade to Valkey", (("upgrade", "redis"),))))
            rows.append(
                asyncio.run(
                    through(yard, "valkey", "back to Redis", (("upgrade", "redis", "--engine", engine, "--pause"),))
                )
            )
        return rows
    finally:
        yard.close()


def main() -> None:
    redis7 = shutil.which("redis-server")
    rows = one(None) + (one(redis7) if redis7 else [])
    print(
        f"| move | longest pause (bar {PAUSE_BAR} ms) | a move | writes/s meanwhile | lost | jobs, run twice "
        "| sessions lost | errors |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.engine}, {row.what} | {row.pause_ms:.1f} ms | {row.seconds:.1f} s | {row.per_second:,.0f} "
            f"| {row.lost} of {row.written:,} | {row.jobs}, {row.twice} | {row.sessions_lost} | {row.errors} |"
        )
