"""The part of the stream that is not in the storage yet, on the local disk: a kill -9 loses nothing that came.

One file grows (`current.aof`) with its marks beside it; when it is large or old enough it is sealed. Sealed parts are
compressed and put into the storage one after another, the oldest first. What cannot be put there waits here.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import zstandard

from redyard.backups.psync import Position
from redyard.backups.storage import PART, Storage
from redyard.backups.timeline import Base, Facts, Segment
from redyard.engine.files import write_private

MARK_EVERY = 0.05
"""Seconds between marks: half of the precision that is promised."""

SEGMENT_SIZE = 8 * 1024 * 1024
SEGMENT_AGE = 10.0
"""Bytes and seconds after which the growing part is sealed."""

LEVEL = 3
"""Of zstd: 333 MB/s and a fifth of the size, as measured on streams of writes."""

HISTORY_DIGITS = 16
"""Digits of a history's name that appear in names of objects."""


class Begun(msgspec.Struct, frozen=True):
    """What the growing part is: its history, where and when it began, and who wrote it.

    `replica_of` is what the server calls its history now. After a failover or a move that goes on with the next byte it
    is another than at the base; to us it is the same history.
    """

    history: str
    replica_of: str
    start: int
    at: float
    engine: str
    version: str


class Sealed(NamedTuple):
    """A part that waits to be put into the storage."""

    begun: Begun
    path: Path
    marks: list[tuple[int, float]]
    end: int

    @property
    def segment(self) -> Segment:
        """Return what it will be."""
        return Segment(self.begun.at, self.begun.start, self.end, self.begun.history[:HISTORY_DIGITS])


