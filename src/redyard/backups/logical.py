"""Logical snapshots: all keys of a server that nobody may follow, as RESTORE commands, and such commands sent again.

Keys are read by SCAN, and by DUMP and their ends of a few at a time, with pauses: the server has at least as long for
others. What comes out has the form of an append-only file, so an engine loads it as one, and `redis-cli --pipe` too.
It is no state of one moment: each key is as it was at some time between the beginning and the end of the reading.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import hiredis

from redyard.backups import copying
from redyard.backups.asking import Line, Words, pack
from redyard.backups.canonical import READS, Entry, reads
from redyard.backups.copying import taken_back
from redyard.backups.psync import Source
from redyard.backups.restore import stream
from redyard.backups.sample import DRAWN, LARGEST, label
from redyard.backups.storage import Storage
from redyard.backups.timeline import Base
from redyard.errors import CannotRead, TargetRefused

BATCH = 500
"""Keys that SCAN is asked for at a time."""

TOGETHER, HELD = 50, 4 * 1024 * 1024
"""Keys, and bytes as far as the last ones tell, that are read in one transaction: the server does only this then."""

REST = 1.0
"""Seconds of pause for each second of reading."""

Sink = Callable[[bytes], Awaitable[None]]


class Reading:
    """One reading of all keys; `keys`, `digests`, `engine` and `version` tell of it at the end."""

    def __init__(self, line: Line, sink: Sink) -> None:
        self.keys = 0
        self.digests: dict[str, str] = {}
        self.engine = self.version = "unknown"
        self._line, self._sink = line, sink
        self._together = TOGETHER
        self._transactions = True
        self._end = "PEXPIRETIME"  # exact; an old server, or one that does not allow it, is asked for PTTL

    @classmethod
    async def take(cls, source: Source, sink: Sink) -> "Reading":
        """Read a server, and hand on the commands that make its keys again; raise CannotRead, OSError."""
        line = await Line.open(source)
        try:
            reading = cls(line, sink)
            for db in await reading._greet():
                await reading._database(db)
        finally:
            line.close()
        return reading

    async def _greet(self) -> list[int]:
        """Note which engine it is, hand on its functions, and return its databases; what is refused is not known."""
        about, keyspace, functions, end = await self._line.ask(
            ("INFO", "server"), ("INFO", "keyspace"), ("FUNCTION", "LIST", "WITHCODE"), (self._end, "")
        )
        if isinstance(end, Exception):
            self._end = "PTTL"
        facts = _facts(about)
        self.engine = "valkey" if "valkey_version" in facts else "redis" if facts else "unknown"
        self.version = facts.get("valkey_version") or facts.get("redis_version", "unknown")
        for library in functions if isinstance(functions, list) else ():
            code = dict(zip(library[::2], library[1::2], strict=True))[b"library_code"]
            await self._sink(pack(("FUNCTION", "LOAD", "REPLACE", code)))
        if isinstance(keyspace, Exception):
            return [0]
        return sorted(int(name[2:]) for name in _facts(keyspace) if name.startswith("db"))

    async def _database(self, db: int) -> None:
        _good(await self._line.ask(("SELECT", db)), f"SELECT {db}")
        await self._sink(pack(("SELECT", db)))
        async for keys in self._scan():
            for part in _parts(keys, lambda: self._together):
                began = time.monotonic()
                await self._sink(await self._read(db, part))
                await asyncio.sleep((time.monotonic() - began) * REST)

    async def _scan(self) -> AsyncIterator[list[bytes]]:
        cursor: bytes = b"0"
        while True:
            [[cursor, keys]] = _good(await self._line.ask(("SCAN", cursor, "COUNT", BATCH)), "SCAN")
            yield keys
            if cursor == b"0":
                return

    async def _read(self, db: int, keys: Sequence[bytes]) -> bytes:
        """Return the commands that make some keys; the first of them may be looked at for a digest, too."""
        fresh = [key for key in keys if label(db, key) not in self.digests]  # SCAN may name a key again
        drawn = await self._draw(fresh[0]) if fresh and len(self.digests) < DRAWN else b""
        extra: list[Words] = list(reads(drawn, fresh[0])) if drawn else []
        asked: list[Words] = [words for key in fresh for words in ((self._end, key), ("DUMP", key))]
        answers = await self._together_ask([*extra, *asked])
        parts, answers = answers[: len(extra)], _good(answers[len(extra) :], f"{self._end} and DUMP")
        since, made = int(time.time() * 1000) if self._end == "PTTL" else 0, []
        for key, ends, payload in zip(fresh, answers[::2], answers[1::2], strict=True):
            if payload is not None:
                made.append(pack(("RESTORE", key, since + ends if ends >= 0 else 0, payload, "ABSTTL", "REPLACE")))
        self._note(db, fresh, parts, drawn, answers)
        self.keys += len(made)
        size = sum(map(len, made))
        self._together = max(1, min(TOGETHER, HELD * len(made) // max(1, size))) if made else TOGETHER
        return b"".join(made)

    async def _draw(self, key: bytes) -> bytes:
        """Return the type of a key whose digest can be taken: small, and of a type that we read; else nothing."""
        kind, size = await self._line.ask(("TYPE", key), ("MEMORY", "USAGE", key, "SAMPLES", "5"))
        fits = isinstance(kind, bytes | str) and isinstance(size, int) and size <= LARGEST
        name = kind.encode() if isinstance(kind, str) else kind
        return name if fits and name in READS else b""

    def _note(self, db: int, keys: Sequence[bytes], parts: list[Any], kind: bytes, answers: list[Any]) -> None:
        """Keep the digest of the first key where it has no end and nothing was refused."""
        if kind and parts and answers[0] == -1 and not any(isinstance(part, Exception) for part in parts):
            self.digests[label(db, keys[0])] = f"{Entry(db, keys[0], kind, parts, -1).digest:032x}"

    async def _together_ask(self, commands: list[Words]) -> list[Any]:
        """Ask in a transaction, so that a key's end and value belong together; without one where it is refused."""
        if self._transactions and commands:
            first, *_, last = await self._line.ask(("MULTI",), *commands, ("EXEC",))
            if isinstance(last, list):
                return last
            if not isinstance(first, Exception):
                await self._line.ask(("DISCARD",))
            self._transactions = False
        return await self._line.ask(*commands)


