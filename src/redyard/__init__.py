"""Redyard: the managed Redis add-on that an app team owns, and the kit that the app imports.

The names load their modules when they are first used, so that `import redyard` and the commands start fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redyard.cache import Cache
    from redyard.client import Redis
    from redyard.errors import RedyardError
    from redyard.queue import Job, Queue, Worker
    from redyard.ratelimit import Decision, RateLimit
    from redyard.sessions import SessionStore

__all__ = ["Cache", "Decision", "Job", "Queue", "RateLimit", "Redis", "RedyardError", "SessionStore", "Worker"]

_HOMES = {
    "Cache": "redyard.cache",
    "Decision": "redyard.ratelimit",
    "Job": "redyard.queue",
    "Queue": "redyard.queue",
    "RateLimit": "redyard.ratelimit",
    "Redis": "redyard.client",
    "RedyardError": "redyard.errors",
    "SessionStore": "redyard.sessions",
    "Worker": "redyard.queue",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
