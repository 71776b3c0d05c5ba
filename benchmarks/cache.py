"""The cache against its peers: hits through the decorator, the local level, and many misses of one key at once.

Every peer is a process of its own (two for what happens between processes) and they take turns; figures are medians
over the rounds, a ratio compares two measurements of one round. `--quick` takes less than a minute.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from benchmarks.client import verdict
from benchmarks.peers import environments
from benchmarks.peers.caches.drive import KEYS
from benchmarks.peers.process import ROOT, Server, share_core

US = "redyard"
NAMES = {US: "Redyard", "redispy": "redis-py GET + json", "cashews": "cashews", "aiocache": "aiocache"}
OURS = (US, "redispy")
CACHES = environments.HERE / "requirements-caches.txt"
"""Peers that run in the project's own environment."""

CALLERS = (1, 100, 1000)
TIMES = {"redispy": {1: 1.0, 100: 4.0}, "cashews": {100: 7.0}, "aiocache": {100: 7.0}}
"""How many times a peer's hits per second ours must be, by callers."""

RATES = {100: 60_000, 1000: 40_000}
LOCAL = 100_000
MOST_SECONDS, MOST_COMMANDS = 0.15, 20
DELAY = 0.1
"""Seconds that the load of the missed value takes."""


class Plan(NamedTuple):
    rounds: int
    seconds: float
    writing: float


FULL = Plan(rounds=5, seconds=1.0, writing=3.0)
QUICK = Plan(rounds=2, seconds=0.4, writing=1.0)


