"""Whole commands with a yard running, an engine's start, and the way back after a kill -9: medians against the bars."""

import signal
import statistics
import time
from collections.abc import Callable

from tests.support.servers import answers
from tests.support.wait import wait_until
from tests.support.yards import Sandbox

RUNS = 10


def clock(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def recovery(yard: Sandbox) -> float:
    """Kill the store and return the seconds until it answers again."""
    wait_until(lambda: yard.phase("bench-store") == "running")
    url, process = yard.url("bench-store"), yard.process("bench-store")

    def kill_and_wait() -> None:
        process.send(signal.SIGKILL)
        wait_until(lambda: not process.alive())
        wait_until(lambda: answers(url))

    took = clock(kill_and_wait)
    yard.json("restart", "bench-store")
    return took


def measure(yard: Sandbox) -> dict[str, tuple[list[float], float]]:
    """Return the seconds of each run, and the bar."""
    yard.json("up", "--detach")
    adds, starts = [], []
    for number in range(RUNS):
        name = f"run{number}"
        adds.append(clock(lambda name=name: yard.json("add", "redis", "--name", name)))
        starts += [item["ready_ms"] / 1000 for item in yard.json("info", name)["instances"]]
        yard.json("remove", name, "--confirm", name)
    yard.json("add", "redis", "--name", "bench")
    return {
        "`redyard add redis` (store and cache)": (adds, 1.0),
        "`redyard status`": ([clock(lambda: yard.run("status")) for _ in range(RUNS)], 0.4),
        "engine's spawn to its first answer": (starts, 0.05),
        "kill -9 of a store to its next answer": ([recovery(yard) for _ in range(RUNS)], 2.0),
    }


def main() -> None:
    yard = Sandbox()
    try:
        rows = measure(yard)
    finally:
        yard.close()
    print("| what | median | worst | bar | runs |\n|---|---|---|---|---|")
    for what, (seconds, bar) in rows.items():
        median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
        print(f"| {what} | {median:.0f} ms | {worst:.0f} ms | {bar * 1000:.0f} ms | {len(seconds)} |")
