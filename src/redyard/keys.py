"""Every key that Redyard writes: one table of patterns, types, owners and lifetimes.

Names are built here alone, so that no part of a name can run into another one.
"""

from enum import Enum
from hashlib import sha256
from string import Formatter
from typing import NamedTuple

from redyard.errors import BadKey

LONGEST = 256
"""The longest part of a key's name, in characters: a key is held in memory as often as there are clients."""


class Lifetime(Enum):
    """How long keys live, in seconds; capabilities take these as defaults."""

    SESSION = 86_400
    CACHE = 3_600
    RATE_LIMIT = 900
    TEMPORARY = 300
    LONG_TERM = 604_800
    KEPT = 0

    @property
    def seconds(self) -> int:
        """Return the lifetime in seconds, 0 for keys that do not expire."""
        return self.value


class Key(NamedTuple):
    """A row of the table; `reason` says why a key has no lifetime."""

    name: str
    pattern: str
    type: str
    owner: str
    lifetime: Lifetime
    reason: str = ""

    @property
    def prefix(self) -> str:
        """Return what comes before the first part."""
        return self.pattern.partition("{")[0]

    def make(self, **parts: str) -> str:
        """Build the key's name, or raise BadKey; only the last part may contain ':'."""
        names = [name for _, name, _, _ in Formatter().parse(self.pattern) if name]
        free = names[-1] if self.pattern.endswith("}") else ""
        return self.pattern.format_map({name: check(name, parts[name], free=name == free) for name in names})


def check(name: str, part: str, *, free: bool = False) -> str:
    """Return a part of a key's name if it can be one, or raise BadKey."""
    reason = ""
    if not part:
        reason = "it is empty"
    elif len(part) > LONGEST:
        reason = f"it has {len(part)} characters"
    elif not part.isprintable():
        reason = "it has unprintable characters"
    elif ":" in part and not free:
        reason = "it contains ':'"
    if reason:
        raise BadKey(part=part[:80], name=name, reason=reason)
    return part


def fit(part: str) -> str:
    """Return the text itself where it can be a key's last part, else its digest: for names that strangers choose."""
    if part and len(part) <= LONGEST and part.isprintable() and not part.startswith("sha256="):
        return part
    return "sha256=" + sha256(part.encode("utf-8", "surrogatepass")).hexdigest()


_JOBS = "jobs must not be lost; finished ones are trimmed by count"
_STATE = "goes with its queue"
_FLOW = "goes with its job"

