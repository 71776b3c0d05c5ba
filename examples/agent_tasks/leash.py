"""End this process when the one that started it is gone, however it went: no orphan is left behind.

`run.py` keeps the other end of this process's standard input. The system closes it also when run.py is killed.
"""

import os
import signal
import threading
from collections.abc import Mapping

VARIABLE = "AGENT_TASKS_LEASH"


def follow_parent(environ: Mapping[str, str]) -> None:
    """Watch the standard input if the parent asked for it."""
    if environ.get(VARIABLE) == "stdin":
        threading.Thread(target=_watch, daemon=True, name="leash").start()


def _watch() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
