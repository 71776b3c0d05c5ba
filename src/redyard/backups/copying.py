"""Keys from one server to another by plain commands: to any engine of any version, and to some of the keys only.

Values are written as READS of `canonical` read them. Pipelined; what does not fit into one command is several.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from redis.exceptions import RedisError

from redyard.backups import canonical
from redyard.backups.canonical import Entry
from redyard.errors import TargetNotEmpty, TargetRefused

ELEMENTS = 1000
"""Elements of a collection that are written by one command."""

BATCH, HELD = 1000, 4 * 1024 * 1024
"""Commands, and bytes of them, that are sent in one go."""


def copy(
    source: Any,
    target: Any,
    *,
    pattern: str | None = None,
    shift: float = 0.0,
    tell: Callable[[int], None] | None = None,
) -> int:
    """Copy keys, and functions where all keys are meant; return how many keys.

    Args:
        source: client of the server to read.
        target: client of the server to write, see `canonical.connect`.
        pattern: which keys; None for all.
        shift: seconds by which the ends of keys are put off: so long ago is the moment.
        tell: hears how many keys are copied.
    """
    count = 0
    with taken_back(target):
        if pattern is None:
            send(target, functions(source))
        for db in canonical.databases(source):
            send(target, [("SELECT", db)])
            for keys in canonical.scan(source, db, pattern):
                entries = canonical.read(source, db, keys)
                send(target, (words for entry in entries for words in writes(entry, round(shift * 1000))))
                count += len(entries)
                if tell:
                    tell(count)
    return count


@contextmanager
def taken_back(target: Any) -> Iterator[None]:
    """Take back what is written to a target that was empty, where not all of it can be written."""
    try:
        yield
    except BaseException:
        with suppress(RedisError, OSError):
            for db in canonical.databases(target):
                for keys in canonical.scan(target, db):
                    target.execute_command("UNLINK", *keys)
        raise


def check_empty(target: Any, name: str) -> None:
    """Raise TargetNotEmpty for a server that has keys."""
    if found := canonical.databases(target):
        raise TargetNotEmpty(target=name, found=f"it has keys in database {', '.join(map(str, found))}")


def functions(source: Any) -> list[tuple[Any, ...]]:
    """Return the commands that load the functions of a server."""
    found = source.execute_command("FUNCTION", "LIST", "WITHCODE")
    libraries = [dict(zip(facts[::2], facts[1::2], strict=True)) for facts in found]
    return [("FUNCTION", "LOAD", "REPLACE", facts[b"library_code"]) for facts in libraries]


def writes(entry: Entry, shift: int = 0) -> Iterator[tuple[Any, ...]]:
    """Yield the commands that make a key."""
    key, parts = entry.key, entry.parts
    if entry.kind == b"string":
        yield ("SET", key, parts[0])
    elif entry.kind == b"stream":
        yield from _stream(key, *parts)
    else:
        word, width = _ADDS[entry.kind]
        flat = _turned(parts[0]) if entry.kind == b"zset" else parts[0]
        for start in range(0, len(flat), ELEMENTS * width):
            yield (word, key, *flat[start : start + ELEMENTS * width])
    if entry.ends >= 0:
        yield ("PEXPIREAT", key, entry.ends + shift)


_ADDS = {b"list": ("RPUSH", 1), b"set": ("SADD", 1), b"hash": ("HSET", 2), b"zset": ("ZADD", 2)}


def _turned(flat: Sequence[bytes]) -> list[bytes]:
    """Return scores before members: they are read the other way round."""
    return [word for at in range(0, len(flat), 2) for word in (flat[at + 1], flat[at])]


def _stream(key: bytes, messages: Any, groups: Any) -> Iterator[tuple[Any, ...]]:
    if not messages:  # a stream may be empty and have groups
        yield ("XADD", key, "MAXLEN", "0", "0-1", "f", "v")
    for name, fields in messages:
        yield ("XADD", key, name, *fields)
    for facts in groups:
        named = dict(zip(facts[::2], facts[1::2], strict=True))
        yield ("XGROUP", "CREATE", key, named[b"name"], named[b"last-delivered-id"])


def send(target: Any, commands: Iterable[tuple[Any, ...]]) -> None:
    """Run commands on a server, pipelined; raise where it refuses one."""
    pipe = target.pipeline(transaction=False)
    waiting = held = 0
    for words in commands:
        pipe.execute_command(*words)
        waiting += 1
        held += sum(len(word) for word in words if isinstance(word, bytes))
        if waiting == BATCH or held > HELD:
            _run(pipe)
            waiting = held = 0
    _run(pipe)


def _run(pipe: Any) -> None:
    try:
        answers = pipe.execute(raise_on_error=False)
    except (RedisError, OSError) as error:
        raise TargetRefused(target="the server", reason=str(error) or type(error).__name__) from None
    for answer in answers:
        if isinstance(answer, Exception):
            raise TargetRefused(target="the server", reason=str(answer))
