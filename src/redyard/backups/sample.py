"""What a server holds at an offset of its stream, in a few facts: a restored state at that offset must agree.

One transaction reads the offset, how many keys each database has, and the values of some keys drawn before: what was
written in between is in all three or in none.
"""

from pathlib import Path
from typing import Any

import msgspec

from redyard.backups import canonical

DRAWN = 200
"""Keys that are drawn."""

LARGEST = 256 * 1024
"""Bytes of memory of a value that is read: a transaction must not hold up the server."""


class Sample(msgspec.Struct, frozen=True):
    """Where in which history; keys without an end by database; the digests of some keys, each as (db, hex name)."""

    history: str
    offset: int
    lasting: dict[int, int]
    digests: dict[str, str]


def take_sample(address: str | Path, password: str = "") -> Sample:
    """Ask the server at an address, or at a Unix socket as the yard's user."""
    client = canonical.connect(address, password)
    try:
        drawn = _draw(client)
        pipe = client.pipeline(transaction=True)
        pipe.execute_command("INFO", "replication")
        pipe.execute_command("INFO", "keyspace")
        for db, key, kind in drawn:
            pipe.execute_command("SELECT", db)
            for words in (("PEXPIRETIME", key), *canonical.reads(kind, key)):
                pipe.execute_command(*words)
        answers = iter(pipe.execute(raise_on_error=False))
    finally:
        client.close()
    replication, keyspace = _facts(next(answers)), _facts(next(answers))
    digests = {}
    for db, key, kind in drawn:
        next(answers)
        ends = next(answers)
        parts = [next(answers) for _ in canonical.READS[kind]]
        if ends != -2 and not any(isinstance(part, Exception) for part in parts):
            digests[label(db, key)] = f"{canonical.Entry(db, key, kind, parts, ends).digest:032x}"
    return Sample(replication["master_replid"], int(replication["master_repl_offset"]), lasting(keyspace), digests)


def compare(sample: Sample, client: Any) -> str:
    """Return how a restored server differs from a sample, in words; nothing where it agrees."""
    found = lasting(_facts(client.execute_command("INFO", "keyspace")))
    if found != sample.lasting:
        return f"it has the keys {found}, and had {sample.lasting}"
    return disagreement(sample.digests, client)


def disagreement(digests: dict[str, str], client: Any) -> str:
    """Return which of some keys a restored server has otherwise, in words; nothing where it agrees."""
    for name, digest in digests.items():
        db, _, key = name.partition(":")
        client.execute_command("SELECT", int(db))
        entries = canonical.read(client, int(db), [bytes.fromhex(key)])
        if [f"{entry.digest:032x}" for entry in entries] not in ([digest], []):  # one with an end may have ended
            return f"the key {bytes.fromhex(key)!r} of database {db} is another"
    return ""


def label(db: int, key: bytes) -> str:
    """Return a key's name as a sample bears it."""
    return f"{db}:{key.hex()}"


def lasting(keyspace: dict[str, str]) -> dict[int, int]:
    """Return how many keys of each database have no end: the others may go at any time."""
    found = {}
    for name, text in keyspace.items():
        if name.startswith("db"):
            counts = dict(part.split("=") for part in text.split(","))
            found[int(name[2:])] = int(counts["keys"]) - int(counts["expires"])
    return {db: count for db, count in found.items() if count}


def _draw(client: Any) -> list[tuple[int, bytes, bytes]]:
    """Return some keys, with their databases and types, none of them large."""
    dbs = canonical.databases(client)
    drawn: dict[tuple[int, bytes], bytes] = {}
    for db in dbs:
        pipe = client.pipeline(transaction=False)
        pipe.execute_command("SELECT", db)
        for _ in range(DRAWN // len(dbs) + 1):
            pipe.execute_command("RANDOMKEY")
        keys = list({key for key in pipe.execute()[1:] if key})
        pipe.execute_command("SELECT", db)
        for key in keys:
            pipe.execute_command("TYPE", key)
            pipe.execute_command("MEMORY", "USAGE", key, "SAMPLES", "5")
        answers = pipe.execute()[1:]
        drawn |= {
            (db, key): kind
            for key, kind, size in zip(keys, answers[::2], answers[1::2], strict=True)
            if kind in canonical.READS and size is not None and size <= LARGEST
        }
    return [(db, key, kind) for (db, key), kind in drawn.items()]


def _facts(info: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
