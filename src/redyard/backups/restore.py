"""A moment made again: the base and the stream up to there, as the files that an engine itself loads.

A multi-part append-only file is a base and what was written since, with a manifest that names them. An engine that is
started with `appendonly yes` over a directory that has only a dump serves no key at all: the manifest is what counts.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from redyard.backups.storage import PART, Storage
from redyard.backups.timeline import Base, Facts, Recipe, Segment, Timeline, Window, cut, near
from redyard.engine.files import NO_ROOM
from redyard.errors import BackupDamaged, DiskFull, MomentUnknown, NoMemory
from redyard.units import format_instant, format_size

DIRECTORY = "appendonlydir"
BASE_FILE, STREAM_FILE = "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"
MANIFEST = f"file {BASE_FILE} seq 1 type b\nfile {STREAM_FILE} seq 1 type i\n"

SHORTEST_GAP = 0.1
"""Seconds: the precision that is promised. A moment in a longer gap is refused."""

Tell = Callable[[int, int], None]
"""Hears how many bytes of how many are written."""


def silent(_done: int, _whole: int) -> None:
    """Tell nobody."""


def find(storage: Storage, at: float, *, now: Callable[[], float] = time.time) -> Recipe:
    """Return how to make a moment; raise MomentUnknown for one that is not known, with what is."""
    if at > now():
        raise MomentUnknown(at=format_instant(at), known="it has not come yet")
    timeline = Timeline(storage.names())
    base, segments = timeline.choose(at)
    marks = [mark for segment in near(segments, at) for mark in facts_of(storage, segment.name).marks]
    recipe = cut(base, segments, marks, at)
    for before, after in gaps(windows(storage, timeline)):
        if before + SHORTEST_GAP < at < after:
            known = f"nothing was followed from {format_instant(before)} to {format_instant(after)}; both can be"
            raise MomentUnknown(at=format_instant(at), known=known)
    return recipe


def latest(storage: Storage) -> Recipe:
    """Return how to make the newest state that the storage has."""
    timeline = Timeline(storage.names())
    if not timeline.bases:
        raise MomentUnknown(at="the newest state", known="there is no base yet")
    base = timeline.bases[-1]
    segments = timeline.after(base)
    last = facts_of(storage, segments[-1].name).marks if segments else []
    return Recipe(base, segments, segments[-1].end if segments else base.offset, last[-1][1] if last else base.at)


def choose(storage: Storage, at: float | None = None, offset: str | None = None) -> Recipe:
    """Return how to make a moment, the newest state (None), or the state at HISTORY:OFFSET of the stream."""
    if offset:
        history, _, number = offset.partition(":")
        recipe = Timeline(storage.names()).reaching(history, int(number))
        return recipe._replace(at=moment_of(storage, recipe.base, recipe.segments, recipe.until))
    return latest(storage) if at is None else find(storage, at)


def moment_of(storage: Storage, base: Base, chain: Sequence[Segment], offset: int) -> float:
    """Return when the last mark up to an offset was made."""
    marks = [mark for segment in chain[-2:] for mark in facts_of(storage, segment.name).marks]
    return max((when for known, when in marks if known <= offset), default=base.at)


def windows(storage: Storage, timeline: Timeline | None = None) -> list[Window]:
    """Return the spans of moments that can be restored, the oldest first."""
    timeline = timeline or Timeline(storage.names())
    found: dict[tuple[str, int], Window] = {}  # by where the stream of a base ends: bases with one end share a window
    for base in timeline.bases:
        chain = timeline.after(base)
        end = (base.history, chain[-1].end if chain else base.offset)
        if end in found:
            continue
        marks = facts_of(storage, chain[-1].name).marks if chain else []
        found[end] = Window(base.at, max(base.at, marks[-1][1] if marks else base.at))
    return sorted(found.values())


def gaps(spans: list[Window]) -> list[tuple[float, float]]:
    """Return the spans between windows, in which no moment is known."""
    return [(before.last, after.first) for before, after in pairwise(spans) if after.first > before.last + SHORTEST_GAP]


def assemble(storage: Storage, recipe: Recipe, data: Path, tell: Tell = silent) -> int:
    """Write an engine's files for a moment; return their bytes. On any trouble nothing stays.

    What does not have its digest raises BackupDamaged, what is not there StorageBroken, a full disk DiskFull.
    """
    directory = data / DIRECTORY
    with _whole(directory):
        whole = _check_room(storage, recipe, directory)
        with (directory / BASE_FILE).open("wb") as base:
            size = unpack(storage, recipe.base.name, base)
        tell(size, whole)
        with (directory / STREAM_FILE).open("wb") as stream:
            for segment in recipe.segments:
                skip = max(0, recipe.base.offset - segment.start)
                take = min(segment.end, recipe.until) - segment.start - skip
                size += unpack(storage, segment.name, stream, skip=skip, take=take)
                tell(size, whole)
        (directory / "appendonly.aof.manifest").write_text(MANIFEST)
    return size


def facts_of(storage: Storage, name: str) -> Facts:
    """Return what lies beside an object."""
    try:
        return msgspec.json.decode(storage.read(f"{name}.json"), type=Facts)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BackupDamaged(name=f"{name}.json", reason=str(error)) from None


def unpack(storage: Storage, name: str, target: BinaryIO, *, skip: int = 0, take: int | None = None) -> int:
    """Decompress an object into a file, or a span of it, and check that it is what was put there; return the bytes."""
    facts = facts_of(storage, name)
    digest, written, seen = sha256(), 0, 0
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    with storage.open(name) as source:
        while part := source.read(PART):
            digest.update(part)
            try:
                raw = unpacker.decompress(part)
            except zstandard.ZstdError as error:
                raise BackupDamaged(name=name, reason=str(error)) from None
            seen += len(raw)
            skipped = min(skip, len(raw))
            skip -= skipped
            written += target.write(raw[skipped:] if take is None else raw[skipped : skipped + take - written])
    if digest.hexdigest() != facts.sha256 or seen != facts.raw_size:
        raise BackupDamaged(name=name, reason="its digest is not the one that was written down")
    return written


def _check_room(storage: Storage, recipe: Recipe, directory: Path) -> int:
    """Return the bytes that a moment takes, or raise NoMemory where the disk has not that many."""
    needed = facts_of(storage, recipe.base.name).raw_size + recipe.until - recipe.base.offset
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise NoMemory(name="the moment", needed=format_size(needed), what="disk", free=format_size(free))
    return needed


@contextmanager
def _whole(directory: Path) -> Iterator[None]:
    """Make a directory that is filled whole or goes again."""
    directory.mkdir(mode=0o700, parents=True)
    try:
        yield
    except BaseException as error:
        shutil.rmtree(directory, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise DiskFull(path=str(directory)) from None
        raise
