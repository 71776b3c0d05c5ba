"""Drive one queue: `python -m benchmarks.peers.queues.load PEER ORDER` does one order, prints its figures and ends.

`add` adds jobs, so many callers at once; `work` runs those that are there; `light` adds one now and then to an idle
worker. The first tenth warms up. A process ends in the middle of its work on purpose: stopping is not measured.
"""

import asyncio
import importlib
import inspect
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

SIZE = 200
CALLERS = 100
PAUSE = 0.01
"""Seconds between the jobs of a light load."""


class Order(NamedTuple):
    do: str
    url: str
    jobs: int
    concurrency: int


def say(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)
    os._exit(0)


class Clock:
    """Counts what is done, from the end of the first tenth on."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.first = jobs // 10
        self.numbers = itertools.count(1)  # its next() is atomic, which threads need

    def tick(self, _: str = "") -> None:
        number = next(self.numbers)
        if number == self.first:
            self.began, self.cpu = time.perf_counter(), time.process_time()
        elif number == self.jobs:
            done = self.jobs - self.first
            seconds, cpu = time.perf_counter() - self.began, time.process_time() - self.cpu
            say(rate=done / seconds, cpu=cpu / done * 1e6)


class Light:
    """Keeps how long each job was on its way; those of the first third, when the worker starts, do not count."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.seconds: list[float] = []

    def payload(self) -> str:
        return f"{time.perf_counter()}".ljust(SIZE)

    def tick(self, payload: str) -> None:
        self.seconds.append(time.perf_counter() - float(payload))
        if len(self.seconds) == self.jobs:
            say(seconds=sorted(self.seconds[self.jobs // 3 :]))


async def drive(peer: Any, order: Order) -> None:
    if order.do == "work":
        await peer.work(order.url, order.concurrency, Clock(order.jobs).tick)
    async with peer.producer(order.url) as add:
        if order.do == "add":
            await adding(add, order.jobs // CALLERS, Clock(order.jobs))
        light = Light(order.jobs)
        working = asyncio.create_task(peer.work(order.url, order.concurrency, light.tick))
        while not working.done():
            await add(light.payload())
            await asyncio.sleep(PAUSE)
        working.result()


async def adding(add: Callable[[str], Any], each: int, clock: Clock) -> None:
    async def caller() -> None:
        for _ in range(each):
            await add("x" * SIZE)
            clock.tick()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


def drive_sync(peer: Any, order: Order) -> None:
    """Do the same for a library of threads: it adds one after the other, and works in the main thread."""
    if order.do == "work":
        peer.work(order.url, order.concurrency, Clock(order.jobs).tick)
    add = peer.producer(order.url)
    if order.do == "add":
        clock = Clock(order.jobs)
        for _ in range(order.jobs):
            add("x" * SIZE)
            clock.tick()
    light = Light(order.jobs)

    def trickle() -> None:
        while True:
            add(light.payload())
            time.sleep(PAUSE)

    threading.Thread(target=trickle, daemon=True).start()
    peer.work(order.url, order.concurrency, light.tick)


def main() -> None:
    peer, order = importlib.import_module(f"benchmarks.peers.queues.{sys.argv[1]}"), Order(**json.loads(sys.argv[2]))
    if not inspect.iscoroutinefunction(peer.work):
        return drive_sync(peer, order)
    run = importlib.import_module("uvloop").run
    return run(drive(peer, order))


if __name__ == "__main__":
    main()
