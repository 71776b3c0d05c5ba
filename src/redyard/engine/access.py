"""Who may do what on an engine: its users, as a table, and the file that the engine reads (hashes, no passwords)."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple


class User(NamedTuple):
    """A row: the engine's user, what it is for, and its rights in the engine's own language."""

    name: str
    purpose: str
    rights: str


APP = User(
    "default",
    "The app. All data commands; none that is dangerous or administers, but for those that clients and queues need.",
    "~* &* +@all -@dangerous -@admin -acl +info +sort +sort_ro +client|list",
)
YARD = User("yard", "The yard itself: everything.", "~* &* +@all")
MONITOR = User(
    "monitor",
    "Metrics and people who look: reads, INFO, CONFIG GET, SLOWLOG, LATENCY.",
    "%R~* &* -@all +@read +@connection -@dangerous +info +role +dbsize +command +config|get "
    "+slowlog|get +slowlog|len +latency -latency|reset +memory|usage +memory|stats +client|list",
)
REPLICATION = User(
    "replication", "Replicas and backups: to follow the stream of writes.", "-@all +psync +replconf +ping"
)

TABLE = (APP, YARD, MONITOR, REPLICATION)


def render(passwords: Mapping[str, str]) -> str:
    """Return the ACL file for these passwords, by user: the engine sees SHA-256 hashes only."""
    return "".join(f"user {user.name} on #{_hash(passwords[user.name])} {user.rights}\n" for user in TABLE)


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
