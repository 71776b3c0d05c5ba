"""Drive one cache: `python -m benchmarks.peers.caches.drive PEER URL` reads orders, a JSON line each, and answers each.

`hits`: callers read 500 values for some seconds. `misses`: callers want one value that takes a while to load. `write`:
two processes read and write the same keys. `values`: what this process takes for the values of those keys.
"""

import asyncio
import functools
import importlib
import itertools
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop

KEYS = 500
DRAWN = 997
"""Keys that a caller draws before it begins anew."""

SHARED = 50
"""Keys that two processes write."""

VALUE = {
    "id": 1, "name": "Lamp", "price": 19.9, "stock": {"shop": 3, "store": 120}, "tags": ["light", "home", "new"],
    "colours": ["red", "green", "blue"], "text": "x" * 860,
}  # fmt: skip


@functools.cache
def wanted(place: int, keys: int) -> list[int]:
    """Return the keys that one caller asks for, over and over: drawn by itself, before the clock starts.

    Were they a fixed step apart, callers that meet at one key would go on together for ever, and a cache that answers
    all of them by one read would be measured with fewer callers than the others.
    """
    return random.Random(place).choices(range(keys), k=DRAWN)


class Driver:
    """One peer in one process; a cache stays for orders of one kind."""

    def __init__(self, peer: str, url: str) -> None:
        self.connect = importlib.import_module(f"benchmarks.peers.caches.{peer}").connect
        self.url = url
        self.open: Any = None
        self.made: Any = None
        self.loads = 0
        self.delay = 0.0

    async def load(self, number: int) -> dict[str, Any]:
        self.loads += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        return {**VALUE, "id": number}

    @asynccontextmanager
    async def cache(self, callers: int, local: bool) -> AsyncIterator[Any]:
        async with self.connect(self.url, callers, local) as peer:
            self.product = peer.cached(self.load)
            for first in range(0, KEYS, 25):  # all at once would be too much for some on a busy machine
                await asyncio.gather(*(self.product(number) for number in range(first, first + 25)))
            yield peer

    async def hits(self, callers: int, seconds: float, local: bool, keys: int) -> dict[str, Any]:
        async with self.cache(callers, local):
            await self.rush(callers, 0.2, keys)
            return await self.rush(callers, seconds, keys)

    async def rush(self, callers: int, seconds: float, keys: int) -> dict[str, Any]:
        going, errors, product = True, 0, self.product

        async def caller(place: int) -> int:
            nonlocal errors
            done, mine = 0, itertools.cycle(draws[place])
            while going:
                number = next(mine)
                try:
                    value = await product(number)
                except Exception:  # noqa: BLE001 - whatever a peer raises is counted
                    errors += 1
                    continue
                assert value["id"] == number
                done += 1
                if not done & 63:
                    await asyncio.sleep(0)  # a local level would never let another run
            return done

        def stop() -> None:
            nonlocal going
            going = False

        draws = [wanted(place, keys) for place in range(callers)]
        began, cpu = time.perf_counter(), time.process_time()
        asyncio.get_running_loop().call_later(seconds, stop)
        done = sum(await asyncio.gather(*map(caller, range(callers))))
        took = time.perf_counter() - began
        return {"rate": done / took, "cpu": (time.process_time() - cpu) / max(done, 1) * 1e6, "errors": errors}

    async def misses(self, callers: int, delay: float, number: int, at: float) -> dict[str, Any]:
        await self.keep(local=False)
        self.delay, self.loads = delay, 0
        await asyncio.sleep(at - time.time())
        await asyncio.gather(*(self.product(number) for _ in range(callers)))
        return {"loads": self.loads, "ended": time.time()}

    async def write(self, seconds: float, me: int) -> dict[str, Any]:
        await self.keep(local=True)
        peer, ends, turn = self.made, time.monotonic() + seconds, 0
        while time.monotonic() < ends:
            turn += 1
            key = f"shared:{(turn * 7 + me) % SHARED}"
            await peer.get(key)
            if turn % 5 == 0:
                await peer.set(key, {"by": me, "turn": turn})
        return {"turns": turn}

    async def values(self) -> dict[str, Any]:
        return {"values": [await self.made.get(f"shared:{number}") for number in range(SHARED)]}

    async def keep(self, local: bool) -> None:
        """Make a cache that stays for the orders to come."""
        if self.made is None:
            self.open = self.connect(self.url, 50, local)
            self.made = await self.open.__aenter__()
            self.product = self.made.cached(self.load) if not local else None

    async def drop(self) -> dict[str, Any]:
        if self.made is not None:
            await self.open.__aexit__(None, None, None)
        self.made = None
        return {}


async def main() -> None:
    driver, lines = Driver(*sys.argv[1:]), asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        print(json.dumps(await getattr(driver, order.pop("do"))(**order)), flush=True)
    await driver.drop()


if __name__ == "__main__":
    uvloop.run(main())
