"""A store of 200 MB under a working app, moved up, down and to another engine: what was lost, how long it paused.

The app makes 10,000 writes in a second; with `--full`, as many as it can.
"""

import asyncio
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import psutil
import redis
from tests.support.load import Load, kit, plain
from tests.support.wait import until
from tests.support.yards import Sandbox

from redyard import Queue, SessionStore, Worker
from redyard.queue import Job
from redyard.sessions import Session

FULL = "--full" in sys.argv
KEYS = 16_000 if FULL else 20_000
"""Of 10 KB each: 200 MB; less where the app itself soon writes some ten MB."""

Moves = tuple[tuple[str, ...], ...]
UP_AND_DOWN = (("scale", "redis", "1gb", "--move"), ("scale", "redis", "256mb", "--move"))
PAUSE_BAR = 50
RATE = 0 if FULL else 10_000
"""Writes in a second that the app makes, as many as it can for 0; the bars are for 10,000."""


class Figures(NamedTuple):
    """What became of an app's work while its store was moved; times in milliseconds unless they are named seconds."""

    what: str
    pause: float
    silence: float
    seconds: float
    per_second: float
    written: int
    lost: int
    jobs: int
    twice: int
    sessions_lost: int
    errors: Counter[str]

    def row(self) -> str:
        errors = ", ".join(f"{count:,} {kind}" for kind, count in self.errors.items()) or "0"
        return (
            f"| {self.what} | {self.pause:.1f} ms | {self.silence:.1f} ms | {self.seconds:.1f} s "
            f"| {self.per_second:,.0f} | {self.lost} of {self.written:,} | {self.jobs}, {self.twice} "
            f"| {self.sessions_lost} | {errors} |"
        )


class Memory(NamedTuple):
    """What the processes before and after a move down held (bytes), and whether they are two behind one address."""

    what: str
    before: int
    after: int
    new_process: bool
    same_url: bool

    def row(self) -> str:
        said = ["yes" if fact else "NO" for fact in (self.new_process, self.same_url)]
        return f"| {self.what} | {self.before >> 20} MB | {self.after >> 20} MB | {said[0]} | {said[1]} |"


def fill(url: str) -> None:
    with redis.Redis.from_url(url) as app, app.pipeline(transaction=False) as pipe:
        for number in range(KEYS):
            pipe.set(f"filled:{number}", "x" * 9_900)
        pipe.execute()


async def signed_in(store: SessionStore) -> str:
    """Begin a session and return its id."""
    session = await Session(store).load()
    session["user"] = "somebody"
    await session.commit()
    return str(session.id)


async def made(yard: Sandbox, moves: Moves, load: Load) -> tuple[list[dict[str, float]], float, float]:
    """Make the moves; return what each tells, the writes in a second meanwhile, and the longest time without one."""
    began, before, load.longest = time.perf_counter(), len(load.written), 0.0
    answers = [await asyncio.to_thread(yard.json, *words) for words in moves]
    rate = (len(load.written) - before) / (time.perf_counter() - began)
    return [item for answer in answers for item in answer["moved"]], rate, load.longest


async def through(yard: Sandbox, what: str, moves: Moves, client: Callable[[str], Any] = kit) -> Figures:
    """Let an app work while the moves are made, and count what became of its work."""
    url = yard.url("redis-store")
    runs: Counter[str] = Counter()
    async with kit(url) as own:
        queue, store = Queue(own, "long"), SessionStore(own)

        async def work(job: Job) -> None:
            runs[job.id] += 1
            await asyncio.sleep(2)

        worker = Worker(queue, work, concurrency=50)
        running = asyncio.create_task(worker.run())
        jobs = [(await queue.add("long", {})).id for _ in range(200)]
        async with Load(client(url), writers=32, name=what, rate=RATE) as load:
            sessions = [await signed_in(store) for _ in range(100)]
            await until(lambda: load.popped)
            moved, rate, silence = await made(yard, moves, load)
        await until(lambda: len(runs) == len(jobs), timeout=60)
        worker.stop()
        await running
        lost = len(await load.missing(own))
        if client is kit:  # redis-py's retries may count twice what was answered into a broken connection
            lost += await load.miscounted(own)
        gone = [name for name in sessions if "user" not in await Session(store, name).load()]
        await forget(own, sorted(load.written))
    return Figures(
        what,
        max(item["pause_ms"] for item in moved),
        silence * 1000,
        sum(item["seconds"] for item in moved) / len(moved),
        rate,
        len(load.written),
        lost,
        len(jobs),
        sum(count > 1 for count in runs.values()),
        len(gone),
        Counter(type(error).__name__ for error in load.errors),
    )


async def forget(app: Any, names: list[str]) -> None:
    for start in range(0, len(names), 1000):
        await app.unlink(*names[start : start + 1000])


def given_back(yard: Sandbox, engine: str) -> Memory:
    """Let the app delete three quarters of its data, move the store down, and look at the two processes."""
    url, old = yard.url("redis-store"), yard.instance("redis-store")["pid"]
    with redis.Redis.from_url(url) as app:
        app.delete(*(f"filled:{number}" for number in range(KEYS * 3 // 4)))
    before = psutil.Process(old).memory_info().rss
    yard.json("scale", "redis", "256mb", "--move")
    new = yard.instance("redis-store")["pid"]
    after = psutil.Process(new).memory_info().rss
    return Memory(engine, before, after, old != new, url == yard.url("redis-store"))


def one(engine: str | None) -> tuple[list[Figures], Memory]:
    yard = Sandbox(engine)
    try:
        yard.json("add", "redis", "--role", "store")
        fill(yard.url("redis-store"))
        name = yard.json("info", "redis")["instances"][0]["engine"]
        rows = [
            asyncio.run(through(yard, f"{name}, 256mb to 1gb to 256mb", UP_AND_DOWN)),
            asyncio.run(through(yard, f"{name}, the same, app on redis-py", UP_AND_DOWN, plain)),
        ]
        if engine:
            yard.kill_yard()
            del yard.environ["REDYARD_ENGINE"]
            yard.json("up", "--detach")
            back = ("upgrade", "redis", "--engine", engine, "--pause")
            rows.append(asyncio.run(through(yard, f"{name}, upgrade to Valkey", (("upgrade", "redis"),))))
            rows.append(asyncio.run(through(yard, "valkey, back to Redis", (back,))))
        return rows, given_back(yard, name)
    finally:
        yard.close()


def main() -> None:
    redis7 = shutil.which("redis-server")
    found = [one(None)] + ([one(redis7)] if redis7 else [])
    print(
        f"| move | longest pause (bar {PAUSE_BAR} ms) | longest without an answer | a move | writes/s meanwhile | lost "
        "| jobs, run twice | sessions lost | errors |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for rows, _ in found:
        print("\n".join(row.row() for row in rows))
    print("\n| three quarters deleted, then moved to 256mb | held before | after | another process | same address |")
    print("|---|---|---|---|---|")
    for _, memory in found:
        print(memory.row())