class Worker:
    """A peer's process: it takes one order after the other."""

    def __init__(self, peer: str, url: str) -> None:
        python = [sys.executable] if peer in OURS else environments.python(CACHES, environments.ROOT / "caches")
        command = [*python, "-m", "benchmarks.peers.caches.drive", peer, url]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def order(self, **order: Any) -> None:
        print(json.dumps(order), file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        assert line, "a peer ended; its error is above"
        return dict(json.loads(line))

    def do(self, **order: Any) -> dict[str, Any]:
        self.order(**order)
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


@contextmanager
def workers(peer: str, url: str, count: int = 1) -> Iterator[list[Worker]]:
    made = [Worker(peer, url) for _ in range(count)]
    try:
        yield made
    finally:
        for worker in made:
            worker.close()


Cell = tuple[str, int, str]
"""A peer, its callers, and how: "" as usual, "local" with a local level, "one" where all want the same key."""

Hits = dict[Cell, dict[str, Any]]


def hits(server: Server, plan: Plan) -> list[Hits]:
    """Measure hits, each round beginning with another peer."""
    with ExitStack() as stack:
        made = {peer: stack.enter_context(workers(peer, server.urls["TCP"]))[0] for peer in NAMES}
        rounds = []
        for turn in range(plan.rounds):
            order = [*NAMES][turn % len(NAMES) :] + [*NAMES][: turn % len(NAMES)]
            cells = [(peer, callers, "") for callers in CALLERS for peer in order if callers < 1000 or peer == US]
            cells += [(peer, 100, "one") for peer in order]
            cells += [(peer, 100, "local") for peer in order if peer in {US, "cashews"}]
            rounds.append({cell: take(server, made[cell[0]], cell, plan.seconds) for cell in cells})
        return rounds


def take(server: Server, worker: Worker, cell: Cell, seconds: float) -> dict[str, Any]:
    _, callers, how = cell
    server.line.flushall()
    share_core([worker.process.pid, server.process.pid], callers == 1)  # else a core's wake-up is what is measured
    keys = 1 if how == "one" else KEYS
    return worker.do(do="hits", callers=callers, seconds=seconds, local=how == "local", keys=keys)


def misses(server: Server, plan: Plan, peer: str) -> list[tuple[int, float, int]]:
    """Return loads, seconds and commands of 500 misses of one key in two processes, by round."""
    found = []
    with workers(peer, server.urls["TCP"], 2) as pair:
        server.line.flushall()
        for number in range(-1, plan.rounds):  # the first one warms: scripts, connections
            before = commands(server)
            at = time.time() + 0.2
            for worker in pair:
                worker.order(do="misses", callers=250, delay=DELAY, number=1000 + number, at=at)
            answers = [worker.answer() for worker in pair]
            loads = sum(answer["loads"] for answer in answers)
            found.append((loads, max(answer["ended"] for answer in answers) - at, commands(server) - before - 1))
        for worker in pair:
            worker.do(do="drop")
    return found[1:]


def commands(server: Server) -> int:
    return int(server.line.info("stats")["total_commands_processed"])


def wrong(server: Server, plan: Plan, peer: str) -> tuple[int, int]:
    """Return how many keys were wrong in two processes that wrote them, and how many reads and writes they did."""
    with workers(peer, server.urls["TCP"], 2) as pair:
        server.line.flushall()
        for me, worker in enumerate(pair):
            worker.order(do="write", seconds=plan.writing, me=me)
        turns = sum(worker.answer()["turns"] for worker in pair)
        time.sleep(1)
        seen = [worker.do(do="values")["values"] for worker in pair]
        with workers(peer, server.urls["TCP"]) as fresh:
            fresh[0].do(do="write", seconds=0, me=2)
            truth = fresh[0].do(do="values")["values"]
            fresh[0].do(do="drop")
        for worker in pair:
            worker.do(do="drop")
    return sum(mine != theirs for values in seen for mine, theirs in zip(values, truth, strict=True)), turns


def median(rounds: list[Hits], figure: Callable[[Hits], float]) -> float:
    return statistics.median(map(figure, rounds))


def row(words: list[str]) -> None:
    print(f"| {' | '.join(words)} |")


def hit_table(rounds: list[Hits]) -> None:
    print(f"**Hits**: through the decorator, 1 KiB of JSON, {KEYS} keys; a second, microseconds of the client's CPU\n")
    row(["", *(f"N={callers}" for callers in CALLERS), "N=100, one key", "N=100, local level"])
    row(["---"] * 6)
    for peer, name in NAMES.items():
        cells = [(peer, callers, "") for callers in CALLERS] + [(peer, 100, "one"), (peer, 100, "local")]
        row([name, *(shown(rounds, cell) for cell in cells)])
    for peer, bars in TIMES.items():
        words = [ratio_of(rounds, peer, callers, bars[callers]) if callers in bars else "" for callers in CALLERS]
        row([f"ours to {NAMES[peer]}", *words, "", ""])
    words = [""]
    for callers, bar in RATES.items():
        words.append(bar_of(rounds, (US, callers, ""), bar))
    row(["ours, the bar", *words, "", bar_of(rounds, (US, 100, "local"), LOCAL)])
    errors = sum(cell["errors"] for turn in rounds for (peer, *_), cell in turn.items() if peer == US)
    print(f"\nErrors of ours: {errors} ({verdict(not errors)} 0)\n")


def shown(rounds: list[Hits], cell: Cell) -> str:
    if cell not in rounds[0]:
        return ""
    rate = median(rounds, lambda turn: turn[cell]["rate"])
    return f"{rate:,.0f}, {median(rounds, lambda turn: turn[cell]['cpu']):.1f}"


def ratio_of(rounds: list[Hits], peer: str, callers: int, bar: float) -> str:
    ratio = median(rounds, lambda turn: turn[US, callers, ""]["rate"] / turn[peer, callers, ""]["rate"])
    return f"{ratio:.2f} ({verdict(ratio >= bar)} {bar:g})"


def bar_of(rounds: list[Hits], cell: Cell, bar: int) -> str:
    rate = median(rounds, lambda turn: turn[cell]["rate"])
    return f"{rate:,.0f} ({verdict(rate >= bar)} {bar:,})"


def miss_table(found: dict[str, list[tuple[int, float, int]]]) -> None:
    print("**Misses**: 500 of one key in two processes at once, a load of 0.1 s; the most of all rounds\n")
    row(["", "loads", "seconds", "commands"])
    row(["---"] * 4)
    for peer, rounds in found.items():
        loads, seconds, count = (max(values) for values in zip(*rounds, strict=True))
        words = [str(loads), f"{seconds:.3f}", str(count)]
        if peer == US:
            holds = (loads == 1, seconds <= MOST_SECONDS, count <= MOST_COMMANDS)
            bars = ("1", f"{MOST_SECONDS}", str(MOST_COMMANDS))
            words = [f"{word} ({verdict(ok)} {bar})" for word, ok, bar in zip(words, holds, bars, strict=True)]
        row([NAMES[peer], *words])
    print()


def main() -> None:
    plan = QUICK if "--quick" in sys.argv else FULL
    with tempfile.TemporaryDirectory(prefix="redyard-bench-", dir="/tmp") as directory:
        server = Server(directory)
        try:
            hit_table(hits(server, plan))
            miss_table({peer: misses(server, plan, peer) for peer in (US, "cashews", "aiocache")})
            print(
                f"**Coherence**: two processes with a local level write 50 keys for {plan.writing:g} s, then a second's"
            )
            print("silence; keys of 100 that are wrong\n")
            row(["", "wrong", "reads and writes"])
            row(["---"] * 3)
            for peer in (US, "cashews"):
                count, turns = wrong(server, plan, peer)
                row([NAMES[peer], f"{count} ({verdict(not count)} 0)" if peer == US else str(count), f"{turns:,}"])
        finally:
            server.close()
