"""The deep look: the memory of every key, by prefix. Exact, because a sample misses the few keys that hold most.

A script looks at a page of keys and answers with sums: the server is held up for less than 0.1 ms at a time,
and this side has next to nothing to do. Who may not run scripts asks key by key. `cursor` of an unfinished look goes on
with it.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import msgspec

from redyard.client.scripts import Script
from redyard.doctor.aside import Aside
from redyard.doctor.line import Trouble
from redyard.doctor.secure import again
from redyard.doctor.target import Target
from redyard.doctor.wire import Wire
from redyard.reading import text

PAGE, MOST = 15, 100
"""Keys that are looked at at once, at least and at most: 15 take some 0.05 ms of the server, for which an app waits."""

PACE = 125_000
"""Keys a second that are wanted: pages are as small as this allows, so that they are larger where the way is long."""

STEP = 1.02
"""By how much a page differs from the one before: its usual time counts, and not that a few took very long."""

WITHIN = 60.0
"""Seconds that a page may take: a collection of a hundred million elements is measured in less."""

SCRIPT = Script("redyard.doctor", "page")

BIGGEST = 10
"""Keys that are named."""

NO_PREFIX = b"(none)"
"""Stands for keys without a `:`; the script says so, too."""


Name = bytes


class Prefix(msgspec.Struct):
    """The keys of one prefix: how many, their bytes, how many have no end, and the largest."""

    name: str
    keys: int = 0
    bytes: int = 0
    endless: int = 0
    largest: int = 0


class Big(NamedTuple):
    """One of the biggest keys."""

    size: int
    name: str
    type: str


class Deep(msgspec.Struct):
    """What the keys hold, by prefix; `cursor` is 0 when all were looked at.

    `samples` elements of each collection are measured; 0 for all of them. A million take the server some 0.2 s.
    """

    database: int = 0
    samples: int = 0
    cursor: int = 0
    keys: int = 0
    bytes: int = 0
    used_memory: int = 0
    seconds: float = 0.0
    finished: bool = False
    prefixes: dict[Name, Prefix] = {}
    biggest: list[Big] = []

    def to_json(self) -> dict[str, Any]:
        """Return the form that `--json` prints, the largest prefix first."""
        rows = sorted(self.prefixes.values(), key=lambda row: -row.bytes)
        biggest = [{"key": big.name, "type": big.type, "bytes": big.size} for big in self.biggest]
        shown: dict[str, Any] = {
            name: getattr(self, name) for name in ("database", "samples", "keys", "bytes", "used_memory")
        }
        shown |= {"seconds": round(self.seconds, 2), "finished": self.finished, "cursor": self.cursor}
        return {
            **shown,
            "prefixes": [
                {
                    **msgspec.to_builtins(row),
                    "share": round(row.bytes / self.bytes, 4) if self.bytes else 0.0,
                    "average": row.bytes // row.keys,
                    "endless_share": round(row.endless / row.keys, 4),
                }
                for row in rows
            ],
            "biggest": biggest,
        }

    def growth(self, before: Mapping[str, int]) -> dict[str, int]:
        """Return by how many bytes each prefix grew since an earlier look."""
        return {row.name: row.bytes - before.get(row.name, 0) for row in self.prefixes.values()}


def look(
    wire: Wire,
    deep: Deep,
    *,
    told: Callable[[Deep], object] = lambda _: None,
    resting: float = 0.0,
    pages: int = 0,
    aside: bool = False,
) -> Deep:
    """Go on with a look until all keys were seen, or for so many pages.

    Args:
        wire: a connection that has logged in and chosen the database.
        deep: a new look, or an unfinished one.
        told: hears of the progress after each page.
        resting: seconds of rest after a page for each second of it: 1.0 leaves the app half of the time.
        pages: stop after so many; 0 for all.
        aside: this thread stands aside, and leaves the rest when too little is left over for it.
    """
    done, turn, count = 0, _way(wire), float(PAGE)
    place = Aside(wire) if aside else None
    while not deep.finished and (not pages or done < pages):
        start, seen = time.perf_counter(), deep.keys
        _add(deep, turn(wire, deep, round(count)))
        done += 1
        took = time.perf_counter() - start
        deep.seconds += took
        count = min(MOST, count * STEP) if deep.keys - seen < PACE * took else max(PAGE, count / STEP)
        told(deep)
        if resting:
            time.sleep(resting * took)
        if place and place.follow():
            break
    return deep


async def look_from(target: Target, address: str, deep: Deep, *, aside: bool = False, **options: Any) -> Deep:
    """Look by a connection and a thread of its own, which stands aside for a server that is near and an app beside it.

    Raises Trouble or TimeoutError.
    """
    wire = await asyncio.to_thread(Wire.dial, target, address, again(target), WITHIN)
    try:
        if aside and wire.near:
            await _in_thread(partial(look, wire, deep, aside=True, **options))
        if not deep.finished:
            await _in_thread(partial(look, wire, deep, **options))
    finally:
        wire.close()
    return deep


async def _in_thread(work: Callable[[], object]) -> None:
    """Do it in a thread that ends with it: of what it has become no other work may suffer."""
    own = ThreadPoolExecutor(1, "look")
    try:
        await asyncio.get_running_loop().run_in_executor(own, work)
    finally:
        own.shutdown(wait=False)


class Page(NamedTuple):
    """What was seen of a page: the next cursor; for each prefix its sums; keys that may be among the biggest."""

    cursor: bytes
    rows: Iterable[tuple[bytes, int, int, int, int]]
    large: Iterable[tuple[int, bytes, bytes]]


Way = Callable[[Wire, Deep, int], Page]


def _way(wire: Wire) -> Way:
    """Return how to look at a page: by the script, where it may be run."""
    try:
        wire.ask("EVAL", SCRIPT.text, 0, 0, 1, 1, 0)
    except Trouble as trouble:
        if trouble.fault in {"silent", "closed"}:
            raise
        return _by_key
    return _by_script


def _by_script(wire: Wire, deep: Deep, count: int) -> Page:
    asked = (0, deep.cursor, count, deep.samples, _least(deep))
    try:
        return Page(*wire.ask("EVALSHA", SCRIPT.digest, *asked))
    except Trouble as trouble:
        if trouble.fault != "NOSCRIPT":  # somebody flushed the scripts
            raise
    return Page(*wire.ask("EVAL", SCRIPT.text, *asked))


def _by_key(wire: Wire, deep: Deep, count: int) -> Page:
    cursor, names = wire.ask("SCAN", deep.cursor, "COUNT", count)
    sizes = wire.ask_many([("MEMORY", "USAGE", name, "SAMPLES", deep.samples) for name in names])
    ends = wire.ask_many([("PTTL", name) for name in names])
    rows = [
        (name.partition(b":")[0] if b":" in name else NO_PREFIX, 1, size, int(end == -1), size)
        for name, size, end in zip(names, sizes, ends, strict=True)
        if type(size) is int  # else it has ended meanwhile, or we may not ask
    ]
    least = _least(deep)
    large = [(size, name) for name, size in zip(names, sizes, strict=True) if type(size) is int and size > least]
    kinds = wire.ask_many([("TYPE", name) for _, name in large])
    return Page(cursor, rows, [(size, name, kind) for (size, name), kind in zip(large, kinds, strict=True)])


def _least(deep: Deep) -> int:
    """Return the bytes above which a key is among the biggest."""
    return deep.biggest[-1].size if len(deep.biggest) == BIGGEST else -1


def _add(deep: Deep, page: Page) -> None:
    for name, keys, size, endless, largest in page.rows:
        row = deep.prefixes.get(name) or deep.prefixes.setdefault(name, Prefix(text(name)))
        row.keys += keys
        row.bytes += size
        row.endless += endless
        row.largest = max(row.largest, largest)
        deep.keys += keys
        deep.bytes += size
    if found := [Big(size, text(name), text(kind)) for size, name, kind in page.large]:
        deep.biggest = heapq.nlargest(BIGGEST, [*deep.biggest, *found])
    deep.cursor = int(page.cursor)
    deep.finished = deep.cursor == 0
