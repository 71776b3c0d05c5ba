"""What can happen, and who hears of it: one table of kinds, one door to listen at.

Logs, metrics and the audit trail hang here. `emit` costs one comparison while nobody listens.
"""

import logging
import math
from collections.abc import Callable
from typing import NamedTuple

LOGGER = logging.getLogger("redyard")


class Kind(NamedTuple):
    """A row of the table: what happened, which fields tell of it, and how loud it is in a log."""

    name: str
    meaning: str
    fields: tuple[str, ...]
    level: int


class Event(NamedTuple):
    """Something that happened: its kind and the values of the kind's fields. No field ever holds a secret."""

    kind: Kind
    fields: dict[str, object]


Listener = Callable[[Event], None]

YARD_STARTED = Kind("yard.started", "The yard's process serves its directory.", ("home", "pid"), logging.INFO)
YARD_STOPPED = Kind("yard.stopped", "The yard's process ends.", ("home", "reason"), logging.INFO)
PHASE = Kind(
    "instance.phase",
    "An instance passes from one phase to another.",
    ("name", "old", "new", "reason"),
    logging.INFO,
)
ADDED = Kind("instance.added", "An instance was made.", ("name", "role", "plan", "port"), logging.INFO)
ATTACHED = Kind(
    "instance.attached", "A Redis that somebody else runs was attached.", ("name", "role", "url"), logging.INFO
)
DETACHED = Kind("instance.detached", "An attached Redis was forgotten.", ("name",), logging.INFO)
CONFIGURED = Kind(
    "instance.configured", "A setting of an engine was changed.", ("name", "setting", "value"), logging.INFO
)
ROTATING = Kind(
    "password.exchanged", "A user has a new password; the old one counts too.", ("name", "user"), logging.INFO
)
ROTATED = Kind("password.ended", "A user's old password counts no more.", ("name", "user", "closed"), logging.INFO)
GRANTED = Kind("access.given", "An app has a user of its own.", ("name", "app", "template"), logging.INFO)
REVOKED = Kind("access.taken", "An app's user was taken away.", ("name", "app"), logging.INFO)
UNAUDITED = Kind(
    "audit.failed", "What was done could not be written into the trail.", ("operation", "reason"), logging.ERROR
)
DOOR = Kind(
    "instance.door", "Clients come in another way: TLS was switched on or off.", ("name", "old", "new"), logging.INFO
)
REMOVED = Kind("instance.removed", "An instance and its data were removed.", ("name",), logging.INFO)
ADOPTED = Kind("instance.adopted", "A running engine was taken over.", ("name", "pid"), logging.INFO)
MOVED = Kind("instance.moved", "A new engine took an old one's place.", ("name", "pid", "pause_ms"), logging.INFO)
SCALED = Kind("instance.scaled", "An instance has another plan.", ("name", "old", "new", "way"), logging.INFO)
EDGE_STARTED = Kind(
    "edge.started",
    "The process that speaks TLS for an instance accepts clients.",
    ("name", "pid", "adopted"),
    logging.INFO,
)
EDGE_ENDED = Kind(
    "edge.ended",
    "The process that speaks TLS ended by itself; it is started again after so many seconds.",
    ("name", "pause"),
    logging.WARNING,
)
CERTIFIED = Kind("certificate.made", "An instance has a new certificate.", ("name", "ends"), logging.INFO)
UNDONE = Kind("instance.undone", "What an interrupted command had half made was removed.", ("name",), logging.WARNING)

