"""The queue against its peers: no-op jobs of 200 B, added and worked by processes of their own.

Each peer has its environment, as their pins of redis-py exclude each other; they take turns with each load, so that
what else the machine does meets all of them. A ratio compares two figures of a round; figures are medians over rounds.
Where one job runs at a time, worker and server share a core, as client and server do in `client`: on two, the time of a
wake-up across cores is as long as the job, and which of both a round gets is chance. `--two-cores` measures that.
Node's and Python's BullMQ try and keep jobs as Redyard does by default. `--quick` takes three minutes;
`--peers=saq,node` measures Redyard and those alone.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import redis

from benchmarks.peers import environments
from benchmarks.peers.process import ROOT, Server, share_core

US, NODE, PORT = "redyard", "node", "bullmq"
NAMES = {
    US: "Redyard",
    NODE: "Node bullmq",
    PORT: "Python bullmq",
    "taskiq": "taskiq (stream)",
    "arq": "arq",
    "saq": "SAQ",
    "dramatiq": "dramatiq",
    "rq": "RQ (SimpleWorker)",
    "celery": "Celery (solo, threads)",
}
FAR, ALONE = "100 far", "1"
LOADS: dict[str, int] = {"100": 100, "10": 10, ALONE: 1, FAR: 100}
"""The jobs that run at once, by load; `far` is through a round trip of 2.6 ms."""

ROUND_TRIP = 0.0026
JOBS = 10_000
AGAIN = 4
"""Times that one job at a time, Node's and ours, is measured again in a round: its 0.2 ms are mostly chance."""

FEWER: dict[tuple[str, str], int] = {
    ("arq", "1"): 20,
    ("arq", "10"): 1000,
    ("arq", "100"): 4000,
    ("arq", FAR): 500,
    (PORT, FAR): 1000,
    ("rq", "1"): 1000,
    ("celery", "1"): 3000,
    ("celery", FAR): 1000,
    ("dramatiq", "1"): 2000,
    ("dramatiq", FAR): 3000,
}
"""Of what is slow, a part says as much."""

UNABLE = {("rq", "100"), ("rq", "10"), ("rq", FAR)}
TWO = "--two-cores"
LIGHT = 300
LONGEST = 120
"""Seconds that an order may take."""

ADD, LIGHT_LOAD = "add, 100 at once", "light"
BARS: dict[str, tuple[float, float | None]] = {ADD: (1.3, 4), "100": (1.2, 4), "10": (1.1, None), "1": (1.5, None)}
BARS[FAR] = (1.1, 3)
"""How many times Node's jobs per second ours must be, and how many times those of each Python peer."""

CEILING, CPU = 0.65, 0.1
P50, P99 = 0.001, 0.005
CONNECTIONS = {"work": 2, "add": 1}


class Plan(NamedTuple):
    rounds: int
    part: int
    """What part of the jobs is done: 1 is all, 5 a fifth."""


class Figures(NamedTuple):
    """Jobs per second, client's CPU us per job, server connections, us in scripts per job and scripts per job."""

    rate: float
    cpu: float
    connections: int
    script: float
    scripts: float


Round = dict[tuple[str, str], Figures]
Delays = dict[str, list[float]]


