"""Standing aside: a thread that asks a server of the same machine runs where that runs, when nobody else would.

Two that take turns need one processor, the server's own: neither waits until another one has woken up, which may take
longer than a page of keys, and the apps have all others to themselves. Linux only; elsewhere nothing changes.
"""

import contextlib
import os
import time
from pathlib import Path

from redyard.doctor.wire import Wire

EVERY = 0.1
"""Seconds after which it is asked how long the thread waited for its processor."""

MOSTLY = 0.9
"""Share of the time that is too much: while the server works, a thread at its side waits for the processor, too."""


class Aside:
    """This thread from now on. It cannot be taken back: one that is not to stand aside any more must end."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._on = -1
        self._may: set[int] = set()
        self._since, self._waited = time.perf_counter(), 0.0
        with contextlib.suppress(AttributeError, OSError):  # another system, or a sandbox that refuses it
            self._waited = _waited()
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            self._may = os.sched_getaffinity(0)

    def follow(self) -> bool:
        """Go where the server's last answer came from; say whether too little is left over there."""
        on = self._wire.heard_on
        if on != self._on and on in self._may:
            self._on = on
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, {on})
        return self._starves() if self._may else False

    def _starves(self) -> bool:
        """Say whether it waited for a processor for most of the time since the last look at that."""
        passed = time.perf_counter() - self._since
        if passed < EVERY:
            return False
        before, self._waited = self._waited, _waited()
        self._since += passed
        return self._waited - before > MOSTLY * passed


def _waited() -> float:
    """Return for how many seconds this thread could have run and did not."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
