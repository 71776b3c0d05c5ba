"""The deep look: the memory of every key, by prefix. Exact, because a sample misses the few keys that hold most.

SCAN gives names; MEMORY USAGE and PTTL for a page of them go in one write with the SCAN of the next. `resting` makes
room for the app between pages; `cursor` of an unfinished look goes on with it.
"""

import asyncio
import heapq
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from redyard.doctor.line import Line
from redyard.reading import text

PAGE = 250
"""Keys that are asked for at once: about a millisecond of the server's time, for which an app waits."""

BIGGEST = 10
"""Keys that are named."""

NO_PREFIX = b"(none)"
"""Stands for keys without a `:`."""


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


async def look(
    line: Line, deep: Deep, *, told: Callable[[Deep], object] = lambda _: None, resting: float = 0.0, pages: int = 0
) -> Deep:
    """Go on with a look until all keys were seen, or for so many pages.

    Args:
        line: a connection that has logged in and chosen the database.
        deep: a new look, or an unfinished one.
        told: hears of the progress after each page.
        resting: seconds of rest after a page for each second of it: 1.0 leaves the app half of the time.
        pages: stop after so many; 0 for all.
    """
    loop, done = asyncio.get_running_loop(), 0
    samples = b"%d" % deep.samples
    how = b"$7\r\nSAMPLES\r\n$%d\r\n%b\r\n" % (len(samples), samples)
    cursor, names = await line.ask("SCAN", deep.cursor, "COUNT", PAGE)
    while not deep.finished and (not pages or done < pages):
        start = loop.time()
        asked = _questions(names, how) + _SCAN % (len(cursor), cursor, len(str(PAGE)), PAGE)
        *replies, following = await line.ask_packed(asked, 2 * len(names) + 1)
        candidates = _add(deep, names, replies)
        deep.biggest = await _named(line, deep.biggest, candidates)
        deep.cursor, done = int(cursor), done + 1
        deep.finished = deep.cursor == 0
        cursor, names = following
        took = loop.time() - start
        deep.seconds += took
        told(deep)
        await asyncio.sleep(resting * took)
    return deep


def _questions(names: list[bytes], how: bytes) -> bytes:
    """Return the two questions to each key in the protocol's form: hundreds of thousands a second are written."""
    return b"".join([_FORM % (len(name), name, how, len(name), name) for name in names])


_SCAN = b"*4\r\n$4\r\nSCAN\r\n$%d\r\n%b\r\n$5\r\nCOUNT\r\n$%d\r\n%d\r\n"
_FORM = b"*5\r\n$6\r\nMEMORY\r\n$5\r\nUSAGE\r\n$%d\r\n%b\r\n%b*2\r\n$4\r\nPTTL\r\n$%d\r\n%b\r\n"


def _add(deep: Deep, names: list[bytes], replies: list[Any]) -> list[tuple[int, bytes]]:
    """Count a page, and return the keys that may be among the biggest. (Hot.)"""
    rows, large = deep.prefixes, []
    least = deep.biggest[-1][0] if len(deep.biggest) == BIGGEST else -1
    for name, size, ttl in zip(names, replies[::2], replies[1::2], strict=True):
        if type(size) is not int:
            continue  # it has ended meanwhile, or we may not ask
        prefix, mark, _ = name.partition(b":")
        row = rows.get(prefix if mark else NO_PREFIX)
        if row is None:
            row = rows[prefix if mark else NO_PREFIX] = Prefix(text(prefix if mark else NO_PREFIX))
        row.keys += 1
        row.bytes += size
        if ttl == -1:
            row.endless += 1
        row.largest = max(row.largest, size)
        if size > least:
            large.append((size, name))
    deep.keys = sum(row.keys for row in rows.values())
    deep.bytes = sum(row.bytes for row in rows.values())
    return heapq.nlargest(BIGGEST, large)


async def _named(line: Line, biggest: list[Big], candidates: list[tuple[int, bytes]]) -> list[Big]:
    kinds = await line.ask_many([("TYPE", name) for _, name in candidates])
    found = [Big(size, text(name), text(kind)) for (size, name), kind in zip(candidates, kinds, strict=True)]
    return heapq.nlargest(BIGGEST, [*biggest, *found])
