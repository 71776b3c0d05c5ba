"""Every setting that Redyard gives an engine: its value by role, why, what the guide had, and what that would lose.

The guide is the common advice for a Redis beside a web app: one engine for sessions, jobs and cache, with
`allkeys-lru`, snapshots and no AOF. What is not in this table stays at the engine's default.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from redyard.units import SIZES

RESERVED_CONNECTIONS = 8
"""Connections beyond the plan's, for the yard, probes and backups: an engine at its limit refuses its owner too."""


class Limits(NamedTuple):
    """What an instance may use: bytes of memory, connections of applications, databases."""

    memory: int
    connections: int
    databases: int


SEVERAL_WORDS = frozenset({"save", "client-output-buffer-limit", "oom-score-adj-values"})
"""Settings whose value is several words of a line, not one."""

Value = str | Callable[[Limits], str]


class Directive(NamedTuple):
    """A row: the setting's name, its value for a store and for a cache, and the reasons.

    `loss` is what the guide's value would lose; `safe` are the values, for a store and for a cache, that lose nothing;
    `risk` says what the others lose where that is not `loss`.
    """

    name: str
    store: Value
    cache: Value
    why: str
    guide: str = "the engine's default"
    loss: str = "-"
    safe: tuple[str, str] = (".*", ".*")
    risk: str = ""

    def value(self, role: str, limits: Limits) -> str:
        """Return the value for a role within these limits."""
        value: Value = getattr(self, role)
        return value if isinstance(value, str) else value(limits)

    def loses(self, role: str, value: str) -> str:
        """Return what a value would lose, in words; nothing for one that is safe."""
        safe = self.safe[role == "cache"]
        return "" if re.fullmatch(safe, value.lower()) else self.risk or self.loss

    @property
    def depends_on_plan(self) -> bool:
        """Say whether the value is worked out from the plan."""
        return callable(self.store)


