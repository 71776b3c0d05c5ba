"""A moment made again: the base and the stream up to there, as the files that an engine itself loads.

A multi-part append-only file is a base and what was written since, with a manifest that names them. An engine that is
started with `appendonly yes` over a directory that has only a dump serves no key at all: the manifest is what counts.
"""

from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from redyard.backups.storage import PART, Storage
from redyard.backups.timeline import Facts, Recipe, Timeline, cut
from redyard.errors import BackupDamaged

DIRECTORY = "appendonlydir"
BASE_FILE, STREAM_FILE = "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"
MANIFEST = f"file {BASE_FILE} seq 1 type b\nfile {STREAM_FILE} seq 1 type i\n"


def find(storage: Storage, at: float) -> Recipe:
    """Return how to make a moment, or raise MomentUnknown."""
    base, segments = Timeline(storage.names()).choose(at)
    marks = [mark for segment in segments[-2:] for mark in facts_of(storage, segment.name).marks]
    return cut(base, segments, marks, at)


def assemble(storage: Storage, recipe: Recipe, data: Path) -> int:
    """Write an engine's files for a moment; return their bytes. What does not have its digest raises BackupDamaged."""
    directory = data / DIRECTORY
    directory.mkdir(mode=0o700, parents=True)
    with (directory / BASE_FILE).open("wb") as base:
        size = _unpack(storage, recipe.base.name, base)
    with (directory / STREAM_FILE).open("wb") as stream:
        for segment in recipe.segments:
            skip = max(0, recipe.base.offset - segment.start)
            take = min(segment.end, recipe.until) - segment.start - skip
            size += _unpack(storage, segment.name, stream, skip=skip, take=take)
    (directory / "appendonly.aof.manifest").write_text(MANIFEST)
    return size


def facts_of(storage: Storage, name: str) -> Facts:
    """Return what lies beside an object."""
    try:
        return msgspec.json.decode(storage.read(f"{name}.json"), type=Facts)
    except msgspec.DecodeError as error:
        raise BackupDamaged(name=f"{name}.json", reason=str(error)) from None


def _unpack(storage: Storage, name: str, target: BinaryIO, *, skip: int = 0, take: int | None = None) -> int:
    """Decompress an object into a file, or a span of it, and check that it is what was put there."""
    facts = facts_of(storage, name)
    digest, written = sha256(), 0
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    with storage.open(name) as source:
        while part := source.read(PART):
            digest.update(part)
            try:
                raw = unpacker.decompress(part)
            except zstandard.ZstdError as error:
                raise BackupDamaged(name=name, reason=str(error)) from None
            skipped = min(skip, len(raw))
            skip -= skipped
            wanted = raw[skipped:] if take is None else raw[skipped : skipped + take - written]
            written += target.write(wanted)
    if digest.hexdigest() != facts.sha256:
        raise BackupDamaged(name=name, reason="its digest is not the one that was written down")
    return written
