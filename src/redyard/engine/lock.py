"""One engine a directory: a lock that the engine inherits and that ends with it, whatever ends it.

The lock is an flock on a file whose descriptor the engine is started with. No process number is written down, so a
kill -9 leaves nothing stale. A dead engine's own save child inherited it too and may hold it for seconds: it is told
from a living engine by its session, whose leader (the engine) is gone.
"""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from redyard.engine.process import Process
from redyard.errors import DirectoryBusy

KILLED_WITHIN = 5.0
"""Seconds that the system may take to end a process that was killed, and with it the process's lock."""


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock and yield its descriptor, for the engine to inherit; DirectoryBusy when another process has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
    except BlockingIOError:
        names = ", ".join(f"process {pid}" for pid in holders(path)) or "another process"
        raise DirectoryBusy(path=str(path.parent), holder=names) from None
    finally:
        os.close(handle)


def holders(path: Path) -> list[int]:
    """Return the processes, this one aside, that have the lock's file open."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(file.path == str(path.resolve()) for file in process.open_files()):
                found.append(process.pid)
    return found


def leader(path: Path) -> Process | None:
    """Return the living engine that holds the lock, if there is one: each is the leader of its own session."""
    for pid in holders(path):
        with suppress(ProcessLookupError):
            if os.getsid(pid) == pid:
                return Process.find(pid)
    return None


def end_orphans(path: Path) -> list[int]:
    """End the save children of an engine that is dead: what they write belongs to nobody. Return their numbers."""
    ended = []
    for pid in holders(path):
        with suppress(ProcessLookupError):
            session = os.getsid(pid)
            if session != pid and Process.find(session) is None:
                _kill(pid)
                ended.append(pid)
    return ended


def _kill(pid: int) -> None:
    process = Process.find(pid)
    if process is not None:
        process.send(signal.SIGKILL)
        process.wait(KILLED_WITHIN)
        process.close()
