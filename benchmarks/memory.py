"""Memory by prefix on a million keys: how long the doctor's deep look takes, and what an app at work notices of it."""

import asyncio
import json
import multiprocessing
import resource
import shutil
import statistics
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

import psutil
from tests.support.odd import Odd

from redyard.engine.find import Engine, examine, find

KEYS = 1_000_000
ROUNDS = 3
CONNECTIONS, EVERY = 10, 0.005
WITHIN, WORSE = 10.0, 1.5
GET = b"*2\r\n$3\r\nGET\r\n$9\r\nsession:1\r\n"


class Figures(NamedTuple):
    engine: str
    keys: int
    seconds: float
    client_cpu: float
    engine_cpu: float
    alone_ms: float
    beside_ms: float


def fill(server: Odd) -> None:
    for prefix, ending in (("session", ", 'EX', 9000"), ("product", "")):
        loop = f"for i = 1, {KEYS // 2} do redis.call('SET', '{prefix}:' .. i, 'value of ' .. i{ending}) end"
        server.do("EVAL", loop, 0)


async def visit(port: int, until: asyncio.Event, seconds: list[float]) -> None:
    """Read a key every few milliseconds, as one connection of an app does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not until.is_set():
        began = time.perf_counter()
        writer.write(GET)
        await reader.read(100)
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(EVERY)
    writer.close()


def load(port: int, line: Connection) -> None:
    """Work as an app in a process of its own: whenever it is asked, tell the slowest hundredth since the last time."""

    async def work() -> None:
        ending, seconds = asyncio.Event(), []
        visitors = [asyncio.create_task(visit(port, ending, seconds)) for _ in range(CONNECTIONS)]
        while await asyncio.to_thread(line.recv):
            line.send(statistics.quantiles(seconds, n=100)[98] * 1000 if len(seconds) > 100 else 0.0)
            seconds.clear()
        ending.set()
        await asyncio.gather(*visitors)

    asyncio.run(work())


def measure(engine: Engine) -> Figures:
    server = Odd(engine)
    ours, theirs = multiprocessing.Pipe()
    app = multiprocessing.Process(target=load, args=(server.port, theirs), daemon=True)
    try:
        fill(server)
        app.start()
        rounds = [look(server, ours) for _ in range(ROUNDS)]
        ours.send(False)
        app.join()
    finally:
        server.close()
    keys, *figures = map(statistics.median, zip(*rounds, strict=True))
    return Figures(f"{engine.name} {engine.version}", int(keys), *figures)


def look(server: Odd, app: Connection) -> tuple[float, ...]:
    """Look once, and let the app tell its slowest hundredth of a time as long before."""

    def p99() -> float:
        app.send(True)
        return float(app.recv())

    p99()
    time.sleep(5)
    alone, process = p99(), psutil.Process(server.process.pid)
    engine, client, began = sum(process.cpu_times()[:2]), children(), time.perf_counter()
    command = [sys.executable, "-m", "redyard", "doctor", server.url(), "--memory", "--json"]
    said = subprocess.run(command, check=True, capture_output=True)
    took = time.perf_counter() - began
    beside = p99()
    keys = json.loads(said.stdout)["keys"]
    return keys, took, children() - client, sum(process.cpu_times()[:2]) - engine, alone, beside


def children() -> float:
    """Return the CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    print(f"### Memory by prefix: {KEYS:,} keys, an app of {CONNECTIONS} connections at work\n")
    print("| engine | keys | seconds | bar | client CPU s | engine CPU s | app's p99 alone | beside | bar | holds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    peer = shutil.which("redis-server")
    for engine in [find(), *([examine(peer)] if peer else [])]:
        row = measure(engine)
        holds = row.keys == KEYS and row.seconds <= WITHIN and row.beside_ms <= WORSE * row.alone_ms
        times = f"{row.alone_ms:.2f} ms | {row.beside_ms:.2f} ms | {WORSE * row.alone_ms:.2f} ms"
        cost = f"{row.seconds:.1f} | {WITHIN:.0f} | {row.client_cpu:.1f} | {row.engine_cpu:.1f}"
        print(f"| {row.engine} | {row.keys:,} | {cost} | {times} | {'yes' if holds else 'no'} |")
    print()


if __name__ == "__main__":
    main()