class Spool:
    """A directory with the growing part and the sealed ones. `write` is called in the loop, `ship` in a thread."""

    def __init__(self, directory: Path, *, now: Callable[[], float] = time.time) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self._now = now
        self._begun: Begun | None = None
        self._file: BinaryIO | None = None
        self._marks: BinaryIO | None = None
        self._end = 0
        self._marked = 0.0
        self._resume()

    @property
    def position(self) -> Position | None:
        """Return how far the stream is safe here; None where nothing was begun."""
        return Position(self._begun.replica_of, self._end) if self._begun else None

    def begin(self, position: Position, *, engine: str, version: str) -> None:
        """Begin a part at a position: of another history, or behind the last one."""
        self.seal()
        self._close()
        begun = Begun(position.history, position.history, position.offset, self._now(), engine, version)
        self._open(begun, fresh=True)

    def go_on(self, replica_of: str) -> None:
        """Go on with the next byte of a server that may call the history by another name now."""
        assert self._begun is not None
        if replica_of != self._begun.replica_of:
            self._begun = msgspec.structs.replace(self._begun, replica_of=replica_of)
            write_private(self._current("json"), msgspec.json.encode(self._begun).decode())

    def write(self, part: bytes) -> None:
        """Add what came; it is with the system before this returns."""
        assert self._file is not None
        self._file.write(part)
        self._end += len(part)
        if (now := self._now()) - self._marked >= MARK_EVERY:
            self.mark(now)

    def mark(self, now: float) -> None:
        """Note that everything up to here had come by this time."""
        assert self._marks is not None
        self._marks.write(b"%d %.3f\n" % (self._end, now))
        self._marked = now

    def is_full(self) -> bool:
        """Say whether the growing part is large or old enough to be sealed."""
        if self._begun is None or self._end == self._begun.start:
            return False
        return self._end - self._begun.start >= SEGMENT_SIZE or self._now() - self._begun.at >= SEGMENT_AGE

    def seal(self) -> None:
        """Close the growing part, if it has anything, and begin the next one behind it."""
        begun = self._begun
        if begun is None:
            return
        if self._end > begun.start:
            self.mark(self._now())
        self._close()
        name = f"{begun.start:015}-{begun.history}"
        if self._end > begun.start:
            for kind in ("aof", "marks", "json"):
                self._current(kind).replace(self.directory / f"{name}.{kind}")
        self._open(msgspec.structs.replace(begun, start=self._end, at=self._now()), fresh=True)

    def sealed(self) -> list[Sealed]:
        """Return the parts that wait, the oldest first."""
        found = [self._read(path) for path in self.directory.glob("[0-9]*.json")]
        return sorted(found, key=lambda item: item.begun.at)

    def close(self) -> None:
        """Let go of the files; the next one goes on where this ended."""
        self._close()

    # ---- files

    def _resume(self) -> None:
        """Go on with what a follower left, whatever ended it: the bytes of the file are what came."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            self._open(msgspec.json.decode(self._current("json").read_bytes(), type=Begun), fresh=False)

    def _open(self, begun: Begun, *, fresh: bool) -> None:
        if not fresh:
            _drop_torn_line(self._current("marks"))
        else:
            for kind in ("aof", "marks"):
                self._current(kind).unlink(missing_ok=True)
            write_private(self._current("json"), msgspec.json.encode(begun).decode())
        self._file = self._current("aof").open("ab", buffering=0)
        self._marks = self._current("marks").open("ab", buffering=0)
        self._begun, self._end = begun, begun.start + self._file.tell()

    def _close(self) -> None:
        for file in (self._file, self._marks):
            if file:
                file.close()
        self._file = self._marks = None

    def _current(self, kind: str) -> Path:
        return self.directory / f"current.{kind}"

    def _read(self, path: Path) -> Sealed:
        begun = msgspec.json.decode(path.read_bytes(), type=Begun)
        raw = path.with_suffix(".aof")
        end = begun.start + raw.stat().st_size
        return Sealed(begun, raw, read_marks(path.with_suffix(".marks"), end), end)


def read_marks(path: Path, end: int) -> list[tuple[int, float]]:
    """Read marks; a torn last line, and marks beyond what came, are left out."""
    marks = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        with suppress(ValueError):
            offset, when = line.split()
            if int(offset) <= end:
                marks.append((int(offset), float(when)))
    return marks


def _drop_torn_line(path: Path) -> None:
    """Remove what a kill left of a line, so that the next one does not continue it."""
    with suppress(FileNotFoundError), path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def ship(sealed: Sealed, storage: Storage) -> Segment:
    """Compress a part and put it into the storage; then it is no longer needed here."""
    segment, packed = sealed.segment, sealed.path.with_suffix(".zst")
    digest, raw_size = compress(sealed.path, packed)
    storage.put(segment.name, packed)
    facts = Facts(
        sha256=digest,
        size=packed.stat().st_size,
        raw_size=raw_size,
        engine=sealed.begun.engine,
        version=sealed.begun.version,
        history=sealed.begun.history,
        marks=sealed.marks,
    )
    storage.write(f"{segment.name}.json", msgspec.json.encode(facts))
    for path in (packed, sealed.path.with_suffix(".json"), sealed.path.with_suffix(".marks"), sealed.path):
        path.unlink(missing_ok=True)
    return segment


def keep_base(base: Base, begun: Begun, packed: Path, raw_size: int, storage: Storage) -> None:
    """Put a base that was written and compressed here into the storage."""
    storage.put(base.name, packed)
    facts = Facts(
        sha256=digest_of(packed),
        size=packed.stat().st_size,
        raw_size=raw_size,
        engine=begun.engine,
        version=begun.version,
        history=begun.history,
    )
    storage.write(f"{base.name}.json", msgspec.json.encode(facts))
    packed.unlink(missing_ok=True)


def compress(source: Path, target: Path) -> tuple[str, int]:
    """Compress a file; return the digest of the result and the size of the source."""
    with source.open("rb") as read, target.open("wb") as write:
        _, _ = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).copy_stream(read, write)
    return digest_of(target), source.stat().st_size


def digest_of(path: Path) -> str:
    """Return a file's SHA-256."""
    digest = sha256()
    with path.open("rb") as file:
        while part := file.read(PART):
            digest.update(part)
    return digest.hexdigest()
