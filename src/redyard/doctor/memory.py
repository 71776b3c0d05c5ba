"""The deep look: the memory of every key, by prefix. Exact, because a sample misses the few keys that hold most.

SCAN gives names, MEMORY USAGE, PTTL and TYPE follow for a page of them in one write. `resting` makes room for the app
between pages; `cursor` of an unfinished look goes on with it.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import hiredis
import msgspec

from redyard.doctor.line import Line
from redyard.reading import text

PAGE = 1000
"""Keys that are asked for at once: a thousandth of a second of the server's time."""

BIGGEST = 10
"""Keys that are named."""

SAMPLES = 5
"""Elements of a collection from which the engine estimates its size, its own default."""


class Prefix(msgspec.Struct):
    """The keys of one prefix: how many, their bytes, how many have no end, and the largest."""

    name: str
    keys: int = 0
    bytes: int = 0
    endless: int = 0
    largest: int = 0


class Deep(msgspec.Struct):
    """What the keys hold, by prefix; `cursor` is 0 when all were looked at."""

    database: int = 0
    cursor: int = 0
    keys: int = 0
    bytes: int = 0
    used_memory: int = 0
    seconds: float = 0.0
    finished: bool = False
    prefixes: dict[str, Prefix] = {}
    biggest: list[tuple[int, str, str]] = []

    def to_json(self) -> dict[str, Any]:
        """Return the form that `--json` prints, the largest prefix first."""
        rows = sorted(self.prefixes.values(), key=lambda row: -row.bytes)
        biggest = [{"key": name, "type": kind, "bytes": size} for size, name, kind in self.biggest]
        shown: dict[str, Any] = {name: getattr(self, name) for name in ("database", "keys", "bytes", "used_memory")}
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
        return {name: row.bytes - before.get(name, 0) for name, row in self.prefixes.items()}


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
    while not deep.finished and (not pages or done < pages):
        start = loop.time()
        cursor, names = await line.ask("SCAN", deep.cursor, "COUNT", PAGE)
        _add(deep, names, await line.ask_many(_questions(names)))
        deep.cursor, done = int(cursor), done + 1
        deep.finished = deep.cursor == 0
        took = loop.time() - start
        deep.seconds += took
        told(deep)
        await asyncio.sleep(resting * took)
    return deep


def _questions(names: list[bytes]) -> list[tuple[Any, ...]]:
    """Three questions a key; the type is asked for by the few that are large."""
    return [words for name in names for words in ((b"MEMORY", b"USAGE", name), (b"PTTL", name), (b"TYPE", name))]


def _add(deep: Deep, names: list[bytes], replies: list[Any]) -> None:
    for place, name in enumerate(names):
        size, ttl, kind = replies[3 * place : 3 * place + 3]
        if not isinstance(size, int) or isinstance(kind, hiredis.ReplyError):
            continue  # it has ended meanwhile
        prefix = text(name.partition(b":")[0]) if b":" in name else "(none)"
        row = deep.prefixes.get(prefix)
        if row is None:
            row = deep.prefixes[prefix] = Prefix(prefix)
        row.keys += 1
        row.bytes += size
        row.endless += ttl == -1
        row.largest = max(row.largest, size)
        deep.keys += 1
        deep.bytes += size
        if len(deep.biggest) < BIGGEST or size > deep.biggest[-1][0]:
            deep.biggest = sorted([*deep.biggest, (size, text(name), text(kind))], reverse=True)[:BIGGEST]
