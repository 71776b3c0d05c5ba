"""Where backups are kept: a directory, or an object store. Objects are put whole or not at all, and never changed.

Names are relative, with "/" between their parts; everything is under one instance's prefix.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from redyard.engine.files import NO_ROOM
from redyard.errors import DiskFull, StorageBroken

PART = 1024 * 1024
"""Bytes that are read or copied at a time."""


class Storage(Protocol):
    """What keeps objects. Every method may block and is called from a thread; each raises StorageBroken or DiskFull."""

    @property
    def address(self) -> str:
        """Say where it is, without a secret."""

    def put(self, name: str, source: Path) -> None:
        """Keep a copy of a file under a name; afterwards it is there whole, also after a loss of power."""

    def write(self, name: str, data: bytes) -> None:
        """Keep a few bytes under a name, as `put`."""

    def read(self, name: str) -> bytes:
        """Return a small object's bytes."""

    def open(self, name: str) -> BinaryIO:
        """Return an object to be read in parts."""

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of all objects that begin so."""

    def sizes(self) -> dict[str, int]:
        """Return the bytes of every object, by its name."""

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is no error."""


class Directory:
    """A directory of this machine, or one that it has mounted."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def address(self) -> str:
        """Say where it is."""
        return str(self.root)

    def put(self, name: str, source: Path) -> None:
        """Copy a file beside its place, sync it, and rename it."""
        with self._placing(name) as (target, part):
            with source.open("rb") as read, part.open("wb") as write:
                shutil.copyfileobj(read, write, PART)
                _sync(write)
            _keep(part, target)

    def write(self, name: str, data: bytes) -> None:
        """Write bytes beside their place, sync them, and rename the file."""
        with self._placing(name) as (target, part):
            with part.open("wb") as write:
                write.write(data)
                _sync(write)
            _keep(part, target)

    def read(self, name: str) -> bytes:
        """Return an object's bytes."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise self._broken(name, error) from None

    def open(self, name: str) -> BinaryIO:
        """Open an object."""
        try:
            return (self.root / name).open("rb")
        except OSError as error:
            raise self._broken(name, error) from None

    def names(self, prefix: str = "") -> list[str]:
        """List what is there, in order."""
        return sorted(name for name in self.sizes() if name.startswith(prefix))

    def sizes(self) -> dict[str, int]:
        """Return the bytes of what is there; a file that is being written is not."""
        found = {}
        for path in self.root.rglob("*"):
            with suppress(OSError):  # removed meanwhile
                if not path.name.startswith(".") and path.is_file():
                    found[path.relative_to(self.root).as_posix()] = path.stat().st_size
        return found

    def delete(self, name: str) -> None:
        """Remove an object."""
        try:
            (self.root / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._broken(name, error) from None

    def _placing(self, name: str) -> "_Placing":
        return _Placing(self, self.root / name)

    def _broken(self, name: str, error: OSError) -> StorageBroken:
        return StorageBroken(storage=self.address, name=name, reason=error.strerror or str(error))


class _Placing:
    """A file's place and that of its unfinished copy, which goes if anything fails."""

    def __init__(self, storage: Directory, target: Path) -> None:
        self._storage = storage
        self._target = target
        self._part = target.with_name(f".{target.name}.{os.getpid()}")

    def __enter__(self) -> tuple[Path, Path]:
        try:
            self._target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._storage._broken(self._target.name, error) from None
        return self._target, self._part

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with suppress(OSError):
            self._part.unlink()
        if isinstance(error, OSError):
            if error.errno in NO_ROOM:
                raise DiskFull(path=str(self._target)) from None
            raise self._storage._broken(self._target.name, error) from None


def read_parts(storage: Storage, name: str) -> Iterator[bytes]:
    """Yield an object's bytes in parts."""
    with storage.open(name) as file:
        while part := file.read(PART):
            yield part


def discard(storage: Storage, name: str) -> None:
    """Remove an object: first what says that it is there."""
    storage.delete(f"{name}.json")
    storage.delete(name)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _keep(part: Path, target: Path) -> None:
    part.chmod(0o600)
    part.replace(target)
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
