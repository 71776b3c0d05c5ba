"""Backups against the engine's own replica: how much the server slows down, how far the follower lags, what it needs.

A store takes writes at the full rate of redis-benchmark (32 in a pipeline), with a replica of the engine's own
attached, and with a follower in a process of its own; they take turns. Then the newest state is restored, beside the
engine's own loading of the very same files. `--quick` writes less.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from tests.support.servers import PASSWORDS, Server
from tests.support.wait import wait_until

from redyard.backups import restore
from redyard.backups.alone import spool_for
from redyard.backups.scratch import scratch
from redyard.backups.storage import Directory
from redyard.engine.find import Engine, examine, find
from redyard.units import SIZES

ROUNDS, WRITES = 3, 1_500_000
QUICK_ROUNDS, QUICK_WRITES = 2, 500_000
KEYS, VALUE = 200_000, 100
MEMORY = 2 * SIZES["gb"]
THROUGHPUT_BAR, LAG_BAR, MEMORY_BAR, RESTORE_BAR = 0.85, 2.0, 100 * SIZES["mb"], 0.80


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


def one(engine: Engine, rounds: int, count: int, root: Path) -> tuple[list[tuple[Run, Run]], float, float]:
    server = Server(engine, memory=MEMORY)
    runs = []
    try:
        server.admin("CONFIG", "SET", "appendonly", "no")
        for number in range(rounds):
            server.admin("FLUSHALL")
            with replicated(server, engine) as peer:
                theirs = measure(server, count, peer)
            server.admin("FLUSHALL")
            with followed(server, root / str(number)) as peer:
                ours = measure(server, count, peer)
            runs.append((theirs, ours))
    finally:
        server.close()
    return runs, *restoring(engine, Directory(root / str(rounds - 1)))


def restoring(engine: Engine, storage: Directory) -> tuple[float, float]:
    """Return the seconds of a whole restore, and of the engine's own loading within it."""
    spent = []

    def fill(data: Path) -> None:
        began = time.monotonic()
        restore.assemble(storage, restore.latest(storage), data)
        spent.append(time.monotonic() - began)

    with scratch(engine, fill) as made:
        return spent[0] + made.seconds, made.seconds


def main() -> None:
    rounds, count = (QUICK_ROUNDS, QUICK_WRITES) if "--quick" in sys.argv else (ROUNDS, WRITES)
    engines = [find(), *([examine(path)] if (path := shutil.which("redis-server")) else [])]
    print(
        "| engine | writes/s, own replica | writes/s, followed | ratio | bar | lag below 1 s | bar | memory | bar "
        "| restore: the engine's loading | bar | verdict |"
    )
    print("|---" * 12 + "|")
    for engine in engines:
        with tempfile.TemporaryDirectory(prefix="redyard-bench-", dir="/tmp") as root:
            runs, whole, loading = one(engine, rounds, count, Path(root))
        ratio = statistics.median(ours.per_second / theirs.per_second for theirs, ours in runs)
        lag = statistics.median(ours.caught_up for _, ours in runs)
        memory = max(ours.memory for _, ours in runs)
        fine = ratio >= THROUGHPUT_BAR and lag <= LAG_BAR and memory <= MEMORY_BAR and loading / whole >= RESTORE_BAR
        rates = [statistics.median(pair[which].per_second for pair in runs) for which in (0, 1)]
        print(
            f"| {engine.name} {engine.version} | {rates[0]:,.0f} | {rates[1]:,.0f} | {ratio:.2f} | {THROUGHPUT_BAR} "
            f"| {lag:.2f} s | {LAG_BAR} s | {memory / SIZES['mb']:.0f} MB | {MEMORY_BAR / SIZES['mb']:.0f} MB "
            f"| {loading / whole:.2f} ({whole:.1f} s) | {RESTORE_BAR} | {'met' if fine else 'MISSED'} |"
        )