SESSION = Key("session", "session:{id}", "hash", "sessions", Lifetime.SESSION)
SESSION_INDEX = Key("sessions of a user", "session-index:{user}", "zset", "sessions", Lifetime.SESSION)
EXPRESS_SESSION = Key("session shared with Express", "sess:{id}", "string", "sessions", Lifetime.SESSION)
CACHE = Key("cache", "cache:{key}", "string", "cache", Lifetime.CACHE)
CACHE_TAG = Key("cache's tag", "cachetag:{tag}", "string", "cache", Lifetime.LONG_TERM)
RATE_LIMIT = Key("rate limit", "ratelimit:{name}:{client}", "string", "ratelimit", Lifetime.RATE_LIMIT)
CONCURRENCY = Key("concurrency limit", "concurrency:{name}:{client}", "zset", "ratelimit", Lifetime.RATE_LIMIT)
TEMPORARY = Key("temporary", "temp:{name}", "string", "health", Lifetime.TEMPORARY)
WAIT = Key("waiting jobs", "bull:{queue}:wait", "list", "queue", Lifetime.KEPT, _JOBS)
ACTIVE = Key("active jobs", "bull:{queue}:active", "list", "queue", Lifetime.KEPT, _JOBS)
DELAYED = Key("delayed jobs", "bull:{queue}:delayed", "zset", "queue", Lifetime.KEPT, _JOBS)
PRIORITIZED = Key("prioritized jobs", "bull:{queue}:prioritized", "zset", "queue", Lifetime.KEPT, _JOBS)
COMPLETED = Key("completed jobs", "bull:{queue}:completed", "zset", "queue", Lifetime.KEPT, _JOBS)
FAILED = Key("failed jobs", "bull:{queue}:failed", "zset", "queue", Lifetime.KEPT, _JOBS)
META = Key("queue's settings", "bull:{queue}:meta", "hash", "queue", Lifetime.KEPT, _STATE)
ID = Key("queue's job counter", "bull:{queue}:id", "string", "queue", Lifetime.KEPT, _STATE)
PRIORITY_COUNTER = Key("queue's order counter", "bull:{queue}:pc", "string", "queue", Lifetime.KEPT, _STATE)
MARKER = Key("queue's bell for workers", "bull:{queue}:marker", "zset", "queue", Lifetime.KEPT, _STATE)
EVENTS = Key("queue's events", "bull:{queue}:events", "stream", "queue", Lifetime.KEPT, "trimmed to about 10,000")
PAUSED = Key("jobs of a paused queue", "bull:{queue}:paused", "list", "queue", Lifetime.KEPT, "older BullMQ's")
PARENTS = Key(
    "jobs that wait for their children", "bull:{queue}:waiting-children", "zset", "queue", Lifetime.KEPT, _JOBS
)
STALLED = Key("jobs that may have stalled", "bull:{queue}:stalled", "set", "queue", Lifetime.KEPT, _STATE)
STALLED_CHECK = Key("last look for stalled jobs", "bull:{queue}:redyard-check", "string", "queue", Lifetime.TEMPORARY)
GIVEN_UP = Key("waits that workers gave up", "bull:{queue}:redyard-gone", "set", "queue", Lifetime.TEMPORARY)
LIMITER = Key("queue's used rate", "bull:{queue}:limiter", "string", "queue", Lifetime.TEMPORARY)
CANCELLED = Key("cancelled running jobs", "bull:{queue}:redyard-cancelled", "set", "queue", Lifetime.TEMPORARY)
REPEAT = Key("queue's schedulers", "bull:{queue}:repeat", "zset", "queue", Lifetime.KEPT, _STATE)
SCHEDULER = Key("scheduler", "bull:{queue}:repeat:{id}", "hash", "queue", Lifetime.KEPT, _STATE)
DEDUPLICATION = Key(
    "what keeps like jobs out", "bull:{queue}:de:{id}", "string", "queue", Lifetime.KEPT, "as its job says"
)
DEDUPLICATED = Key("job to follow a like one", "bull:{queue}:dn:{id}", "hash", "queue", Lifetime.KEPT, _JOBS)
METRICS = Key("numbers of ended jobs", "bull:{queue}:metrics:{state}", "hash", "queue", Lifetime.KEPT, _STATE)
MINUTES = Key("ended jobs by minute", "bull:{queue}:metrics:{state}:data", "list", "queue", Lifetime.KEPT, "a day")
WORKERS = Key("queue's workers", "bull:{queue}:redyard-workers", "hash", "queue", Lifetime.TEMPORARY)
JOB = Key("job", "bull:{queue}:{id}", "hash", "queue", Lifetime.KEPT, _JOBS)
LOGS = Key("job's log", "bull:{queue}:{id}:logs", "list", "queue", Lifetime.KEPT, "goes with its job")
CHILDREN = Key("job's open children", "bull:{queue}:{id}:dependencies", "set", "queue", Lifetime.KEPT, _FLOW)
RESULTS = Key("results of a job's children", "bull:{queue}:{id}:processed", "hash", "queue", Lifetime.KEPT, _FLOW)
IGNORED = Key("ignored failures of children", "bull:{queue}:{id}:failed", "hash", "queue", Lifetime.KEPT, _FLOW)
FAILURES = Key("job's failed children", "bull:{queue}:{id}:unsuccessful", "zset", "queue", Lifetime.KEPT, _FLOW)
LOCK = Key("job's lock", "bull:{queue}:{id}:lock", "string", "queue", Lifetime.TEMPORARY)

TABLE = (
    *(SESSION, SESSION_INDEX, EXPRESS_SESSION),
    *(CACHE, CACHE_TAG, RATE_LIMIT, CONCURRENCY, TEMPORARY),
    *(WAIT, ACTIVE, DELAYED, PRIORITIZED, COMPLETED, FAILED),
    *(META, ID, PRIORITY_COUNTER, MARKER, EVENTS, WORKERS),
    *(PAUSED, PARENTS, STALLED, STALLED_CHECK, LIMITER, CANCELLED, GIVEN_UP),
    *(REPEAT, SCHEDULER, DEDUPLICATION, DEDUPLICATED, METRICS, MINUTES),
    *(JOB, LOGS, CHILDREN, RESULTS, IGNORED, FAILURES, LOCK),
)
