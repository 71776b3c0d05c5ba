"""Who may do what on an engine: its users, as a table, and the file that the engine reads (hashes, no passwords).

Four users are every engine's. An app can have one of its own, made by a template and perhaps bound to prefixes.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct


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


class Template(NamedTuple):
    """A row: what an app's own user is for, the sign of its keys, its rights, and what it loses under prefixes.

    An empty sign: it has no keys, so there is nothing to bind.
    """

    name: str
    purpose: str
    sign: str
    rights: str
    bound: str = ""

    def user(self, name: str, prefixes: Collection[str]) -> User:
        """Return the user of an app: bound to the prefixes, where there are any."""
        patterns = list(prefixes) or ["*"]
        keys = [f"{self.sign}{pattern}" for pattern in patterns if self.sign]
        channels = [f"&{pattern}" for pattern in patterns if self.sign]
        parts = ("resetchannels", *keys, *channels, self.rights, self.bound if prefixes else "")
        return User(name, self.purpose, " ".join(filter(None, parts)))


NAMES = (
    "-scan -randomkey -keys -client|list -client|tracking -pubsub -cluster "
    "-function -fcall -fcall_ro -script|flush -script|kill -script|debug"
)
"""Taken from a user that is bound to prefixes: what tells others' keys, channels and addresses, or touches what all
share. The engine checks the keys that a command names; these name none, or tell of all."""

TEMPLATES = (
    Template(
        "app",
        "An app: what the add-on's first user may.",
        "~",
        "+@all -@dangerous -@admin -acl +info +sort +sort_ro +client|list",
        NAMES,
    ),
    Template(
        "read-only",
        "Reports and look-ups: reads and subscribes, writes nothing.",
        "%R~",
        "-@all +@read +@connection +@transaction -@dangerous +info +dbsize "
        "+subscribe +psubscribe +ssubscribe +unsubscribe +punsubscribe +sunsubscribe",
        NAMES,
    ),
    Template(
        "metrics",
        "An exporter: numbers of the server, no key and no setting.",
        "",
        "-@all +@connection -@dangerous -client|tracking +client|list +info +role +dbsize "
        "+slowlog|len +latency|latest +latency|histogram +memory|stats",
    ),
    Template("replication", "A replica or a backup elsewhere: follows the stream of writes.", "", REPLICATION.rights),
)


class Grant(Struct, frozen=True, kw_only=True):
    """What an app was given: its template, the patterns of its keys and channels (none: all), and when."""

    template: str
    prefixes: list[str] = []
    added_at: float = 0.0


Grants = Mapping[str, Grant]
Passwords = Mapping[str, str | Collection[str]]
"""The passwords that count, by user: one, or several while one is exchanged."""

NO_GRANTS: Grants = MappingProxyType({})


def template(name: str) -> Template | None:
    """Return a template by its name."""
    return next((row for row in TEMPLATES if row.name == name), None)


def users(grants: Grants = NO_GRANTS) -> Iterable[User]:
    """Return the users of an engine: those of the table, then those of the apps."""
    made = ((row, name, grant) for name, grant in grants.items() if (row := template(grant.template)))
    return (*TABLE, *(row.user(name, grant.prefixes) for row, name, grant in made))


def rules(user: User, passwords: str | Collection[str]) -> list[str]:
    """Return a user as words of ACL SETUSER: the engine sees SHA-256 hashes only."""
    known = [passwords] if isinstance(passwords, str) else passwords
    return ["on", *(f"#{_hash(password)}" for password in known), *user.rights.split()]


def render(passwords: Passwords, grants: Grants = NO_GRANTS) -> str:
    """Return the ACL file for these passwords, by user."""
    return "".join(f"user {user.name} {' '.join(rules(user, passwords[user.name]))}\n" for user in users(grants))


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
