"""The last moment before a disaster: finds in the stream where everything, or very much, was deleted at one go.

The stream is read command by command, from a base on: a value that looks like a command deceives nobody.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from redyard.backups.restore import moment_of, unpack
from redyard.backups.storage import Storage
from redyard.backups.timeline import Base, Recipe, Segment, Timeline
from redyard.errors import BackupDamaged, MomentUnknown

MANY = 1000
"""Keys that are deleted in a row, with nothing written in between, before it is called a disaster."""

FLUSHES = {b"FLUSHALL", b"FLUSHDB"}
DELETES = {b"DEL", b"UNLINK"}
PASSED_OVER = {b"PING", b"SELECT", b"REPLCONF"}

_COUNT = re.compile(rb"\*(\d{1,9})\r\n")
_WORD = re.compile(rb"\$(\d{1,12})\r\n")


class Disaster(NamedTuple):
    """What happened, and how to make the state just before it."""

    what: str
    recipe: Recipe


class Command(NamedTuple):
    """A command of the stream: where it begins, its name in capitals, how many words follow."""

    start: int
    name: bytes
    words: int


def last_disaster(storage: Storage) -> Disaster:
    """Find the last disaster; raise MomentUnknown where there was none."""
    timeline = Timeline(storage.names())
    for base in reversed(timeline.bases):
        chain = timeline.after(base)
        found = None
        for found in disasters(commands(storage, base, chain)):  # noqa: B007 - the last one is wanted
            pass
        if found:
            offset, what = found
            needed = tuple(item for item in chain if item.start < offset)
            return Disaster(what, Recipe(base, needed, offset, moment_of(storage, base, needed, offset)))
    raise MomentUnknown(at="the moment before a flush", known="no FLUSHALL, FLUSHDB or mass delete is in the stream")


def disasters(stream: Iterator[Command]) -> Iterator[tuple[int, str]]:
    """Yield the offset before each disaster, and what it was. In a transaction it is the offset before that."""
    transaction: int | None = None
    run_start, run = 0, 0
    for command in stream:
        if command.name == b"MULTI":
            transaction = command.start
        elif command.name == b"EXEC":
            transaction = None
        elif command.name in FLUSHES:
            yield (command.start if transaction is None else transaction), command.name.decode()
            run = 0
        elif command.name in DELETES:
            if run == 0:
                run_start = command.start if transaction is None else transaction
            run += command.words
            if run >= MANY > run - command.words:
                yield run_start, f"{MANY} keys or more deleted in a row"
        elif command.name not in PASSED_OVER:
            run = 0


def commands(storage: Storage, base: Base, chain: tuple[Segment, ...]) -> Iterator[Command]:
    """Yield the commands that follow a base."""
    rest, at = b"", base.offset
    until = chain[-1].end if chain else base.offset
    for segment, skip, take in Recipe(base, chain, until, base.at).spans():
        raw = BytesIO()
        unpack(storage, segment.name, raw, skip=skip, take=take)
        data = rest + raw.getvalue()
        position = 0
        for end, name, words in walk(data, segment.name):
            yield Command(at + position, name, words)
            position = end
        rest, at = data[position:], at + position


def walk(data: bytes, name: str) -> Iterator[tuple[int, bytes, int]]:
    """Yield of each whole command where it ends, its first word in capitals, and how many follow.

    Args:
        data: a piece of the stream that begins with a command.
        name: of what it is a piece, for an error.
    """
    position = 0
    while (found := _command(data, position, name)) is not None:
        yield found
        position = found[0]


def _command(data: bytes, start: int, name: str) -> tuple[int, bytes, int] | None:
    """Return where a command ends, its first word and how many follow; None where its end has not come."""
    if data[start : start + 1] in {b"\n", b"\r"}:
        return start + 1, b"PING", 0
    if data.find(b"\r\n", start) < 0:
        return None
    head = _COUNT.match(data, start)
    if head is None:
        raise BackupDamaged(name=name, reason="a command does not begin where one should")
    count, at, first = int(head[1]), head.end(), b""
    for number in range(count):
        found = _WORD.match(data, at)
        if found is None:
            return None
        at = found.end() + int(found[1]) + 2
        if at > len(data):
            return None
        first = data[found.end() : at - 2].upper() if number == 0 else first
    return at, first, count - 1
