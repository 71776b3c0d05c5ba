"""The client against its peers: GET and SET of 32 B and 1 KiB at 1 to 1,000 callers, over TCP and a Unix socket.

Every peer is a process of its own and stays for the whole run; they take turns at each measurement, so that what else
the machine does meets all of them. A ratio compares two measurements of the same round; a figure is the geometric
mean over the four loads of a round, and the median over the rounds. With few callers client and server share a core:
on two, the time of a wake-up across cores would be all that is measured. `--quick` takes a minute or two.
"""

import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks.peers.process import Figures, Server, Worker, workers

CALLERS = (1, 10, 100, 1000)
Load = tuple[str, int]
Loads = tuple[Load, ...]
LOADS: Loads = tuple((op, size) for op in ("get", "set") for size in (32, 1024))
PINNED = 10
"""Callers up to which client and server share a core."""

US = "redyard"
BARS: dict[str, tuple[float, ...]] = {
    "redispy": (2.2, 9, 11, 15),
    "coredis": (5, 10, 18, 25),
    "glide": (3, 8, 6, 6),
    "ioredis": (1.5, 1.8, 1.8, 1.8),
    "ceiling": (0.7, 0.7, 0.7, 0.5),
}
"""How many times a peer's commands per second ours must be, by callers."""

NAMES = {
    US: "Redyard",
    "redispy": "redis-py",
    "coredis": "coredis",
    "glide": "valkey-glide",
    "ioredis": "ioredis, enableAutoPipelining",
    "ceiling": "ceiling of asyncio",
}

CPU = (15, 3.5, 3.5, 3.5)
"""Microseconds of the client's CPU that a command may cost, by callers."""


class Plan(NamedTuple):
    rounds: int
    seconds: float
    loads: Loads
    ways: tuple[str, ...]


FULL = Plan(rounds=5, seconds=0.3, loads=LOADS, ways=("TCP", "Unix socket"))
QUICK = Plan(rounds=2, seconds=0.25, loads=(LOADS[0], LOADS[3]), ways=("TCP",))


class Cell(NamedTuple):
    """What one measurement is of; its figures are kept by this."""

    peer: str
    way: str
    callers: int
    load: Load


Round = dict[Cell, Figures]


def cells(plan: Plan, peers: list[str]) -> Iterator[Cell]:
    """Yield a round's measurements: the peers' turns at the same load follow one another."""
    for way in plan.ways:
        for callers in CALLERS:
            for load in plan.loads:
                for peer in peers:
                    if not (peer == "glide" and way != "TCP"):  # it has no Unix sockets
                        yield Cell(peer, way, callers, load)


def measure(plan: Plan) -> list[Round]:
    """Run the rounds, each beginning with another peer."""
    files = min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    with tempfile.TemporaryDirectory(prefix="redyard-bench-", dir="/tmp") as directory, ExitStack() as stack:
        server = Server(directory)
        stack.callback(server.close)
        made = stack.enter_context(workers())
        for peer in made:  # compilers need a while, Node's above all
            for load in LOADS:
                take(server, made, Cell(peer, "TCP", 100, load), 0.5)
        peers, rounds = list(made), []
        for turn in range(plan.rounds):
            order = peers[turn % len(peers) :] + peers[: turn % len(peers)]
            rounds.append({cell: take(server, made, cell, plan.seconds) for cell in cells(plan, order)})
        return rounds


def take(server: Server, made: dict[str, Worker], cell: Cell, seconds: float) -> Figures:
    op, size = cell.load
    order = {"url": server.urls[cell.way], "op": op, "size": size, "callers": cell.callers, "seconds": seconds}
    return made[cell.peer].measure(server, order, one_core=cell.callers <= PINNED)


def typical(rounds: list[Round], loads: Loads, figure: Callable[[Round, Load], float]) -> float:
    """Return the median over the rounds of the geometric mean over the loads."""
    return statistics.median(statistics.geometric_mean(figure(turn, load) for load in loads) for turn in rounds)


def did(rounds: list[Round], plan: Plan, peer: str, way: str) -> Iterator[str]:
    """Yield what a client did, for each number of callers."""
    for callers in CALLERS:

        def found(turn: Round, load: Load, callers: int = callers) -> Figures:
            return turn[Cell(peer, way, callers, load)]

        rate = typical(rounds, plan.loads, lambda turn, load: found(turn, load).rate) / 1000
        cpu = typical(rounds, plan.loads, lambda turn, load: found(turn, load).cpu)
        most = max(found(turn, load).connections for turn in rounds for load in plan.loads)
        yield f"{rate:.1f}, {cpu:.1f}, {most}"


def against(rounds: list[Round], plan: Plan, peer: str, way: str) -> Iterator[str]:
    """Yield how many times a peer's commands we did, and whether that reaches the bar, for each number of callers."""
    for callers, bar in zip(CALLERS, BARS[peer], strict=True):

        def times(turn: Round, load: Load, callers: int = callers) -> float:
            return turn[Cell(US, way, callers, load)].rate / turn[Cell(peer, way, callers, load)].rate

        ratio = typical(rounds, plan.loads, times)
        yield f"{ratio:.2f} ({verdict(ratio >= bar)} {bar:g})"


def cost(rounds: list[Round], load: Load, way: str) -> Iterator[str]:
    """Yield what a command costs us, and whether that keeps the bar, for each number of callers."""
    for callers, bar in zip(CALLERS, CPU, strict=True):
        cpu = statistics.median(turn[Cell(US, way, callers, load)].cpu for turn in rounds)
        yield f"{cpu:.2f} ({verdict(cpu <= bar)} {bar:g})"


def verdict(holds: bool) -> str:
    return "holds" if holds else "MISSES"


def table(title: str, rows: Iterable[tuple[str, Iterable[str]]]) -> None:
    first, _, rest = title.partition(": ")
    print(f"**{first}**: {rest}\n")
    for words in (["", *(f"N={callers}" for callers in CALLERS)], ["---"] * (len(CALLERS) + 1)):
        print(f"| {' | '.join(words)} |")
    for name, row in rows:
        print(f"| {name} | {' | '.join(row)} |")
    print()


def main() -> None:
    plan = QUICK if "--quick" in sys.argv else FULL
    rounds = measure(plan)
    for way in plan.ways:
        there = {cell.peer for cell in rounds[0] if cell.way == way}
        peers = [peer for peer in NAMES if peer in there]
        table(
            f"{way}: thousands of commands a second, microseconds of the client's CPU for one, server connections",
            ((NAMES[peer], did(rounds, plan, peer, way)) for peer in peers),
        )
        table(
            f"{way}: our commands per second to theirs in the same round, and the bar",
            ((NAMES[peer], against(rounds, plan, peer, way)) for peer in peers if peer != US),
        )
        table(
            f"{way}: microseconds of our CPU for one command, and the bar",
            ((f"{op.upper()} {size} B", cost(rounds, (op, size), way)) for op, size in plan.loads),
        )