REDIS_AWAY = Kind("redis.away", "A part of the kit does without Redis for now.", ("owner", "reason"), logging.WARNING)
REDIS_BACK = Kind("redis.back", "A part of the kit uses Redis again.", ("owner",), logging.INFO)
CLIENT_READY = Kind("client.ready", "A client's shared connection is there.", ("name", "connects"), logging.DEBUG)
CLIENT_RECONNECTING = Kind("client.reconnecting", "A client lost its connection.", ("name", "waiting"), logging.WARNING)
CLIENT_ERROR = Kind("client.error", "A client could not connect and tries again.", ("name", "error"), logging.WARNING)
SESSION_UNREADABLE = Kind(
    "session.unreadable", "A session's record was no session, and is treated as absent.", ("reason",), logging.WARNING
)
CLIENT_UNTRACKED = Kind(
    "client.untracked",
    "A server tells nobody what changed; no local level is used.",
    ("name", "reason"),
    logging.WARNING,
)
CACHE_HIT = Kind("cache.hit", "A fresh value came from the cache.", ("key",), logging.DEBUG)
CACHE_MISS = Kind("cache.miss", "A value was not in the cache.", ("key",), logging.DEBUG)
CACHE_STALE = Kind(
    "cache.stale", "An old value was given while or because no new one is there.", ("key",), logging.DEBUG
)
CACHE_LOAD = Kind(
    "cache.load",
    "A value was loaded in so many seconds; `kept`: Redis took it.",
    ("key", "seconds", "kept"),
    logging.DEBUG,
)
CACHE_ERROR = Kind("cache.error", "A value's load failed.", ("key", "error"), logging.WARNING)
CACHE_UNREADABLE = Kind(
    "cache.unreadable", "What lies at a cache's key cannot be read: a miss.", ("key", "reason"), logging.WARNING
)
CHECK_FAILED = Kind("check.failed", "A health check failed.", ("name", "reason"), logging.WARNING)
RATELIMIT_DECIDED = Kind(
    "ratelimit.decided",
    "A hit was allowed or refused; `degraded`: without Redis.",
    ("name", "allowed", "degraded"),
    logging.DEBUG,
)
SESSION_USED = Kind(
    "session.used",
    "A session was loaded, absent, created, saved, renewed or ended: `what`.",
    ("what",),
    logging.DEBUG,
)
JOB_ENDED = Kind(
    "job.ended",
    "An attempt at a job ended after so many seconds: `result` is completed, failed, retry or the like.",
    ("queue", "result", "seconds"),
    logging.DEBUG,
)
RATELIMIT_UNREADABLE = Kind(
    "ratelimit.unreadable", "A client's count could not be read; it begins anew.", ("name",), logging.WARNING
)
JOB_FAILED = Kind(
    "job.failed",
    "A job's handler failed; `final` says whether it was the last attempt.",
    ("queue", "id", "reason", "final"),
    logging.WARNING,
)
JOB_LOST = Kind(
    "job.lost", "A worker lost its lock on a job, which may run elsewhere.", ("queue", "id"), logging.WARNING
)
JOB_STALLED = Kind("job.stalled", "A job's worker vanished; the job runs again.", ("queue", "id"), logging.WARNING)
ALERT = Kind(
    "alert.changed",
    "An alert began to fire, or is resolved.",
    ("rule", "name", "what", "severity"),
    logging.WARNING,
)
ALERT_UNDELIVERED = Kind(
    "alert.undelivered", "A channel refused an alert at every try.", ("channel", "title", "tries"), logging.ERROR
)
HISTORY_DAMAGED = Kind(
    "history.damaged", "The file of the history was damaged and set aside.", ("path", "reason"), logging.WARNING
)

