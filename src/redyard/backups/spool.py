"""What is not in the storage yet, on the local disk: a kill -9 loses nothing that came.

One file grows (`current.aof`) with its marks beside it; when it is large or old enough it is sealed. Sealed parts and
bases are put into the storage one after another, the oldest first. What cannot be put there waits here.
"""

import fcntl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import zstandard

from redyard.backups.psync import Position
from redyard.backups.storage import PART, Storage
from redyard.backups.timeline import RDB, STREAM, Base, Facts, Segment
from redyard.engine.files import write_private
from redyard.errors import DirectoryBusy

MARK_EVERY = 0.05
"""Seconds between marks: half of the precision that is promised."""

SEGMENT_SIZE = 8 * 1024 * 1024
SEGMENT_AGE = 10.0
"""Bytes and seconds after which the growing part is sealed."""

HEARTBEAT = b"*1\r\n$4\r\nPING\r\n"
"""What a server that has nothing to say sends every 10 s: no reason to close a part."""

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
    """A part of the stream that waits to be put into the storage."""

    begun: Begun
    path: Path
    marks: list[tuple[int, float]]
    end: int

    @property
    def item(self) -> Segment:
        """Return what it will be."""
        return Segment(self.begun.at, self.begun.start, self.end, self.begun.history[:HISTORY_DIGITS])

    def waits(self) -> bool:
        """Say whether it is still here."""
        return self.path.with_suffix(".json").exists()

    def ship(self, storage: Storage) -> None:
        """Compress it and put it into the storage; then it is no longer needed here."""
        packed = self.path.with_suffix(".zst")
        digest, raw_size = compress(self.path, packed)
        facts = _facts(self.begun, packed, digest, raw_size)
        _put(storage, self.item, packed, msgspec.structs.replace(facts, kind=STREAM, marks=self.marks))
        for path in (packed, *(self.path.with_suffix(kind) for kind in (".json", ".marks", ".aof"))):
            path.unlink(missing_ok=True)


class Taken(msgspec.Struct, frozen=True):
    """A base that was written and compressed here, and waits to be put into the storage."""

    begun: Begun
    raw_size: int
    path: str
    marks: list[tuple[int, float]] = []
    kind: str = RDB
    read_from: float = 0.0
    keys: int = 0
    digests: dict[str, str] = {}

    @property
    def item(self) -> Base:
        """Return what it will be."""
        return Base(self.begun.at, self.begun.start, self.begun.history[:HISTORY_DIGITS], self.kind)

    def waits(self) -> bool:
        """Say whether it is still here."""
        return Path(self.path).with_suffix(".json").exists()

    def ship(self, storage: Storage) -> None:
        """Put it into the storage; then it is no longer needed here."""
        packed = Path(self.path)
        facts = _facts(self.begun, packed, digest_of(packed), self.raw_size)
        more = {"kind": self.kind, "begun": self.read_from, "keys": self.keys, "digests": self.digests}
        _put(storage, self.item, packed, msgspec.structs.replace(facts, **more))
        packed.with_suffix(".json").unlink()
        packed.unlink()


