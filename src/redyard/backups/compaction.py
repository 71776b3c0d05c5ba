"""Many small parts of the stream made into few large ones: a quiet server makes 8,640 of them a day.

What to do is decided by a pure function of what there is. A merged part is read back before it counts, and what it was
made of is removed by a later run, which reads it once more: at no instant is a byte in less than one whole object, and
who restores meanwhile finds what was there when he looked.
"""

from collections.abc import Iterable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
import zstandard

from redyard.backups.restore import facts_of, stream
from redyard.backups.spool import LEVEL, digest_of
from redyard.backups.storage import Storage, discard
from redyard.backups.timeline import Facts, Segment, Timeline
from redyard.errors import BackupDamaged

SPAN = 3600.0
"""Seconds (hours of the clock) whose parts become one, once they are over."""

SETTLED = 600.0
"""Seconds for which a span is over before its parts are merged: the last of them may still wait for the storage."""

LARGEST = 64 * 1024 * 1024
"""Bytes of the stream that a merged part may have."""


class Plan(NamedTuple):
    """What is to be done: parts that become one, and parts that another one has as well."""

    merge: list[tuple[Segment, ...]]
    drop: list[tuple[Segment, Segment]]
    """Each with the one that covers it."""


def plan(timeline: Timeline, now: float) -> Plan:
    """Return what is to be done at a time (Unix); after it was done, nothing is."""
    merge: list[tuple[Segment, ...]] = []
    drop: list[tuple[Segment, Segment]] = []
    for history in sorted({segment.history for segment in timeline.segments}):
        chain, covered = _uncovered(segment for segment in timeline.segments if segment.history == history)
        drop += covered
        merge += [group for group in _groups(chain, now) if len(group) > 1]
    return Plan(merge, drop)


def _uncovered(segments: Iterable[Segment]) -> tuple[list[Segment], list[tuple[Segment, Segment]]]:
    """Return the segments that no other one covers, in order, and the others with the one that does."""
    chain: list[Segment] = []
    covered: list[tuple[Segment, Segment]] = []
    for segment in sorted(segments, key=lambda item: (item.start, -item.end)):
        if chain and segment.end <= chain[-1].end:
            covered.append((segment, chain[-1]))
        else:
            chain.append(segment)
    return chain, covered


def _groups(chain: list[Segment], now: float) -> list[tuple[Segment, ...]]:
    """Return runs of segments that follow each other within a span that is over, none of them too large."""
    groups: list[list[Segment]] = []
    over = [segment for segment in chain if (segment.at // SPAN + 1) * SPAN + SETTLED <= now]
    for before, segment in pairwise([None, *over]):
        assert segment is not None
        fits = (
            before is not None
            and before.end == segment.start
            and before.at // SPAN == segment.at // SPAN
            and segment.end - groups[-1][0].start <= LARGEST
        )
        if fits:
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return [tuple(group) for group in groups]


def merge(storage: Storage, parts: tuple[Segment, ...], directory: Path) -> Segment:
    """Make one part of several, and put it beside them once it was read back; raise BackupDamaged, StorageBroken.

    Args:
        directory: on a local disk, for the time of it.
    """
    made = parts[0]._replace(end=parts[-1].end)
    path = directory / f"merged-{made.start}.zst"
    try:
        digest = _concatenate(storage, parts, path)
        storage.put(made.name, path)
        facts = _facts(storage, parts, path)
        if digest != _digest(storage, made, facts):
            raise BackupDamaged(name=made.name, reason="it is not what its parts are")
        storage.write(f"{made.name}.json", msgspec.json.encode(facts))
    finally:
        path.unlink(missing_ok=True)
    return made


def drop(storage: Storage, segment: Segment, cover: Segment) -> None:
    """Remove a part that another one has as well, which is read before; raise BackupDamaged, StorageBroken."""
    _digest(storage, cover, facts_of(storage, cover.name))
    discard(storage, segment.name)


def _concatenate(storage: Storage, parts: tuple[Segment, ...], path: Path) -> bytes:
    """Write the parts' bytes into one compressed file; return the digest of the bytes."""
    digest = sha256()
    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with path.open("wb") as file, packer.stream_writer(file, closefd=False) as packed:
        for part in parts:
            for raw in stream(storage, part.name):
                packed.write(raw)
                digest.update(raw)
    return digest.digest()


def _digest(storage: Storage, segment: Segment, facts: Facts) -> bytes:
    """Read a segment to its end; return the digest of its bytes."""
    digest = sha256()
    for raw in stream(storage, segment.name, facts):
        digest.update(raw)
    return digest.digest()


def _facts(storage: Storage, parts: tuple[Segment, ...], path: Path) -> Facts:
    theirs = [facts_of(storage, part.name) for part in parts]
    return msgspec.structs.replace(
        theirs[0],
        sha256=digest_of(path),
        size=path.stat().st_size,
        raw_size=sum(facts.raw_size for facts in theirs),
        marks=[mark for facts in theirs for mark in facts.marks],
    )
