"""What TLS costs: GET of 32 B with and without it, by an engine that speaks it (Redis 7) and by an edge (Valkey).

Two clients: redis-benchmark, which costs little itself, so that the server is measured, and the kit on asyncio, which
pays for its own side of TLS as well. Plain and encrypted take turns; a ratio compares the two of one turn, a figure is
the median of the turns. The last table counts what new certificates cost an app at work: connections that ended,
commands that failed.
"""

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.load import Load
from tests.support.secured import ByEdge, ByEngine, Secured, server_certificate
from tests.support.servers import PASSWORDS
from tests.support.wait import until

from redyard import Redis
from redyard.engine.find import examine, find

CALLERS = (1, 10, 100)
BARS = {"engine": 0.75, "edge": 0.25}
"""The part of the plain rate that is kept at one caller, at the least."""

CERTIFICATES = 20


def by_tool(server: Secured, callers: int, seconds: float, *, tls: bool) -> float:
    """Return commands a second by redis-benchmark, which counts the handshakes: they must be no part of the time."""
    count = int(seconds * (15000 if callers == 1 else 20000))
    words = ["-h", "127.0.0.1", "-p", str(server.port if tls else server.server.port), "--user", "default"]
    words += ["-a", PASSWORDS["default"], "-c", str(callers), "-n", str(count), "-t", "get", "-d", "32", "--csv"]
    words += ["--tls", "--cacert", str(server.trusted)] if tls else []
    done = subprocess.run(["redis-benchmark", *words], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))


def by_kit(server: Secured, callers: int, seconds: float, *, tls: bool) -> float:
    """Return commands a second by the kit."""
    return asyncio.run(_by_kit(server, callers, seconds, tls=tls))


async def _by_kit(server: Secured, callers: int, seconds: float, *, tls: bool) -> float:
    url = server.url() if tls else server.server.url
    async with Redis.from_env(environ=server.environ(REDIS_URL=url)) as client:
        await client.set("key", "x" * 32)
        count, until_ = 0, time.perf_counter() + seconds

        async def call() -> None:
            nonlocal count
            while time.perf_counter() < until_:
                await client.get("key")
                count += 1

        began = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(callers)))
        return count / (time.perf_counter() - began)


Measure = Callable[..., float]
CLIENTS: dict[str, Measure] = {"redis-benchmark": by_tool, "the kit": by_kit}


def servers() -> Iterator[tuple[str, Secured]]:
    """Yield a server of each kind."""
    kinds = [("edge", ByEdge, find())]
    if program := shutil.which("redis-server"):
        kinds.insert(0, ("engine", ByEngine, examine(program)))
    for name, kind, engine in kinds:
        with tempfile.TemporaryDirectory(prefix="redyard-bench-", dir="/tmp") as directory:
            server = kind(Path(directory), engine, limit=200)
            try:
                server.present()
                yield name, server
            finally:
                server.close()


def cell(measure: Measure, server: Secured, callers: int, turns: int, seconds: float) -> tuple[float, float, float]:
    """Return the medians of plain, encrypted, and their ratio."""
    pairs = [
        (measure(server, callers, seconds, tls=False), measure(server, callers, seconds, tls=True))
        for _ in range(turns)
    ]
    plain, encrypted = (statistics.median(values) for values in zip(*pairs, strict=True))
    return plain, encrypted, statistics.median(after / before for before, after in pairs)


def verdict(name: str, callers: int, ratio: float) -> str:
    if callers > 1:
        return ""
    return f" ({'holds' if ratio >= BARS[name] else 'MISSES'} {BARS[name]:g})"


async def changed(server: Secured) -> tuple[int, int, int]:
    """Change certificates under load; return connections that ended, commands that failed, writes meanwhile."""
    async with Load(Redis.from_env(environ=server.environ()), writers=10) as load:
        await until(lambda: load.popped)
        for _ in range(CERTIFICATES):
            written = len(load.written)
            await asyncio.to_thread(server.present, server_certificate(server.authority))
            await until(lambda written=written: len(load.written) > written + 20)
        dropped = load.client.stats.connects - 1
    return dropped, len(load.errors), len(load.written)


def main() -> None:
    turns, seconds = (3, 0.3) if "--quick" in sys.argv else (9, 0.7)
    clients = {name: run for name, run in CLIENTS.items() if name != "redis-benchmark" or shutil.which(name)}
    drops = []
    print("**TLS**: thousands of GETs a second, plain and encrypted, and the part that is kept (bar at one caller)\n")
    print(f"| TLS by | client | {' | '.join(f'N={callers}' for callers in CALLERS)} |")
    print(f"|---|---|{'---|' * len(CALLERS)}")
    for name, server in servers():
        for client, measure in clients.items():
            row = []
            for callers in CALLERS:
                plain, encrypted, ratio = cell(measure, server, callers, turns, seconds)
                row.append(f"{plain / 1000:.1f}, {encrypted / 1000:.1f}: {ratio:.2f}{verdict(name, callers, ratio)}")
            print(f"| {name} | {client} | {' | '.join(row)} |", flush=True)
        drops.append((name, *asyncio.run(changed(server))))
    print(f"\n**New certificates**: {CERTIFICATES} under the kit's load\n")
    print("| TLS by | connections that ended | commands that failed | writes meanwhile |\n|---|---|---|---|")
    for name, dropped, failed, written in drops:
        print(f"| {name} | {dropped} ({'holds' if not dropped else 'MISSES'} 0) | {failed} | {written:,} |")
    print()
