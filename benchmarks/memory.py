"""Memory by prefix on a million keys: how long the doctor's deep look takes, and what an app at work notices of it.

The server has a load, and then next to none, where each answer is mostly a processor that wakes up. The app asks at a
fixed rate and takes the time of each answer, with next to no work of its own. The look is stopped and continued every
half a second, so that whatever else the machine does falls on both times alike. For comparison a process that only
computes, at the same priority, takes the place of the look.

A second table has redis-benchmark's closed loops in the app's place, up to as much as the server can do, and the
server's own times of their commands (`INFO latencystats`).
"""

import csv
import io
import json
import multiprocessing
import os
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import psutil
from tests.support.odd import Odd

from redyard.cli.commands.doctor import BEHIND
from redyard.engine.find import examine, find

KEYS = 1_000_000
ROUNDS = 3
CONNECTIONS, RATES = 10, (10_000, 2_000)
LOADS = {1: 8_000, 10: 20_000, 50: 30_000}
"""Clients of redis-benchmark, and their requests in one turn: some tenths of a second."""

TURN = 0.5
WITHIN, WORSE = 10.0, 1.5
GET = b"*2\r\n$3\r\nGET\r\n$9\r\nsession:1\r\n"

Times = list[float]
Work = subprocess.Popen[bytes] | multiprocessing.Process


class Figures(NamedTuple):
    engine: str
    rate: int
    keys: int
    seconds: float
    client_cpu: float
    engine_cpu: float
    alone: Times
    looking: Times
    computing: Times


class Turn(NamedTuple):
    """What redis-benchmark says of one turn, and the server: requests a second; milliseconds; microseconds."""

    rate: float
    middle: float
    slow: float
    own: float


