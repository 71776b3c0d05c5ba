"""What a database holds, as a number that is the same on every engine: by type, not by the engine's own encoding.

The engines' DEBUG DIGEST differs between engines and is refused by default; the bytes of DUMP differ after a reload.
Here a key's digest is made of its database, name, type, value in a settled order, and the moment of its end. A state's
is the sum of its keys', so that order does not matter. `verify`, `import` and `diff` compare by it.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

BATCH = 500
"""Keys that are read in one go."""

MODULUS = 1 << 128

READS: dict[bytes, tuple[tuple[str | bytes, ...], ...]] = {
    b"string": (("GET",),),
    b"list": (("LRANGE", "0", "-1"),),
    b"set": (("SMEMBERS",),),
    b"hash": (("HGETALL",),),
    b"zset": (("ZRANGE", "0", "-1", "WITHSCORES"),),
    b"stream": (("XRANGE", "-", "+"), ("XINFO", "GROUPS")),
}
"""The commands that read a value, by its type; the key comes behind the first word, or behind XINFO's second."""


class Entry(NamedTuple):
    """A key: its database, name, type, what READS answered, and its end (Unix milliseconds, -1 for none)."""

    db: int
    key: bytes
    kind: bytes
    parts: Sequence[Any]
    ends: int

    @property
    def digest(self) -> int:
        """Return the number that tells this key and value from every other."""
        made = blake2b(digest_size=16)
        for part in (b"%d" % self.db, self.key, self.kind, b"%d" % self.ends, *_flat(_settled(self.kind, self.parts))):
            made.update(b"%d:" % len(part))
            made.update(part)
        return int.from_bytes(made.digest(), "big")


class State(NamedTuple):
    """All of a server: keys by database, and the sum of their digests."""

    keys: dict[int, int]
    digest: int

    @property
    def text(self) -> str:
        """Return the digest for reading."""
        return f"{self.digest:032x}"


def connect(address: str | Path, password: str = "", *, user: str = "yard", within: float = 60.0) -> Any:
    """Return a client whose replies are as the server sends them, for the URL or the Unix socket of a server.

    One who uses it alone has one connection, whose database a SELECT changes: so no command is tried again on another.
    """
    options: dict[str, Any] = {"protocol": 2, "socket_timeout": within, "retry": Retry(NoBackoff(), 0)}
    if isinstance(address, Path):
        client = redis.Redis(unix_socket_path=str(address), username=user, password=password, **options)
    else:
        client = redis.Redis.from_url(address, **options)
    client.response_callbacks.clear()
    return client


def state(client: Any, pattern: str | None = None, *, horizon: float = 0.0) -> State:
    """Read everything, or the keys that fit a pattern, and return its digest; leave out what ends before `horizon`."""
    total, counts = 0, dict.fromkeys(databases(client), 0)
    for entry in entries(client, pattern):
        if 0 <= entry.ends < horizon * 1000:
            continue
        total += entry.digest
        counts[entry.db] += 1
    return State({db: count for db, count in counts.items() if count}, total % MODULUS)


def entries(client: Any, pattern: str | None = None) -> Iterator[Entry]:
    """Yield every key of every database. What ends while it is read is left out."""
    for db in databases(client):
        for keys in scan(client, db, pattern):
            yield from read(client, db, keys)


def databases(client: Any) -> list[int]:
    """Return the databases that have keys."""
    lines = client.execute_command("INFO", "keyspace").decode().splitlines()
    return sorted(int(line[2:].partition(":")[0]) for line in lines if line.startswith("db"))


def scan(client: Any, db: int, pattern: str | None = None) -> Iterator[list[bytes]]:
    """Yield the names of a database's keys, each once."""
    client.execute_command("SELECT", db)
    seen: set[bytes] = set()
    cursor: bytes = b"0"
    while True:
        words = ("MATCH", pattern) if pattern else ()
        cursor, found = client.execute_command("SCAN", cursor, *words, "COUNT", BATCH)
        fresh = [key for key in dict.fromkeys(found) if key not in seen]
        seen.update(fresh)
        if fresh:
            yield fresh
        if cursor == b"0":
            return


def read(client: Any, db: int, keys: Sequence[bytes]) -> list[Entry]:
    """Read keys of the client's database."""
    kinds = _ask(client, (word for key in keys for word in (("TYPE", key), ("PEXPIRETIME", key))))
    known = [(key, kinds[2 * at], kinds[2 * at + 1]) for at, key in enumerate(keys)]
    present = [(key, kind, ends) for key, kind, ends in known if kind in READS]
    answers = iter(_ask(client, (words for key, kind, _ in present for words in reads(kind, key))))
    found = [Entry(db, key, kind, [next(answers) for _ in READS[kind]], ends) for key, kind, ends in present]
    return [entry for entry in found if not any(isinstance(part, Exception) for part in entry.parts)]


def reads(kind: bytes, key: bytes) -> list[tuple[str | bytes, ...]]:
    """Return the commands that read a key of a type."""
    return [(*words[:2], key) if words[0] == "XINFO" else (words[0], key, *words[1:]) for words in READS[kind]]


def _ask(client: Any, commands: Iterable[Sequence[str | bytes]]) -> list[Any]:
    pipe = client.pipeline(transaction=False)
    for words in commands:
        pipe.execute_command(*words)
    answers: list[Any] = pipe.execute(raise_on_error=False)
    return answers


def _settled(kind: bytes, parts: Sequence[Any]) -> Sequence[Any]:
    """Bring what has no order of its own into one."""
    if kind == b"set":
        return [sorted(parts[0])]
    if kind == b"hash":
        return [sorted(zip(parts[0][::2], parts[0][1::2], strict=True))]
    if kind == b"zset":
        pairs = zip(parts[0][::2], parts[0][1::2], strict=True)
        return [sorted((repr(float(score)).encode(), member) for member, score in pairs)]
    if kind == b"stream":
        return [parts[0], sorted(_group(facts) for facts in parts[1])]
    return parts


def _group(facts: Sequence[Any]) -> tuple[bytes, ...]:
    """Return what of a consumer group is the same everywhere: its name, how far it is, how many messages it awaits."""
    named = dict(zip(facts[::2], facts[1::2], strict=True))
    return tuple(b"%b" % _bytes(named[name]) for name in (b"name", b"last-delivered-id", b"pending"))


def _flat(value: Any) -> Iterator[bytes]:
    """Yield the pieces of a nested reply, with its shape."""
    if isinstance(value, list | tuple):
        yield b"[%d" % len(value)
        for item in value:
            yield from _flat(item)
    else:
        yield _bytes(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
