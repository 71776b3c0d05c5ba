"""Drive one client: `python -m benchmarks.peers.load PEER` reads orders, a JSON line each, and answers each by two.

The first says that the client is warm and the measured time begins; the second has the commands done, the seconds
they took, and the CPU seconds of this process.
"""

import asyncio
import importlib
import json
import sys
import time
from typing import Any, NamedTuple

import uvloop

WARM = 0.15
"""Seconds of the same load that go before the measured ones."""


class Order(NamedTuple):
    url: str
    op: str
    size: int
    callers: int
    seconds: float


class Run:
    """A number of callers, each with a key of its own, each sending its next command when the last is answered."""

    def __init__(self, client: Any, order: Order) -> None:
        self.client = client
        self.caller = self.getter if order.op == "get" else self.setter
        self.keys = [f"key:{number}" for number in range(order.callers)]
        self.value = b"x" * order.size

    async def drive(self, seconds: float) -> tuple[int, float, float]:
        """Let the callers run, and return the commands done, the seconds and the CPU seconds."""
        self.going = True
        began, cpu = time.perf_counter(), time.process_time()
        asyncio.get_running_loop().call_later(seconds, self.stop)
        done = sum(await asyncio.gather(*map(self.caller, self.keys)))
        return done, time.perf_counter() - began, time.process_time() - cpu

    def stop(self) -> None:
        self.going = False

    async def getter(self, key: str) -> int:
        done, get = 0, self.client.get
        while self.going:
            await get(key)
            done += 1
        return done

    async def setter(self, key: str) -> int:
        done, set_, value = 0, self.client.set, self.value
        while self.going:
            await set_(key, value)
            done += 1
        return done


async def measure(connect: Any, order: Order) -> dict[str, float]:
    async with connect(order.url, order.callers) as client:
        run = Run(client, order)
        await asyncio.gather(*(client.set(key, run.value) for key in run.keys))
        await run.drive(WARM)
        print(json.dumps({"warm": True}), flush=True)
        done, seconds, cpu = await run.drive(order.seconds)
        assert len(await client.get(run.keys[0])) == order.size
    return {"done": done, "seconds": seconds, "cpu": cpu}


def main() -> None:
    connect = importlib.import_module(f"benchmarks.peers.{sys.argv[1]}").connect
    for line in sys.stdin:
        print(json.dumps(uvloop.run(measure(connect, Order(**json.loads(line))))), flush=True)


if __name__ == "__main__":
    main()