def fill(server: Odd) -> None:
    for prefix, ending in (("session", ", 'EX', 9000"), ("product", "")):
        loop = f"for i = ARGV[1], ARGV[2] do redis.call('SET', '{prefix}:' .. i, 'value of ' .. i{ending}) end"
        for first in range(1, KEYS // 2, KEYS // 100):
            server.do("EVAL", loop, 0, first, first + KEYS // 100 - 1)


def app(port: int, rate: int, line: Connection) -> None:
    """Ask so many times a second, on one connection after the other; tell the times when asked to."""
    made = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    places = {one.fileno(): place for place, one in enumerate(made)}
    watched = [*places, line.fileno()]  # by select: poll counts whole milliseconds
    times, sent, place, due = Times(), [0.0] * CONNECTIONS, 0, time.perf_counter()
    while True:
        now = time.perf_counter()
        if now >= due:
            if not sent[place]:  # else its answer is still to come
                sent[place] = time.perf_counter()
                made[place].send(GET)
            place, due = (place + 1) % CONNECTIONS, max(due + 1 / rate, now)
        ready, _, _ = select.select(watched, (), (), max(0.0, due - time.perf_counter()))
        for descriptor in ready:
            if descriptor == line.fileno():
                if not line.recv():
                    return
                line.send(times)
                times = Times()
            else:
                asked = places[descriptor]
                made[asked].recv(100)
                times.append(time.perf_counter() - sent[asked])
                sent[asked] = 0.0


def compute() -> None:
    """Take what is left of the processors for some seconds."""
    os.nice(BEHIND)
    until = time.perf_counter() + 4
    while time.perf_counter() < until:
        pass


def words(server: Odd) -> list[str]:
    return [sys.executable, "-m", "redyard", "doctor", server.url(), "--memory", "--json"]


def beside(server: Odd, engine: str, rate: int) -> Figures:
    """Look at the keys beside an app that asks at this rate."""
    ours, theirs = multiprocessing.Pipe()
    at_work = multiprocessing.Process(target=app, args=(server.port, rate, theirs), daemon=True)
    alone, looking, computing = Times(), Times(), Times()
    at_work.start()
    rounds = [look(server) for _ in range(ROUNDS)]
    for _ in range(ROUNDS):
        in_turns(partial(answers, ours), looker(server), alone, looking)
        in_turns(partial(answers, ours), multiprocessing.Process(target=compute), alone, computing)
    ours.send(False)
    at_work.join()
    keys, *figures = map(statistics.median, zip(*rounds, strict=True))
    return Figures(engine, rate, int(keys), *figures, alone, looking, computing)


def looker(server: Odd) -> Work:
    return subprocess.Popen(words(server), stdout=subprocess.DEVNULL)


def look(server: Odd) -> tuple[float, ...]:
    """Look once without a pause: the keys, the seconds, and the CPU seconds of the look and of the engine."""
    process = psutil.Process(server.process.pid)
    engine, client, began = sum(process.cpu_times()[:2]), children(), time.perf_counter()
    said = subprocess.run(words(server), check=True, capture_output=True)
    took = time.perf_counter() - began
    return json.loads(said.stdout)["keys"], took, children() - client, sum(process.cpu_times()[:2]) - engine


def answers(line: Connection) -> Times:
    """Return the times of the app's next half a second."""
    time.sleep(TURN)
    line.send(True)
    return list(line.recv())


def pressed(server: Odd, tool: str, clients: int) -> list[Turn]:
    """Let redis-benchmark ask as fast as it is answered."""
    server.do("CONFIG", "RESETSTAT")
    asked = [tool, "-p", server.port, "-c", clients, "-n", LOADS[clients], "-t", "get", "--csv"]
    said = subprocess.run([*map(str, asked)], check=True, capture_output=True, text=True).stdout
    *_, row = csv.DictReader(io.StringIO(said))
    own = float(server.do("INFO", "latencystats")["latency_percentiles_usec_get"]["p99"])
    return [Turn(float(row["rps"]), float(row["p50_latency_ms"]), float(row["p99_latency_ms"]), own)]


def under_load(server: Odd, tool: str, clients: int) -> tuple[float, Turn, Turn]:
    """Return the seconds of a look beside so many clients, and the middle of their turns alone and beside the look."""
    alone, looking = list[Turn](), list[Turn]()
    in_turns(partial(pressed, server, tool, clients), looker(server), alone, looking)
    asked = [tool, "-p", server.port, "-c", clients, "-l", "-t", "get", "-q"]
    load = subprocess.Popen([*map(str, asked)], stdout=subprocess.DEVNULL)
    try:
        _, took, *_ = look(server)
    finally:
        load.kill()
        load.wait()
    # The look ended somewhere in the last turn.
    return took, middle(alone), middle(looking[:-1] or looking)


def middle(turns: list[Turn]) -> Turn:
    return Turn(*map(statistics.median, zip(*turns, strict=True)))


def in_turns(answers: Callable[[], list[Any]], other: Work, alone: list[Any], beside: list[Any]) -> None:
    """Let the other work half of the time, and take answers while it does and while it does not."""
    if isinstance(other, multiprocessing.Process):
        other.start()
    answers()
    while (other.poll() is None) if isinstance(other, subprocess.Popen) else other.is_alive():
        os.kill(other.pid or 0, signal.SIGSTOP)
        alone += answers()
        os.kill(other.pid or 0, signal.SIGCONT)
        beside += answers()


def children() -> float:
    """Return the CPU seconds of the processes that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def shown(times: Times) -> tuple[float, float]:
    """Return the middle and the slowest hundredth, in milliseconds."""
    return statistics.median(times) * 1000, statistics.quantiles(times, n=100)[98] * 1000


def shown_beside(server: Odd, engine: str) -> None:
    head = "engine | requests/s | keys | seconds | CPU s: look, engine | app alone: p50, p99 | beside mere work"
    print(f"| {head} | beside the look | p99 to alone | holds |\n" + "|---" * 10 + "|")
    for rate in RATES:
        row = beside(server, engine, rate)
        alone, computing, looking = map(shown, (row.alone, row.computing, row.looking))
        holds = row.keys == KEYS and row.seconds <= WITHIN and looking[1] <= WORSE * alone[1]
        times = " | ".join(f"{middle:.2f}, {slow:.2f} ms" for middle, slow in (alone, computing, looking))
        cost = f"{row.rate:,} | {row.keys:,} | {row.seconds:.1f} | {row.client_cpu:.1f}, {row.engine_cpu:.1f}"
        worse = f"{looking[1] / alone[1]:.2f} | {'yes' if holds else 'no'}"
        print(f"| {row.engine} | {cost} | {times} | {worse} |", flush=True)
    print()


def shown_under_load(server: Odd, engine: str) -> None:
    if not (tool := shutil.which("redis-benchmark")):
        print("No redis-benchmark here: no closed loops.\n")
        return
    head = "engine | clients | look's seconds | alone: requests/s, p50, p99 | beside the look | p99 to alone"
    print(f"| {head} | the server's own p99 of GET |\n" + "|---" * 7 + "|")
    for clients in LOADS:
        took, alone, looking = under_load(server, tool, clients)
        times = " | ".join(f"{row.rate:,.0f}, {row.middle:.2f}, {row.slow:.2f} ms" for row in (alone, looking))
        own = f"{alone.own:.0f} and {looking.own:.0f} us"
        print(f"| {engine} | {clients} | {took:.1f} | {times} | {looking.slow / alone.slow:.2f} | {own} |", flush=True)
    print()


def main() -> None:
    print(f"### Memory by prefix: {KEYS:,} keys, beside an app of {CONNECTIONS} connections\n")
    peer = shutil.which("redis-server")
    for engine in (find(), *([examine(peer)] if peer else [])):
        server = Odd(engine)
        try:
            fill(server)
            shown_beside(server, f"{engine.name} {engine.version}")
            shown_under_load(server, f"{engine.name} {engine.version}")
        finally:
            server.close()


if __name__ == "__main__":
    main()
