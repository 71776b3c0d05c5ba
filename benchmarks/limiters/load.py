"""Drive one limiter: `python -m benchmarks.limiters.load PEER` reads orders, a JSON line each, and answers each by two.

The first says that the limiter is warm; the second has the decisions done, the seconds, how many were allowed, and the
99th percentile of a decision in milliseconds.
"""

import asyncio
import importlib
import json
import sys
import time
from typing import Any, NamedTuple

import uvloop

from benchmarks.limiters.limiter import Limiter

WARM = 0.3
"""Seconds of the same load that go before the measured ones."""


class Order(NamedTuple):
    """`kind`: "many" keys that are allowed, "one" key whose budget is `limit`, or a "refused" key with one caller."""

    url: str
    kind: str
    limit: int
    per: int
    callers: int
    seconds: float


class Run:
    """A number of callers, each sending its next hit when the last is answered."""

    def __init__(self, limiter: Limiter, order: Order) -> None:
        self.limiter = limiter
        self.order = order
        self.times: list[float] = []

    async def drive(self, seconds: float) -> tuple[int, int]:
        """Let the callers run, and return the decisions done and how many were allowed."""
        self.end = time.perf_counter() + seconds
        names = [f"203.0.113.{number if self.order.kind == 'many' else 0}" for number in range(self.order.callers)]
        found = await asyncio.gather(*map(self.refused if self.order.kind == "refused" else self.caller, names))
        return sum(done for done, _ in found), sum(allowed for _, allowed in found)

    async def caller(self, name: str) -> tuple[int, int]:
        done = allowed = 0
        (hit, says), clock, note = self.limiter, time.perf_counter, self.times.append
        began = clock()
        while began < self.end:
            allowed += says(await hit(name))
            done += 1
            began, before = clock(), began
            note(began - before)
        return done, allowed

    async def refused(self, name: str) -> tuple[int, int]:
        """Hit as fast as can be: a clock at each hit would be much of what is measured."""
        done, hit, clock = 0, self.limiter.hit, time.perf_counter
        while clock() < self.end:
            for _ in range(100):
                answer = await hit(name)
            done += 100
        assert not self.limiter.allowed(answer)
        return done, 0


async def measure(connect: Any, order: Order) -> dict[str, float]:
    async with connect(order.url, order.limit, order.per) as limiter:
        if order.kind != "one":
            await Run(limiter, order).drive(WARM)
        print(json.dumps({"warm": True}), flush=True)
        run, began = Run(limiter, order), time.perf_counter()
        done, allowed = await run.drive(order.seconds)
        seconds = time.perf_counter() - began
    times = sorted(run.times) or [0.0]
    return {"done": done, "allowed": allowed, "seconds": seconds, "p99": times[int(len(times) * 0.99)] * 1000}


def main() -> None:
    connect = importlib.import_module(f"benchmarks.limiters.{sys.argv[1]}").connect
    for line in sys.stdin:
        print(json.dumps(uvloop.run(measure(connect, Order(**json.loads(line))))), flush=True)


if __name__ == "__main__":
    main()