def _clients_memory(limits: Limits) -> str:
    return str(max(limits.memory // 10, 16 * SIZES["mb"]))


def _backlog(limits: Limits) -> str:
    return str(max(limits.memory // 16, 16 * SIZES["mb"]))


ROLES = {
    "store": "must not be lost: refuses writes when full, logs every write to disk",
    "cache": "may be forgotten: drops what was least recently used, writes nothing to disk",
}

TABLE = (
    Directive(
        "maxmemory",
        lambda limits: str(limits.memory),
        lambda limits: str(limits.memory),
        "The instance's share of the plan. Without it the engine grows until the kernel kills it.",
        "256mb for everything",
        "room for jobs and sessions: cache keys took it",
    ),
    Directive(
        "maxmemory-policy",
        "noeviction",
        "allkeys-lru",
        "A store that is full says so (OOM) and keeps what it has; a cache makes room.",
        "allkeys-lru",
        "jobs, job locks and sessions: a flood of cache keys evicted 62 of 3,000 jobs without a word",
        safe=("noeviction", "allkeys-.*"),
    ),
    Directive(
        "maxmemory-clients",
        _clients_memory,
        _clients_memory,
        "A tenth of the memory, at least 16mb, for all clients' buffers: above it the largest client is cut.",
        "0 (no limit)",
        "keys: 80 replies of 1 MB that nobody read evicted 168,000 of 250,000 keys",
        safe=("[1-9].*", "[1-9].*"),
    ),
    Directive(
        "maxclients",
        lambda limits: str(limits.connections + RESERVED_CONNECTIONS),
        lambda limits: str(limits.connections + RESERVED_CONNECTIONS),
        "The plan's connections and 8 for the yard, probes and backups.",
        "the plan's number",
        "the owner's way in: a full engine refuses him too",
    ),
    Directive(
        "databases", lambda limits: str(limits.databases), lambda limits: str(limits.databases), "The plan's.", "16"
    ),
    Directive(
        "timeout",
        "0",
        "0",
        "Never cut an idle client; tcp-keepalive finds the dead ones.",
        "300",
        "idle connections: the next command of a quiet producer failed",
        safe=("0", "0"),
    ),
    Directive(
        "tcp-keepalive",
        "60",
        "60",
        "Find a client whose machine is gone within about two minutes.",
        "60",
        safe=("[1-9].*", "[1-9].*"),
        risk="connections: one whose machine is gone stays until the engine takes no more",
    ),
    Directive(
        "appendonly",
        "yes",
        "no",
        "Every write of a store goes to a log. A cache needs none.",
        "no",
        "all writes since the last snapshot, up to 15 minutes",
    ),
    Directive(
        "appendfsync",
        "everysec",
        "everysec",
        "A machine that loses power loses a second at most; `always` costs 70 % of the speed.",
        safe=("everysec|always", ".*"),
        risk="up to half a minute of writes when the machine loses power",
    ),
    Directive(
        "save",
        "3600 1",
        "",
        "An hourly snapshot beside the log, and one at each stop. More would copy memory for nothing.",
        "900 1, 300 10, 60 10000",
        "as the only persistence, minutes of writes",
    ),
    Directive(
        "stop-writes-on-bgsave-error",
        "no",
        "no",
        "The log keeps the writes; a failed snapshot must not stop the app.",
        "yes",
        "all writes from a failed fork on",
        safe=("no", ".*"),
    ),
    Directive(
        "aof-timestamp-enabled",
        "yes",
        "no",
        "Marks seconds in the log, so that it can be cut at a moment. Costs nothing.",
    ),
    Directive(
        "repl-diskless-sync-delay",
        "0",
        "0",
        "A backup's base and a move's copy begin at once; waiting for further replicas is for many of them.",
        "5 (the engine's default)",
        "5 s of every base and every move",
    ),
    Directive(
        "repl-backlog-size",
        _backlog,
        "1048576",
        "A sixteenth of the memory, at least 16mb, of the latest writes: a backup that was cut off goes on with the "
        "next byte. A cache is not backed up.",
        "1 MB (the engine's default)",
        "the moments between a cut and the next base: 1 MB is 7,000 small writes",
    ),
    Directive(
        "oom-score-adj",
        "relative",
        "relative",
        "When memory runs out, the kernel ends the process that saves, not the one that serves.",
        "no",
        "the engine itself: it was killed, not its child",
        safe=("relative|yes|absolute",) * 2,
    ),
    Directive(
        "latency-monitor-threshold",
        "100",
        "100",
        "Remember what took over 100 ms; off by default, so nothing is known.",
    ),
    Directive("enable-debug-command", "no", "no", "DEBUG can stop or crash an engine."),
)


OWNED = (
    ("maxmemory|maxclients|databases", "it belongs to the plan"),
    ("appendonly|aof-use-rdb-preamble", "it belongs to the role: a store logs every write, a cache none"),
    ("bind|port|unixsocket.*|dir|dbfilename|append(file|dir)name|aclfile|logfile|pidfile", "Redyard says where it is"),
    (
        "requirepass|masterauth|masteruser|primaryauth|primaryuser|protected-mode|acl-.*|tls-.*",
        "Redyard keeps who may in",
    ),
    ("(replica|slave)of|replica-announce.*|cluster-.*", "an instance is one server"),
    (
        "enable-.*|daemonize|supervised|loadmodule|include|rename-command|syslog-.*",
        "it counts only when an engine starts",
    ),
)
"""Settings that are not the owner's to set, and why."""


def owner(name: str) -> str:
    """Return why a setting is not to be changed; nothing for all others."""
    return next((reason for pattern, reason in OWNED if re.fullmatch(pattern, name)), "")


def find(name: str) -> Directive | None:
    """Return the row of a setting, if the table has it."""
    return next((row for row in TABLE if row.name == name), None)


def lookup(name: str) -> Directive:
    """Return the row of a setting."""
    return next(row for row in TABLE if row.name == name)
