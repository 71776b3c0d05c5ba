"""The tail of an engine's own log: what it wrote and we were not sent, when it died or before we were back.

A place that is known in both is noted once for each part of the stream: the engine says in one answer how far its
stream and its log are. The size of the log is noted with the time all along: these become marks. Only an engine whose
files are on this machine has a tail; where it is not certain, there is a gap as ever.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from redis.exceptions import RedisError

from redyard.backups.joint import beyond, last_database
from redyard.backups.spool import Spool
from redyard.engine.files import write_private

LOG, MANIFEST = "appendonlydir", "appendonly.aof.manifest"

KEPT = 4
"""Places that are remembered: the newest may lie beyond what has come."""

NOTES = 1200
"""Sizes that are remembered: of the last minute."""

LONGEST = 128 * 1024 * 1024
"""Bytes of a log that are read at most; more is written only while nobody follows for long."""

Facts = Callable[[], Awaitable[dict[str, Any]]]
"""Asks the engine for its INFO of replication and persistence, in one answer."""


class Place(msgspec.Struct, frozen=True):
    """A place that is known in both: an offset of a history, and the bytes that the log beginning with `base` had."""

    history: str
    offset: int
    base: str
    size: int


class Tail:
    """Knows where a spool's stream is in an engine's log.

    Args:
        data: tells the engine's data directory; a move gives it another.
        facts: asks the engine.
        spool: of the follower.
    """

    def __init__(self, data: Callable[[], Path], facts: Facts, spool: Spool) -> None:
        self._data, self._facts, self._spool = data, facts, spool
        self._file = spool.directory / "places.json"
        self._places: list[Place] = []
        self._noted: list[tuple[int, float]] = []
        self._base: Path | None = None
        self._known: tuple[object, ...] = ()
        self._shift: tuple[tuple[str, int], int] = ("", 0), 0
        with suppress(OSError, msgspec.DecodeError):
            self._places = msgspec.json.decode(self._file.read_bytes(), type=list[Place])

    async def look(self) -> None:
        """Note a place, once for each part of the stream and each log.

        An engine does not count the base of its first start, and counts a torn end that it has cut off. So its figure
        is compared with the files' sizes; where writes come too fast for that, only the first of these is heeded: a
        place that is wrong by a part of a command is none, and is found out.
        """
        self.note()
        with suppress(OSError, RedisError, KeyError, IndexError):
            begun, files = self._spool.begun, self._files()
            if begun is None or (known := (begun.history, begun.start, *files)) == self._known:
                return
            facts, size, later = await self._facts(), _size(files), await self._facts()
            if files != self._files():
                return
            run = str(files[0]), facts["aof_base_size"]
            if facts["aof_current_size"] == later["aof_current_size"]:
                self._shift = run, size - facts["aof_current_size"]
            elif self._shift[0] != run:
                self._shift = run, 0 if facts["aof_base_size"] else _size(files[:1])
            size = facts["aof_current_size"] + facts["aof_buffer_length"] + self._shift[1]
            place = Place(begun.history, facts["master_repl_offset"], run[0], size)
            self._places, self._known = [*self._places[1 - KEPT :], place], known
            write_private(self._file, msgspec.json.encode(self._places).decode(), durable=False)

    def note(self) -> None:
        """Note how large the log is now; a torn end, which an engine cuts off at its start, never counted."""
        with suppress(OSError, IndexError):
            files = self._files()
            size, noted = _size(files), self._noted
            if files[0] != self._base:
                self._base, noted = files[0], []  # sizes of another log
            if noted and noted[-1][0] > size:
                noted = [(min(before, size), at) for before, at in noted]
            if [size, size] == [before for before, _ in noted[-2:]]:
                noted.pop()  # the first and the last time are enough
            self._noted = [*noted[1 - NOTES :], (size, time.time())]

    async def read(self) -> Iterable[tuple[bytes, float]]:
        """Return what continues the spool's stream, each part with the time by which it was written; else nothing."""
        with suppress(OSError, ValueError, IndexError):
            base = str(self._files()[0])
            for place in reversed(self._places):
                stream = self._spool.since(place.offset) if place.history == self._spool.history else None
                if stream is not None and place.base == base:
                    return await asyncio.to_thread(self._continue, place, stream)
        return []

    def _continue(self, place: Place, stream: bytes) -> list[tuple[bytes, float]]:
        noted = [(size, at) for size, at in self._noted if size >= place.size]
        whole = noted[-1][0] - place.size if noted else -1
        if not 0 <= whole <= LONGEST:
            return []
        found = beyond(stream, self._part(place.size, whole), lambda: self._database(place.size))
        if found is None:
            return []
        parts, taken = [], 0
        for size, at in noted:
            fits = [part for end, part in found[taken:] if place.size + end <= size]
            taken += len(fits)
            parts.append((b"".join(fits), at))
        return parts

    def _part(self, start: int, length: int) -> bytes:
        """Return a part of the log, whose files are one after another."""
        parts = []
        for path in self._files():
            size = path.stat().st_size
            if start < size and length:
                with path.open("rb") as file:
                    file.seek(start)
                    parts.append(file.read(length))
                length -= len(parts[-1])
            start = max(0, start - size)
        return b"".join(parts)

    def _database(self, place: int) -> bytes | None:
        """Return the database that the log was in at a place; each file but the first begins by naming one."""
        start, *sizes = (path.stat().st_size for path in self._files())
        for size in sizes:
            if start + size >= place:
                break
            start += size
        return last_database(self._part(start, place - start)) if place - start <= LONGEST else None

    def _files(self) -> list[Path]:
        """Return the files of the log in order, the base first."""
        directory = self._data() / LOG
        rows = [line.split() for line in (directory / MANIFEST).read_text().splitlines()]
        return [directory / row[1] for row in rows if row[5] in "bi"]


def _size(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files)
