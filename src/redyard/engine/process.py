"""A process that outlives its parent, known by its number and its start: no stranger is ever taken for it."""

import asyncio
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

POLL = 0.05
"""Seconds between looks at a process where the system has no pidfd (macOS)."""


def start_mark(pid: int) -> str | None:
    """Return what tells this process from a later one with the same number, or None when there is no such process.

    On Linux the boot and the tick of the start: unlike the wall-clock time they never move when the clock is set.
    """
    try:
        if sys.platform != "linux":
            return f"{psutil.Process(pid).create_time():.3f}"
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except (OSError, psutil.Error):
        return None
    return None if fields[0] in "ZX" else f"{boot}-{fields[19]}"


class Process:
    """A running process, ours or adopted; signals never reach another that has its number now."""

    def __init__(self, pid: int, mark: str) -> None:
        self.pid = pid
        self.mark = mark
        self._handle = _pidfd(pid)

    @classmethod
    def find(cls, pid: int, mark: str | None = None) -> "Process | None":
        """Return the process with this number (and this start, when it is known), or None when it has ended."""
        seen = start_mark(pid)
        if seen is None or mark not in {None, seen}:
            return None
        process = cls(pid, seen)
        if start_mark(pid) == seen:  # looked at again, so that the handle is of this process and of no later one
            return process
        process.close()
        return None

    def alive(self) -> bool:
        """Say whether it still runs; collect it when it was our child and has ended."""
        if self._handle is not None and not self._has_ended(0):
            return True
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return self._handle is None and start_mark(self.pid) == self.mark

    def send(self, number: signal.Signals) -> None:
        """Send a signal; do nothing when it has ended."""
        with suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, number)
            elif self.alive():
                os.kill(self.pid, number)

    async def ended(self) -> None:
        """Wait until it has ended."""
        if self._handle is not None and self.alive():
            await _readable(self._handle)
        while self.alive():  # noqa: ASYNC110 - where there is no pidfd, nothing tells of a stranger's end
            await asyncio.sleep(POLL)

    def wait(self, within: float) -> bool:
        """Block until it has ended, at most `within` seconds; say whether it has."""
        deadline = time.monotonic() + within
        while self.alive() and (left := deadline - time.monotonic()) > 0:
            if self._handle is None:
                time.sleep(min(POLL, left))
            else:
                self._has_ended(left)
        return not self.alive()

    def close(self) -> None:
        """Let go of it; it goes on running."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _has_ended(self, within: float) -> bool:
        """Ask the handle, which waits for the last thread: others may hold a lock when the first is gone."""
        look = select.poll()
        look.register(self._handle or 0, select.POLLIN)
        return bool(look.poll(within * 1000))


def _pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _resolve(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)


async def _readable(handle: int) -> None:
    loop = asyncio.get_running_loop()
    copy = os.dup(handle)  # an own number for each waiter: the loop knows one callback a number
    done: asyncio.Future[None] = loop.create_future()
    loop.add_reader(copy, _resolve, done)
    try:
        await done
    finally:
        loop.remove_reader(copy)
        os.close(copy)
