"""What a store knows of a session: the words that the two formats, the store and the request's view share."""

from typing import Any

import msgspec


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How long sessions live, in seconds, and how large they may be, in bytes.

    `idle` after the last use, `absolute` after their creation, `renewal` until their id changes by itself, `touch`
    between two touches; None for no such end.
    """

    idle: float
    absolute: float | None
    renewal: float | None
    touch: float
    largest: int


class Visitor(msgspec.Struct, frozen=True):
    """Where a request came from, as the list of a user's sessions shows it."""

    device: str = ""
    address: str = ""
    https: bool = False


class Record(msgspec.Struct, kw_only=True):
    """A session as it was read: its key, its fields as JSON and as values, and the fields that are the store's `own`.

    `moved`: the id that was asked for is an alias. `whole`: the record, where it is replaced as one. `max_age`: seconds
    that the browser keeps its cookie, None until it is closed.
    """

    key: str
    fields: dict[str, bytes]
    values: dict[str, Any]
    own: dict[bytes, bytes] = {}
    touched: bool = False
    moved: bool = False
    whole: bytes = b""
    max_age: float | None = None

    @property
    def user(self) -> str | None:
        """Return whose session it is."""
        user = self.own.get(b":user")
        return user.decode() if user else None

    @property
    def renewed(self) -> float:
        """Return when it got its id, a Unix time in seconds."""
        return float(self.own.get(b":renewed", 0)) / 1000


class Change(msgspec.Struct, kw_only=True):
    """What a request did to a session: fields to write as JSON, fields to remove, and for a new one whose it is."""

    fields: dict[str, bytes]
    removed: list[str]
    user: str | None = None
    visitor: Visitor = Visitor()


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One of a user's sessions: `handle` names it without being its id; times are Unix times in seconds."""

    handle: str
    device: str
    address: str
    created: float
    seen: float