class Spool:
    """A directory with the growing part and what waits. `write` is called in the loop, `ship` in a thread."""

    def __init__(self, directory: Path, *, now: Callable[[], float] = time.time) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self._now = now
        self._begun: Begun | None = None
        self._file: BinaryIO | None = None
        self._marks: BinaryIO | None = None
        self._end = 0
        self._marked = self._came = 0.0
        self._marked_end = 0
        self._has_writes = self._torn = False
        self._lock = _hold(directory / "lock")
        self._sweep()
        self._resume()

    @property
    def position(self) -> Position | None:
        """Return how far the stream is safe here; None where nothing was begun."""
        return Position(self._begun.replica_of, self._end) if self._begun else None

    @property
    def history(self) -> str:
        """Return the name of the history as its bases and segments bear it."""
        return self._begun.history if self._begun else ""

    @property
    def begun(self) -> Begun | None:
        """Return what the growing part is."""
        return self._begun

    @property
    def last_mark(self) -> float:
        """Return when something was last known to have come (Unix time); 0 where nothing was."""
        return max(self._came, self._marked, self._begun.at) if self._begun else 0.0

    def size(self) -> int:
        """Return the bytes of all that waits here."""
        found = 0
        for path in self.directory.iterdir():
            with suppress(OSError):  # shipped meanwhile
                found += 0 if path.stem == "former" else path.stat().st_size
        return found

    def begin(self, position: Position, *, engine: str, version: str) -> None:
        """Begin a part at a position: of another history, or behind the last one."""
        self.seal()
        self._close()
        begun = Begun(position.history, position.history, position.offset, self._now(), engine, version)
        self._open(begun, fresh=True)

    def go_on(self, replica_of: str) -> None:
        """Go on with the next byte of a server that may call the history by another name now; raise DiskFull."""
        assert self._begun is not None
        self._reopen()
        if replica_of != self._begun.replica_of:
            self._begun = msgspec.structs.replace(self._begun, replica_of=replica_of)
            write_private(self._current("json"), msgspec.json.encode(self._begun).decode())

    def write(self, part: bytes) -> None:
        """Add what came; it is with the system before this returns. A full disk takes a part of it and raises."""
        self._append(part)
        self._came = self._now()
        if abs(self._came - self._marked) >= MARK_EVERY:  # abs: a clock may be set back
            self.mark()

    def replay(self, parts: Iterable[tuple[bytes, float]]) -> None:
        """Add what came another way, each part with the time by which it was written."""
        for part, at in parts:
            if part or at >= self._came:
                self._append(part)
                self._came, self._marked_end = at, -1
                self.mark()

    def since(self, offset: int) -> bytes | None:
        """Return the stream from an offset to its end as it came, where the last two parts hold it."""
        parts = [*self._former(), *([(self._begun.start, self._current("aof"))] if self._begun else [])]
        if not parts or not parts[0][0] <= offset <= self._end:
            return None
        return b"".join(path.read_bytes() for _, path in parts)[offset - parts[0][0] :]

    def mark(self) -> None:
        """Note when the last of what is here came; it had come by then, and all before it."""
        if self._marks is not None and self._end > self._marked_end:
            line = b"\n" * self._torn + b"%d %.3f\n" % (self._end, self._came)
            self._torn = True  # a full disk takes a part of it, or raises: the next one must not continue that
            self._torn = self._marks.write(line) < len(line)
            self._marked, self._marked_end = self._came, self._end

    def is_full(self) -> bool:
        """Say whether the growing part is large or old enough to be sealed."""
        if self._begun is None or self._end == self._begun.start:
            return False
        old = self._has_writes and self._now() - self._begun.at >= SEGMENT_AGE
        return old or self._end - self._begun.start >= SEGMENT_SIZE

    def seal(self) -> None:
        """Close the growing part, if it has anything, and begin the next one behind it."""
        begun = self._begun
        if begun is None:
            return
        self.mark()
        self._close()
        name = f"{begun.start:015}-{begun.history}"
        if self._end > begun.start:
            for kind in ("aof", "marks", "json"):
                self._keep(kind)
                self._current(kind).replace(self.directory / f"{name}.{kind}")
        self._begin_behind(begun, self._end)

    def waits(self) -> bool:
        """Say whether writes are here that the storage has not."""
        return self._has_writes or any(self.directory.glob("[0-9]*.json")) or any(self.directory.glob("base-*.json"))

    def base_path(self, offset: int) -> Path:
        """Return where a base is to be written."""
        return self.directory / f"base-{offset:015}.zst"

    def snapshot_path(self, name: str) -> Path:
        """Return where a logical snapshot is to be written."""
        return self.directory / f"base-{name}.zst"

    def take(self, taken: Taken) -> None:
        """Let a base wait that was written to its place."""
        write_private(Path(taken.path).with_suffix(".json"), msgspec.json.encode(taken).decode())

    def waiting(self) -> list[Sealed | Taken]:
        """Return what is to be put into the storage, the oldest first."""
        parts: list[Sealed | Taken] = [self._read(path) for path in self.directory.glob("[0-9]*.json")]
        bases = [msgspec.json.decode(path.read_bytes(), type=Taken) for path in self.directory.glob("base-*.json")]
        return sorted([*bases, *parts], key=lambda item: item.begun.at)

    def close(self) -> None:
        """Let go of the files; the next one goes on where this ended."""
        self._close()
        self._lock.close()

    # ---- files

    def _sweep(self) -> None:
        """Remove what a kill left half written."""
        for path in self.directory.glob("*.zst"):
            if not (path.name.startswith("base-") and path.with_suffix(".json").exists()):
                path.unlink()

    def _resume(self) -> None:
        """Go on with what a follower left, whatever ended it: the bytes of the file are what came."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            self._open(msgspec.json.decode(self._current("json").read_bytes(), type=Begun), fresh=False)
            return
        # it ended, or the disk was full, between closing a part or taking a base and beginning the part behind it
        known = [part for part in self.waiting() if isinstance(part, Sealed) or part.kind == RDB]
        if known:
            last = known[-1]
            self._begin_behind(last.begun, last.end if isinstance(last, Sealed) else last.begun.start)

    def _begin_behind(self, begun: Begun, end: int) -> None:
        """Begin the next part; where there is no room for it now, `go_on` and `write` try again."""
        self._begun, self._end = msgspec.structs.replace(begun, start=end, at=self._now()), end
        self._open(self._begun, fresh=True)

    def _reopen(self) -> None:
        if self._file is None and self._begun is not None:
            self._begin_behind(self._begun, self._end)

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
        self._marked_end, self._came = begun.start, self._now()
        self._has_writes, self._torn = not fresh, False

    def _append(self, part: bytes) -> None:
        self._reopen()
        assert self._file is not None
        self._has_writes = self._has_writes or bool(part.replace(HEARTBEAT, b""))
        rest = memoryview(part)
        while rest:
            written = self._file.write(rest)
            self._end += written
            rest = rest[written:]

    def _keep(self, kind: str) -> None:
        """Let a sealed part stay until the next is sealed, as it came, even if it is shipped before."""
        former = self.directory / f"former.{kind}"
        former.unlink(missing_ok=True)
        former.hardlink_to(self._current(kind))

    def _former(self) -> list[tuple[int, Path]]:
        """Return the start and the file of the part before this one, if it is still here."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            former = msgspec.json.decode((self.directory / "former.json").read_bytes(), type=Begun)
            path = self.directory / "former.aof"
            if self._begun and former.history == self._begun.history:
                ends = former.start + path.stat().st_size
                return [(former.start, path)] if ends == self._begun.start else []
        return []

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


def _hold(path: Path) -> BinaryIO:
    """Take the spool's lock: two followers in one spool would mix two streams."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise DirectoryBusy(path=str(path.parent), holder="another follower") from None
    return file


def _facts(begun: Begun, packed: Path, digest: str, raw_size: int) -> Facts:
    return Facts(
        sha256=digest,
        size=packed.stat().st_size,
        raw_size=raw_size,
        engine=begun.engine,
        version=begun.version,
        history=begun.history,
    )


def _put(storage: Storage, item: Base | Segment, packed: Path, facts: Facts) -> None:
    storage.put(item.name, packed)
    storage.write(f"{item.name}.json", msgspec.json.encode(facts))


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
