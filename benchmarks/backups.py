"""Backups against the engine's own replica: how much the server slows down, how far the follower lags, what it needs.

A store takes writes at the full rate of redis-benchmark (32 in a pipeline), with a replica of the engine's own
attached, and with a follower in a process of its own; they take turns. Then the newest state is restored, beside the
engine's own loading of the very same files; and the server is killed while it takes writes at half its full rate, and
what was acknowledged is looked for in the backups. `--quick` writes less.
"""

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import redis
from tests.support.servers import PASSWORDS, Server
from tests.support.wait import wait_until

from redyard.backups import restore
from redyard.backups.alone import spool_for
from redyard.backups.scratch import scratch, serving
from redyard.backups.storage import Directory
from redyard.engine.find import Engine, examine, find
from redyard.units import SIZES

ROUNDS, WRITES = 3, 1_500_000
QUICK_ROUNDS, QUICK_WRITES = 2, 500_000
KEYS, VALUE = 200_000, 100
MEMORY = 2 * SIZES["gb"]
THROUGHPUT_BAR, LAG_BAR, MEMORY_BAR, RESTORE_BAR, LOSS_BAR = 0.85, 2.0, 100 * SIZES["mb"], 0.80, 0.1
KILLS, QUICK_KILLS = 5, 2
BATCH = 25
"""Writes that the one who is killed sends at a time."""


class Run(NamedTuple):
    per_second: float
    caught_up: float
    memory: int


def write(server: Server, count: int) -> float:
    """Write at the full rate; return the writes per second."""
    words = ["redis-benchmark", "-p", str(server.port), "--user", "default", "-a", PASSWORDS["default"], "-q", "--csv"]
    load = ["-P", "32", "-c", "20", "-n", str(count), "-r", str(KEYS), "-d", str(VALUE), "-t", "set"]
    done = subprocess.run([*words, *load], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1].split(",")[1].strip('"'))


def caught_up(server: Server, least: int = 1) -> float:
    """Wait until the replica has acknowledged everything; return the seconds that took."""
    began = time.monotonic()

    def has_all() -> bool:
        facts = server.admin("INFO", "replication")
        slave = facts.get("slave0", {})
        return slave.get("state") == "online" and slave.get("offset", -1) >= facts["master_repl_offset"] - least

    wait_until(has_all, timeout=120)
    return time.monotonic() - began


