"""The passwords of an instance's users: made here, kept in one private file, never in a log or a process list.

A password is exchanged in steps, each a whole file: `next` is made; once the engine takes both, it is the `password`,
and the former one is `old` until nobody uses it. Whatever dies between two steps, one that the file names counts.
"""

import secrets
from collections.abc import Iterable
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from redyard.engine import access

BYTES = 24
"""Random bytes of a password: 192 bits, 32 letters that need no quoting in a URL or a shell."""


HIDDEN = "***"
"""Stands for a password wherever it was not asked for."""


class Secret(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user's password, and those that count beside it while it is exchanged.

    `since` is when the password took the old one's place, `last` the newest connection by then, of the engine's run
    `run_id`: who has a higher number came later.
    """

    password: str
    next: str | None = None
    old: str | None = None
    since: float = 0.0
    last: int = 0
    run_id: str = ""

    @property
    def valid(self) -> list[str]:
        """Return all that the engine takes."""
        return [word for word in (self.password, self.next, self.old) if word]

    def prepared(self) -> "Secret":
        """Return it with a next password; one that was made before stays."""
        return replace(self, next=self.next or new())

    def exchanged(self, *, since: float, last: int, run_id: str) -> "Secret":
        """Return it with the next password in the place of this one, which still counts."""
        return Secret(password=self.next or new(), old=self.password, since=since, last=last, run_id=run_id)

    def settled(self) -> "Secret":
        """Return it with one password."""
        return Secret(password=self.password, since=self.since)


def new() -> str:
    """Return a new password."""
    return secrets.token_urlsafe(BYTES)


def generate(apps: Iterable[str] = ()) -> dict[str, str]:
    """Return a new password for each user of an engine, and for those of apps."""
    return {name: new() for name in (*(user.name for user in access.TABLE), *apps)}


def url(host: str, port: int, password: str, user: str = access.APP.name, *, tls: bool = False) -> str:
    """Return the URL of an app on an instance."""
    return f"redis{'s' if tls else ''}://{user}:{password}@{f'[{host}]' if ':' in host else host}:{port}/0"


def socket_url(path: str, user: str, password: str) -> str:
    """Return the URL of a user on an instance's socket."""
    return f"unix://{user}:{password}@{quote(path)}"
