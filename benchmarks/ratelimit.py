"""Rate limits against their peers: decisions in a process, and requests through an app.

Decisions: every peer is a process of its own and they take turns; each of 100 callers hits a key of its own, then one
caller a key that is refused. Over-admission: 100 callers in two processes hit one key. Requests: every app runs under
uvicorn (or Express) and answers wrk's 32 connections, all in turn; a figure is the median of the rounds, a ratio the
median of their ratios. `--quick` takes two or three minutes.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.limiters.serve import Answered, serving, wrk
from benchmarks.peers import environments
from benchmarks.peers.process import ROOT, Server, Worker

HERE = Path(__file__).parent / "limiters"
US = "redyard"
PEERS = {
    US: "Redyard",
    "limits_fixed": "limits, fixed window",
    "limits_moving": "limits, moving window",
    "throttled_gcra": "throttled-py, GCRA",
    "cashews_slice": "cashews, slice_rate_limit",
    "alcazaba": "fastapi-alcazaba",
}
APPS = {
    "bare": "FastAPI, no limiter",
    US: "Redyard's middleware, around the app",
    "redyard_added": "Redyard's middleware, by add_middleware",
    "redyard_dependency": "Redyard's dependency",
    "alcazaba": "fastapi-alcazaba",
    "slowapi": "slowapi",
    "fastapi_limiter": "fastapi-limiter, bucket in Redis",
}
NODE_APPS = {
    "express_bare": "Express, no limiter",
    "express_rate_limit": "express-rate-limit + rate-limit-redis",
    "rate_limiter_flexible": "rate-limiter-flexible",
}
BUDGET = 1000
DECISIONS, P99, REFUSED = 60_000, 5.0, 1_000_000
KEPT, FASTER = 0.55, 2.0
"""What a limited app keeps of the bare one's rate; how many times that rate the middleware around an app refuses at."""


class Plan(NamedTuple):
    rounds: int
    seconds: float


FULL, QUICK = Plan(rounds=5, seconds=2), Plan(rounds=2, seconds=1)
Order = dict[str, Any]


def ask(server: Server, worker: Worker, **order: Any) -> dict[str, float]:
    """Give a worker an order on an empty server, and return its figures."""
    server.line.flushall()
    return finish(begin(server, worker, **order))


def begin(server: Server, worker: Worker, **order: Any) -> Worker:
    print(json.dumps({"url": server.urls["TCP"], **order}), file=worker.process.stdin, flush=True)
    return worker


def finish(worker: Worker) -> dict[str, float]:
    assert worker.answer()["warm"]
    return worker.answer()


def decisions(server: Server, workers: dict[str, Worker], plan: Plan) -> None:
    many, refused = {peer: [] for peer in workers}, {peer: [] for peer in workers}
    for _ in range(plan.rounds):
        for peer, worker in workers.items():
            many[peer].append(ask(server, worker, kind="many", limit=10**6, per=1, callers=100, seconds=plan.seconds))
            refused[peer].append(
                ask(server, worker, kind="refused", limit=1, per=3600, callers=1, seconds=plan.seconds)
            )
    print("| | decisions a second, 100 callers | p99, ms | a refused key, a second |\n|---|---|---|---|")
    for peer in workers:
        rate, slow, flood = (
            median(many[peer]),
            statistics.median(one["p99"] for one in many[peer]),
            median(refused[peer]),
        )
        bars = (
            ("", "", "") if peer != US else (verdict(rate, DECISIONS), verdict(P99, slow, P99), verdict(flood, REFUSED))
        )
        print(f"| {PEERS[peer]} | {rate:,.0f}{bars[0]} | {slow:.1f}{bars[1]} | {flood:,.0f}{bars[2]} |")
    print()


def over_admission(server: Server, first: Worker, second: Worker, plan: Plan) -> None:
    """Let 100 callers in two processes hit one key whose budget does not come back meanwhile."""
    server.line.flushall()
    both = [
        begin(server, worker, kind="one", limit=BUDGET, per=10**6, callers=50, seconds=plan.seconds)
        for worker in (first, second)
    ]
    allowed = int(sum(finish(worker)["allowed"] for worker in both))
    print(
        f"Two processes with 100 callers and a budget of {BUDGET:,}: {allowed:,} allowed{verdict(BUDGET, allowed, 0)}\n"
    )


def requests(server: Server, plan: Plan) -> None:
    python = environments.python(HERE / "requirements.txt", environments.ROOT / "limiters")
    node = environments.node(HERE / "package-lock.json", environments.ROOT / "node-limiters")
    commands = {name: [*python, "-m", "benchmarks.limiters.apps", name] for name in APPS}
    if node:
        commands |= {name: [*node, str(HERE / "apps.cjs"), name] for name in NODE_APPS}
    found: dict[str, list[tuple[Answered, Answered]]] = {name: [] for name in commands}
    for _ in range(plan.rounds):
        for name, command in commands.items():
            server.line.flushall()
            with serving(command, server.urls["TCP"]) as address:
                found[name].append(tuple(wrk(f"{address}/{path}", plan.seconds) for path in ("free", "shut")))
    report(found)


def report(found: dict[str, list[tuple[Answered, Answered]]]) -> None:
    print("| | allowed, req/s | of the bare app | p99, ms | refused, req/s | to the bare app's answers |")
    print("|---|---|---|---|---|---|")
    for name, rounds in found.items():
        base = [free.rate for free, _ in found["express_bare" if name in NODE_APPS else "bare"]]
        free, slow = statistics.median(one.rate for one, _ in rounds), statistics.median(one.p99 for one, _ in rounds)
        shut = statistics.median(one.rate for _, one in rounds)
        kept = statistics.median(one.rate / bare for (one, _), bare in zip(rounds, base, strict=True))
        faster = statistics.median(one.rate / bare for (_, one), bare in zip(rounds, base, strict=True))
        kept_bar = verdict(kept, KEPT) if name.startswith(US) else ""
        faster_bar = verdict(faster, FASTER) if name == US else ""
        last = f"{shut:,.0f} | {faster:.2f}{faster_bar}" if all(one.refused for _, one in rounds) else "- | -"
        print(f"| {(APPS | NODE_APPS)[name]} | {free:,.0f} | {kept:.0%}{kept_bar} | {slow:.1f} | {last} |")
    print()


def median(rounds: Iterable[dict[str, float]]) -> float:
    return statistics.median(one["done"] / one["seconds"] for one in rounds)


def verdict(value: float, bar: float, shown: float | None = None) -> str:
    """Say whether a value reaches its bar; give the two the other way round where less is better."""
    return f" ({'holds' if value >= bar else 'MISSES'} {bar if shown is None else shown:,g})"


def main() -> None:
    plan = QUICK if "--quick" in sys.argv else FULL
    os.environ["PYTHONPATH"] = f"{ROOT / 'src'}:{ROOT}"
    python = environments.python(HERE / "requirements.txt", environments.ROOT / "limiters")
    with tempfile.TemporaryDirectory(prefix="redyard-bench-", dir="/tmp") as directory, ExitStack() as stack:
        server = Server(directory)
        stack.callback(server.close)
        workers = {}
        for peer in (*PEERS, "second"):
            module = US if peer == "second" else peer
            workers[peer] = Worker(peer, [*python, "-m", "benchmarks.limiters.load", module])
            stack.callback(workers[peer].close)
        second = workers.pop("second")
        decisions(server, workers, plan)
        over_admission(server, workers[US], second, plan)
        if shutil.which("wrk"):
            requests(server, plan)
        else:
            print("Requests through an app are not measured: wrk is missing (apt-get install wrk).")


if __name__ == "__main__":
    main()