def commands(storage: Storage, base: Base) -> Iterator[tuple[Any, ...]]:
    """Yield the commands of a snapshot, as they come from the storage."""
    reader = hiredis.Reader()
    for raw in stream(storage, base.name):
        reader.feed(bytes(raw))
        while (words := reader.gets()) is not False:
            yield tuple(words)


def replay(storage: Storage, base: Base, target: Any, *, tell: Callable[[int], None] | None = None) -> None:
    """Send a snapshot's commands to an empty server; raise TargetRefused, after which it is empty again.

    Args:
        target: a client, see `canonical.connect`.
        tell: hears how many keys were sent.
    """
    with taken_back(target):
        copying.send(target, _told(commands(storage, base), tell))


def no_way(error: TargetRefused) -> bool:
    """Say whether a target refused RESTORE or another engine's values: plain commands may go all the same."""
    said = str(error.details["reason"])
    return any(word in said for word in ("DUMP payload", "Bad data format", "no permissions", "unknown command"))


def _told(made: Iterator[tuple[Any, ...]], tell: Callable[[int], None] | None) -> Iterator[tuple[Any, ...]]:
    count = 0
    for words in made:
        yield words
        if tell and words[0] == b"RESTORE":
            count += 1
            if count % BATCH == 0:
                tell(count)


def _parts(keys: Sequence[bytes], count: Callable[[], int]) -> Iterator[Sequence[bytes]]:
    """Cut a list into pieces, each as long as is said when it is its turn."""
    at = 0
    while at < len(keys):
        length = count()
        yield keys[at : at + length]
        at += length


def _good(answers: list[Any], what: str) -> list[Any]:
    for answer in answers:
        if isinstance(answer, hiredis.ReplyError):
            raise CannotRead(reason=f"it answered {what} with {str(answer)[:100]!r}")
    return answers


def _facts(info: Any) -> dict[str, str]:
    text = info.decode(errors="replace") if isinstance(info, bytes) else ""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
