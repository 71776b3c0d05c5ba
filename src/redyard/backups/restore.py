"""A moment made again: the base and the stream up to there, as the files that an engine itself loads.

A multi-part append-only file is a base and what was written since, with a manifest that names them. An engine that is
started with `appendonly yes` over a directory that has only a dump serves no key at all: the manifest is what counts.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Protocol, cast

import msgspec
import zstandard

from redyard.backups.storage import PART, Storage
from redyard.backups.timeline import LOGICAL, Base, Facts, Recipe, Segment, Timeline, Window, cut, near
from redyard.engine.files import NO_ROOM
from redyard.errors import BackupDamaged, DiskFull, MomentUnknown, NoMemory
from redyard.units import format_instant, format_size

DIRECTORY = "appendonlydir"
BASE_FILE, LOGICAL_FILE = "appendonly.aof.1.base.rdb", "appendonly.aof.1.base.aof"
STREAM_FILE = "appendonly.aof.1.incr.aof"
MANIFEST = f"file {{base}} seq 1 type b\nfile {STREAM_FILE} seq 1 type i\n"

AT_ONCE = 4
"""Objects that are read at a time: of a directory as many as have a core, of an object store what hides its delay."""

SHORTEST_GAP = 0.1
"""Seconds: the precision that is promised. A moment in a longer gap is refused."""

Tell = Callable[[int, int], None]
"""Hears how many bytes of how many are written."""


class Target(Protocol):
    """What takes bytes."""

    def write(self, part: memoryview, /) -> int:
        """Take them all before it returns: they are overwritten afterwards."""


def silent(_done: int, _whole: int) -> None:
    """Tell nobody."""


def find(storage: Storage, at: float, *, now: Callable[[], float] = time.time) -> Recipe:
    """Return how to make a moment; raise MomentUnknown for one that is not known, with what is."""
    if at > now():
        raise MomentUnknown(at=format_instant(at), known="it has not come yet")
    timeline = Timeline(storage.names())
    base, segments = timeline.choose(at)
    if base.kind == LOGICAL:
        return _only(timeline, base, at)
    marks = [mark for segment in near(segments, at) for mark in facts_of(storage, segment.name).marks]
    recipe = cut(base, segments, marks, at)
    for before, after in gaps(windows(storage, timeline)):
        if before + SHORTEST_GAP < at < after:
            known = f"nothing was followed from {format_instant(before)} to {format_instant(after)}; both can be"
            raise MomentUnknown(at=format_instant(at), known=known)
    return recipe


def _only(timeline: Timeline, base: Base, at: float) -> Recipe:
    """Return how to make the moment of a snapshot; another than its own cannot be."""
    if at - base.at > SHORTEST_GAP:
        later = [other.at for other in timeline.bases if other.at > at][:1]
        there = " and ".join(map(format_instant, [base.at, *later]))
        known = f"the server was read key by key; around then there is only {there}"
        raise MomentUnknown(at=format_instant(at), known=known)
    return Recipe(base, (), base.offset, base.at)


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

    Each object has its place in a file, so several are read and written at once. What does not have its digest raises
    BackupDamaged, what is not there StorageBroken, a full disk DiskFull.
    """
    directory = data / DIRECTORY
    with _whole(directory):
        progress = Progress(tell, _check_room(storage, recipe, directory))
        base_file = LOGICAL_FILE if recipe.base.kind == LOGICAL else BASE_FILE
        with ExitStack() as stack:
            base, incr = (stack.enter_context((directory / name).open("wb")) for name in (base_file, STREAM_FILE))
            pool = stack.enter_context(_ending(ThreadPoolExecutor(AT_ONCE), progress))
            steps = [pool.submit(unpack, storage, recipe.base.name, progress.writer(base, 0))]
            place = 0
            for segment, skip, take in recipe.spans():
                target = progress.writer(incr, place)
                steps.append(pool.submit(unpack, storage, segment.name, target, skip=skip, take=take))
                place += take
            size = sum(step.result() for step in as_completed(steps))
        (directory / "appendonly.aof.manifest").write_text(MANIFEST.format(base=base_file))
    return size


class Progress:
    """How many bytes of all are written; told from the thread that wrote the last."""

    def __init__(self, tell: Tell, whole: int) -> None:
        self.ending = False
        self._tell, self._whole, self._done = tell, whole, 0
        self._lock = Lock()

    def writer(self, file: BinaryIO, place: int) -> "_Writer":
        """Return what writes into a file from a place on."""
        return _Writer(file.fileno(), place, self)

    def add(self, count: int) -> None:
        """Count, and end the thread where another one met trouble."""
        if self.ending:
            raise CancelledError
        with self._lock:
            self._done += count
            self._tell(self._done, self._whole)


class _Writer:
    """Writes one piece after another, from its own place in a file that others write to as well."""

    def __init__(self, file: int, place: int, progress: Progress) -> None:
        self._file, self._place, self._progress = file, place, progress

    def write(self, part: memoryview, /) -> int:
        rest, count = part, len(part)
        while rest:
            written = os.pwrite(self._file, rest, self._place)
            self._place += written
            rest = rest[written:]
        self._progress.add(count)
        return count


@contextmanager
def _ending(pool: ThreadPoolExecutor, progress: Progress) -> Iterator[ThreadPoolExecutor]:
    """End a pool's threads soon where one of them met trouble."""
    try:
        yield pool
    except BaseException:
        progress.ending = True
        raise
    finally:
        pool.shutdown(cancel_futures=progress.ending)


def facts_of(storage: Storage, name: str) -> Facts:
    """Return what lies beside an object."""
    try:
        return msgspec.json.decode(storage.read(f"{name}.json"), type=Facts)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BackupDamaged(name=f"{name}.json", reason=str(error)) from None


def unpack(storage: Storage, name: str, target: Target, *, skip: int = 0, take: int | None = None) -> int:
    """Decompress an object into a file, or a span of it, and check that it is what was put there; return the bytes."""
    written = 0
    for raw in stream(storage, name):
        skipped = min(skip, len(raw))
        skip -= skipped
        wanted = raw[skipped:] if take is None else raw[skipped : skipped + take - written]
        if wanted:
            written += target.write(wanted)
    return written


def stream(storage: Storage, name: str, facts: Facts | None = None) -> Iterator[memoryview]:
    """Yield an object's bytes, decompressed; raise BackupDamaged at their end where they are not what was put there.

    Each piece is overwritten by the next one.
    """
    facts = facts or facts_of(storage, name)
    seen, buffer = 0, memoryview(bytearray(PART))
    with storage.open(name) as file:
        source = _Digested(file)
        reader = zstandard.ZstdDecompressor().stream_reader(cast("BinaryIO", source), read_size=PART)
        try:
            while size := reader.readinto(buffer):
                seen += size
                yield buffer[:size]
        except zstandard.ZstdError as error:
            raise BackupDamaged(name=name, reason=str(error)) from None
        while source.read(PART):  # what lies behind the end belongs to the digest, too
            pass
    if source.digest.hexdigest() != facts.sha256 or seen != facts.raw_size:
        raise BackupDamaged(name=name, reason="its digest is not the one that was written down")


class _Digested:
    """A file whose bytes are added to a digest as they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self.digest = sha256()
        self._file = file

    def read(self, size: int = -1) -> bytes:
        part = self._file.read(size)
        self.digest.update(part)
        return part


def _check_room(storage: Storage, recipe: Recipe, directory: Path) -> int:
    """Return the bytes that a moment takes, or raise NoMemory where the disk has not that many."""
    needed = facts_of(storage, recipe.base.name).raw_size + sum(take for _, _, take in recipe.spans())
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
