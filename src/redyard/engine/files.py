"""Private files, written whole or not at all.

A reader never sees half a file, and a disk that is full leaves the old file and no temporary one.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from redyard.errors import DiskFull

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when a disk, a quota or a file-size limit is used up."""


def write_private(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file by this text, readable by its owner alone.

    Args:
        durable: wait until the disk has it (about 5 ms). False is for what can be found out again.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            sync_directory(path.parent)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFull(path=str(path)) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def last_lines(path: Path, count: int = 8, *, since: int = 0) -> str:
    """Return the last lines of a log, or of what was written to it after the first `since` bytes.

    A log that is shorter than that was begun anew: all of it is news.
    """
    with suppress(OSError), path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(since if since <= size else 0, size - 16384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    return ""


def sync_directory(path: Path) -> None:
    """Wait until the disk has the names of a directory's files."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
