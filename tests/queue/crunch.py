"""Tasks for child processes, which find them by the name of this module."""

import os
import signal
import time

from redyard.errors import Unrecoverable
from redyard.queue import report_line, report_progress
from redyard.queue.tasks import Tasks

tasks = Tasks()


@tasks.job(pool="process")
def square(n: int) -> int:
    """Return a square, and tell half of it."""
    report_progress(50)
    report_line("crunching é")
    return n * n


@tasks.job(pool="process")
def process() -> int:
    """Return the process."""
    return os.getpid()


@tasks.job(pool="process")
def die() -> None:
    """End as the kernel ends a process when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


@tasks.job(pool="process")
def last(path: str) -> None:
    """Tell the process, and do not end."""
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)


@tasks.job(pool="process")
def fail(final: bool) -> None:
    """Raise."""
    raise (Unrecoverable(problem="never") if final else ValueError("not now"))


@tasks.job(pool="process")
def strange() -> object:
    """Return what is no JSON."""
    return object()