FOLLOWING = Kind("backup.following", "The stream of writes is followed.", ("name", "offset", "whole"), logging.INFO)
FOLLOW_LOST = Kind("backup.lost", "A server cannot be followed for now.", ("name", "reason"), logging.WARNING)
BASED = Kind("backup.based", "A base was taken.", ("name", "base", "size"), logging.INFO)
GAP = Kind(
    "backup.gap",
    "The stream could not go on: the moments between cannot be restored.",
    ("name", "after", "before"),
    logging.WARNING,
)
READ_INSTEAD = Kind(
    "backup.instead",
    "The server lets nobody follow it: its keys are read now and then, and only these moments can be restored.",
    ("name", "every", "reason"),
    logging.WARNING,
)
SNAPSHOT = Kind("backup.snapshot", "All keys of a server were read.", ("name", "keys", "size"), logging.INFO)
MERGED = Kind("backup.merged", "Small parts of the stream became large ones.", ("name", "parts", "made"), logging.INFO)
SHIPPED = Kind("backup.shipped", "A part of the stream is in the storage.", ("name", "segment"), logging.DEBUG)
SHIP_FAILED = Kind("backup.waiting", "The storage failed; backups wait here.", ("name", "reason"), logging.WARNING)
PROVED = Kind("backup.proved", "A restored state was proved.", ("name",), logging.INFO)
NOT_PROVED = Kind("backup.unproved", "A backup could not be proved.", ("name", "reason"), logging.ERROR)
PRUNED = Kind("backup.pruned", "Old backups were removed.", ("name", "objects"), logging.INFO)
BACKUP_FAILED = Kind("backup.failed", "What is done by the clock failed.", ("name", "reason"), logging.ERROR)
RESTORED = Kind("backup.restored", "A moment was made again.", ("name", "into", "moment", "keys"), logging.INFO)

TABLE = (
    *(YARD_STARTED, YARD_STOPPED, PHASE, ADDED, ATTACHED, DETACHED, CONFIGURED, REMOVED, ADOPTED),
    *(MOVED, SCALED, DOOR, EDGE_STARTED, EDGE_ENDED, CERTIFIED, UNDONE),
    *(ROTATING, ROTATED, GRANTED, REVOKED, UNAUDITED),
    *(ALERT, ALERT_UNDELIVERED, HISTORY_DAMAGED),
    *(
        CLIENT_READY,
        CLIENT_RECONNECTING,
        CLIENT_ERROR,
        CLIENT_UNTRACKED,
        REDIS_AWAY,
        REDIS_BACK,
        SESSION_UNREADABLE,
        CHECK_FAILED,
        RATELIMIT_DECIDED,
        RATELIMIT_UNREADABLE,
        SESSION_USED,
        CACHE_HIT,
        CACHE_MISS,
        CACHE_STALE,
        CACHE_LOAD,
        CACHE_ERROR,
        CACHE_UNREADABLE,
        JOB_ENDED,
        JOB_FAILED,
        JOB_LOST,
        JOB_STALLED,
    ),
    *(FOLLOWING, FOLLOW_LOST, GAP, READ_INSTEAD, SNAPSHOT, BASED, SHIPPED, SHIP_FAILED, MERGED),
    *(PROVED, NOT_PROVED, PRUNED, BACKUP_FAILED, RESTORED),
)

_listeners: tuple[tuple[Listener, int], ...] = ()
_least: float = math.inf


def subscribe(listener: Listener, *, level: int = logging.DEBUG) -> Callable[[], None]:
    """Call the listener at each event, in the thread that emits it; return the function that ends this.

    Args:
        listener: what is called.
        level: the least loud events that it hears of. Those of DEBUG happen many thousand times a second.
    """
    row = (listener, level)
    _listen((*_listeners, row))
    return lambda: _listen(tuple(other for other in _listeners if other is not row))


def listening(level: int = logging.DEBUG) -> bool:
    """Say whether anybody listens: what happens a hundred thousand times a second asks before it tells."""
    return _least <= level


def emit(kind: Kind, **fields: object) -> None:
    """Tell every listener. A listener that raises is logged and harms nobody."""
    if kind.level < _least:
        return
    event = Event(kind, fields)
    for listener, level in _listeners:
        if kind.level >= level:
            _tell(listener, event)


def _tell(listener: Listener, event: Event) -> None:
    try:
        listener(event)
    except Exception:
        LOGGER.exception("a listener failed at %s", event.kind.name)


def _listen(rows: tuple[tuple[Listener, int], ...]) -> None:
    global _listeners, _least
    _listeners, _least = rows, min((level for _, level in rows), default=math.inf)