@contextmanager
def followed(server: Server, storage: Path) -> Iterator[psutil.Process]:
    """Have a server followed by `redyard backups follow`."""
    url = f"redis://replication:{PASSWORDS['replication']}@127.0.0.1:{server.port}"
    words = [sys.executable, "-m", "redyard", "backups", "follow", url, "--to", str(storage)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(spool_for(url, str(storage)))


@contextmanager
def replicated(server: Server, engine: Engine) -> Iterator[psutil.Process]:
    """Have a server followed by a plain replica of the engine's."""
    replica = Server(engine, memory=MEMORY)
    try:
        replica.admin("CONFIG", "SET", "masteruser", "replication", "masterauth", PASSWORDS["replication"])
        replica.admin("REPLICAOF", "127.0.0.1", server.port)
        yield psutil.Process(replica.process.pid)
    finally:
        replica.close()


def measure(server: Server, count: int, peer: psutil.Process) -> Run:
    """Write while a peer follows."""
    caught_up(server)
    rate = write(server, count)
    return Run(rate, caught_up(server, least=int(rate * VALUE)), peer.memory_info().rss)


def one(engine: Engine, rounds: int, count: int, root: Path) -> tuple[list[tuple[Run, Run]], list[tuple[float, float]]]:
    """Return the runs beside each other, and the seconds of each restore with those of the engine's own loading."""
    runs, restores = [], []
    with closing(Server(engine, memory=MEMORY)) as server:
        server.admin("CONFIG", "SET", "appendonly", "no")
        for number in range(rounds):
            server.admin("FLUSHALL")
            with replicated(server, engine) as peer:
                theirs = measure(server, count, peer)
            server.admin("FLUSHALL")
            with followed(server, root / str(number)) as peer:
                ours = measure(server, count, peer)
            runs.append((theirs, ours))
            restores.append(restoring(engine, Directory(root / str(number))))
    return runs, restores


def restoring(engine: Engine, storage: Directory) -> tuple[float, float]:
    """Return the seconds of a whole restore, and of the engine's own loading within it."""
    spent = []

    def fill(data: Path) -> None:
        began = time.monotonic()
        restore.assemble(storage, restore.latest(storage), data)
        spent.append(time.monotonic() - began)

    with scratch(engine, fill) as made:
        return spent[0] + made.seconds, made.seconds


def killed(engine: Engine, rate: float, storage: Path) -> float:
    """Kill a server that takes so many writes a second; return how many seconds of acknowledged writes are missing."""
    with closing(Server(engine, memory=MEMORY)) as server, followed(server, storage):
        caught_up(server)
        acknowledged = write_until_killed(server, rate, random.uniform(1.0, 2.0))
    with serving(engine, kept := Directory(storage), restore.latest(kept)) as made:
        found = int(made.client.execute_command("GET", "last") or 0)
    return acknowledged[-1] - acknowledged[min(found, len(acknowledged) - 1)]


def write_until_killed(server: Server, rate: float, seconds: float) -> list[float]:
    """Write numbered batches at a rate until the server is killed; return when each was acknowledged."""
    killer = threading.Timer(seconds, server.kill)
    began, times = time.monotonic(), list[float]()
    killer.start()
    with redis.Redis.from_url(server.url, retry=None) as app, suppress(redis.RedisError):
        while True:
            with app.pipeline(transaction=False) as pipe:
                for number in range(BATCH - 1):
                    pipe.set(f"key:{number}", os.urandom(VALUE))
                pipe.set("last", len(times) + 1)
                pipe.execute()
            times.append(time.monotonic())
            time.sleep(max(0.0, began + len(times) * BATCH / rate - times[-1]))
    killer.join()
    return times


def row(engine: Engine, root: Path, *, quick: bool) -> str:
    """Measure an engine, and return its line of the table."""
    rounds, count, kills = (QUICK_ROUNDS, QUICK_WRITES, QUICK_KILLS) if quick else (ROUNDS, WRITES, KILLS)
    runs, restores = one(engine, rounds, count, root)
    theirs, ours = (statistics.median(pair[which].per_second for pair in runs) for which in (0, 1))
    ratio = statistics.median(ours.per_second / theirs.per_second for theirs, ours in runs)
    lag = statistics.median(run.caught_up for _, run in runs)
    memory = max(run.memory for _, run in runs)
    share = statistics.median(loading / whole for whole, loading in restores)
    loss = max(killed(engine, ours / 2, root / f"killed-{number}") for number in range(kills))
    cells = (
        (f"{ratio:.2f} ({ours:,.0f} and {theirs:,.0f}/s)", f">= {THROUGHPUT_BAR}", ratio >= THROUGHPUT_BAR),
        (f"{lag:.2f} s", f"<= {LAG_BAR} s", lag <= LAG_BAR),
        (f"{memory / SIZES['mb']:.0f} MB", f"<= {MEMORY_BAR / SIZES['mb']:.0f} MB", memory <= MEMORY_BAR),
        (f"{share:.2f}", f">= {RESTORE_BAR}", share >= RESTORE_BAR),
        (f"{loss * 1000:.0f} ms", f"<= {LOSS_BAR * 1000:.0f} ms", loss <= LOSS_BAR),
    )
    names = (
        "writes with the follower to writes with a replica",
        "until the lag is below 1 s",
        "follower's memory",
        "restore: the engine's loading to all of it",
        f"acknowledged writes missing after kill -9 at half rate, worst of {kills}",
    )
    return "\n".join(
        f"| {engine.name} {engine.version} | {name} | {text} | {bar} | {'holds' if fine else 'MISSES'} |"
        for name, (text, bar, fine) in zip(names, cells, strict=True)
    )


def main() -> None:
    print("| engine | what | measured | bar | verdict |\n|---|---|---|---|---|")
    for engine in [find(), *([examine(path)] if (path := shutil.which("redis-server")) else [])]:
        with tempfile.TemporaryDirectory(prefix="redyard-bench-", dir="/tmp") as root:
            print(row(engine, Path(root), quick="--quick" in sys.argv), flush=True)