class Bench:
    """A server, the way to it that takes its time, and the peers' programs."""

    def __init__(self, server: Server, far: str, programs: dict[str, list[str]]) -> None:
        self.server = server
        self.far = far
        self.programs = programs

    def order(self, peer: str, do: str, jobs: int, load: str = "10") -> tuple[dict[str, Any], int]:
        """Let a peer do an order; return what it says and the most connections the server saw meanwhile."""
        url = self.far if load == FAR else f"{self.server.urls['TCP']}/0"
        order = json.dumps({"do": do, "url": url, "jobs": jobs, "concurrency": LOADS[load]})
        process = subprocess.Popen([*self.programs[peer], order], cwd=ROOT, text=True, stdout=subprocess.PIPE)
        share_core([process.pid, self.server.process.pid], do == "work" and load == ALONE and TWO not in sys.argv)
        with kept_in_time(process):
            most = self.connections_until(process)
        assert process.returncode == 0, f"{peer} cannot {order}"
        return json.loads(process.stdout.readline()), most

    def connections_until(self, process: subprocess.Popen[str]) -> int:
        most, over = 0, threading.Event()
        while process.poll() is None:
            most = max(most, self.server.connections())
            over.wait(0.05)
        return most

    def pair(self, peer: str, load: str, jobs: int) -> Iterator[tuple[str, Figures]]:
        """Add jobs and work them."""
        line = self.server.line
        line.flushall()
        said, connections = self.order(peer, "add", max(jobs, 100))
        yield ADD, Figures(said["rate"], said["cpu"], connections, 0, 0)
        line.config_resetstat()
        said, connections = self.order(peer, "work", jobs, load)
        stats = line.info("commandstats")
        scripts = [stats[name] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats]
        cost = (sum(stat[figure] for stat in scripts) / jobs for figure in ("usec", "calls"))
        yield load, Figures(said["rate"], said["cpu"], connections, *cost)

    def turn(self, peers: list[str], part: int) -> Round:
        """Measure everything, peer after peer with each load; of what is measured often, the typical one counts."""
        made: dict[tuple[str, str], list[Figures]] = defaultdict(list)
        turns = [(load, peer) for load in LOADS for peer in peers]
        turns += [(ALONE, peer) for _ in range(AGAIN) for peer in peers if peer in (US, NODE)]
        for load, peer in turns:
            if (peer, load) not in UNABLE:
                jobs = max(FEWER.get((peer, load), JOBS) // part // 100 * 100, 20)
                for what, figures in self.pair(peer, load, jobs):
                    if what != ADD or jobs >= 500 or not made[peer, what]:
                        made[peer, what].append(figures)
        return {what: sorted(figures)[len(figures) // 2] for what, figures in made.items()}

    def round_trip(self) -> float:
        """Return the milliseconds that a PING takes by the way that takes its time."""
        with redis.Redis.from_url(self.far) as client:
            client.ping()
            return statistics.median(clock(client.ping) for _ in range(200)) * 1000

    def light(self, peer: str) -> list[float]:
        """Return the seconds from adding a job to its start, on a worker that is idle but for it."""
        self.server.line.flushall()
        return list(self.order(peer, "light", LIGHT, "1" if peer == "rq" else "10")[0]["seconds"])


def clock(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@contextmanager
def kept_in_time(process: subprocess.Popen[str]) -> Iterator[None]:
    """End a process that hangs, whose order then fails."""
    timer = threading.Timer(LONGEST, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def bench() -> Iterator[Bench]:
    load = ["-m", "benchmarks.peers.queues.load"]
    programs = {US: [sys.executable, *load, US]}
    if program := environments.node():
        programs[NODE] = [*program, str(ROOT / "benchmarks/peers/queues/bullmq.cjs")]
    for peer in NAMES:
        if peer not in (US, NODE):
            programs[peer] = [
                *environments.python(environments.HERE / f"queues/{peer}.txt", environments.ROOT / f"python-{peer}"),
                *load,
                peer,
            ]
    with tempfile.TemporaryDirectory(prefix="redyard-bench-", dir="/tmp") as directory, ExitStack() as stack:
        server = Server(directory)
        stack.callback(server.close)
        command = [sys.executable, "-m", "benchmarks.peers.delay", str(server.port), str(ROUND_TRIP / 2)]
        delay = stack.enter_context(subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE))
        stack.callback(delay.kill)
        yield Bench(server, f"redis://127.0.0.1:{delay.stdout.readline().strip()}/0", programs)


def measure(plan: Plan) -> tuple[list[Round], list[Delays]]:
    """Run the rounds, each beginning with another peer."""
    rounds: list[Round] = []
    delays: list[Delays] = []
    with bench() as made:
        peers = [peer for peer in made.programs if wanted(peer)]
        print(f"far: a round trip of {made.round_trip():.1f} ms as measured\n")
        for number in range(plan.rounds):
            order = peers[number % len(peers) :] + peers[: number % len(peers)]
            rounds.append(made.turn(order, plan.part))
            delays.append({peer: made.light(peer) for peer in order})
    return rounds, delays


def wanted(peer: str) -> bool:
    """Say whether to measure a peer: we are always, and the others unless some were named."""
    named = [word.removeprefix("--peers=").split(",") for word in sys.argv if word.startswith("--peers=")]
    return peer == US or not named or peer in named[0]


def median(rounds: Iterable[Round], peer: str, what: str, figure: Callable[[Figures], float]) -> float | None:
    found = [figure(turn[peer, what]) for turn in rounds if (peer, what) in turn]
    return statistics.median(found) if found else None


def verdict(holds: bool) -> str:
    return "holds" if holds else "MISSES"


def print_rows(*rows: Iterable[str]) -> None:
    for number, row in enumerate(rows):
        words = list(row)
        print(f"| {' | '.join(words)} |")
        if number == 0:
            print(f"|{'---|' * len(words)}")
    print()


def number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def did(rounds: list[Round], delays: list[Delays], peer: str) -> Iterator[str]:
    """Yield what a peer did."""
    yield NAMES[peer]
    for what in (ADD, *LOADS):
        yield number(median(rounds, peer, what, lambda figures: figures.rate))
    yield number(median(rounds, peer, "1" if peer == "rq" else "10", lambda figures: figures.cpu))
    for what in (ADD, "10", "100"):
        yield number(median(rounds, peer, what, lambda figures: figures.connections))
    for part in (0.5, 0.99):
        yield number(late(delays, peer, part) * 1000, 2)


def late(delays: list[Delays], peer: str, part: float) -> float:
    """Return the time below which that part of the jobs began, in the typical round."""
    return statistics.median(turn[peer][min(int(len(turn[peer]) * part), len(turn[peer]) - 1)] for turn in delays)


def against(rounds: list[Round], peer: str) -> Iterator[str]:
    """Yield how many times a peer's jobs a second we did in the same rounds, and whether that reaches the bar."""
    yield NAMES[peer]
    for what, bars in BARS.items():
        there = [turn for turn in rounds if (peer, what) in turn]
        bar = bars[0] if peer == NODE else bars[1]
        if not there:
            yield "-"
            continue
        ratio = statistics.median(turn[US, what].rate / turn[peer, what].rate for turn in there)
        yield f"{ratio:.2f}" if bar is None else f"{ratio:.2f} ({verdict(ratio >= bar)} {bar:g})"


def ours(rounds: list[Round], delays: list[Delays]) -> Iterator[tuple[str, str, str]]:
    """Yield our own bars: what, how much, the verdict."""
    share = statistics.median(turn[US, "100"].rate * turn[US, "100"].script / 1e6 for turn in rounds)
    script, scripts = (
        statistics.median(getattr(turn[US, "100"], word) for turn in rounds) for word in Figures._fields[3:]
    )
    yield (
        "of the scripts' own ceiling, concurrency 100",
        f"{share:.0%} of {1e6 / script:,.0f} jobs/s",
        at_least(share, CEILING),
    )
    yield "scripts a job, concurrency 100", f"{scripts:.2f}", ""
    if (PORT, "10") in rounds[0]:
        cpu = statistics.median(turn[US, "10"].cpu / turn[PORT, "10"].cpu for turn in rounds)
        yield "worker CPU a job to Python bullmq's, concurrency 10", f"1/{1 / cpu:.1f}", at_most(cpu, CPU)
    for part, bar in ((0.5, P50), (0.99, P99)):
        found = late(delays, US, part)
        yield f"light load, add to start, p{part * 100:g}", f"{found * 1000:.2f} ms", at_most(found, bar)
    for what, bar in (("100", CONNECTIONS["work"]), (ADD, CONNECTIONS["add"])):
        most = max(turn[US, what].connections for turn in rounds)
        yield f"connections ({what})", f"{most}", at_most(most, bar)


def at_least(found: float, bar: float) -> str:
    return f"{verdict(found >= bar)} {bar:g}"


def at_most(found: float, bar: float) -> str:
    return f"{verdict(found <= bar)} {bar:g}"


def main() -> None:
    quick = "--quick" in sys.argv
    rounds, delays = measure(Plan(rounds=1, part=5) if quick else Plan(rounds=3, part=1))
    peers = [peer for peer in NAMES if (peer, ADD) in rounds[0]]
    print("**Queue**: jobs a second by how many run at once, and what that takes\n")
    head = [
        "",
        ADD,
        *(f"work, {load}" for load in LOADS),
        "us CPU a job (10)",
        "connections: add",
        "work 10",
        "work 100",
    ]
    print_rows([*head, "light p50 ms", "p99 ms"], *(did(rounds, delays, peer) for peer in peers))
    print("**Queue**: our jobs a second to theirs in the same round, and the bar\n")
    print_rows(
        ["", ADD, *(f"work, {load}" for load in LOADS)], *(against(rounds, peer) for peer in peers if peer != US)
    )
    print("**Queue**: our own bars\n")
    print_rows(["", "found", "bar"], *ours(rounds, delays))
