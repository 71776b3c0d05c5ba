"""`SessionStore`: sessions in Redis, within a deadline, in one of two formats.

An id that the store did not make is never adopted, and a session that was destroyed does not come back by a request
that still held it.
"""

from collections.abc import Sequence
from typing import Any, Literal

from redis.exceptions import ResponseError

from redyard import events, keys
from redyard.client import Redis
from redyard.errors import InvalidValue, NotForExpress, RedisAway, SessionTooLarge
from redyard.sessions.express import Express
from redyard.sessions.line import DEADLINE, Line
from redyard.sessions.native import Native
from redyard.sessions.record import Change, Device, Record, Terms
from redyard.sessions.seal import Seal

TOUCH = 60.0
"""Seconds between two touches of a session, at most."""

LARGEST = 65_536
"""Bytes that a session may have: it is read at each request."""

ALIAS = 10.0
"""Seconds for which an id that was renewed leads to the new one: requests in flight still hold it."""


UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, InvalidValue)
"""What a record raises that is none: others write into a Redis, too."""


class SessionStore:
    """Loads and saves sessions; `unreadable` counts the records that were no sessions."""

    def __init__(  # noqa: PLR0913 - an app gives its options by name
        self,
        redis: Redis,
        *,
        idle: float = keys.Lifetime.SESSION.value,
        absolute: float | None = None,
        renewal: float | None = None,
        touch: float | None = None,
        format: Literal["native", "express"] = "native",  # noqa: A002 - the field's word
        encrypt: str | Sequence[str] | None = None,
        largest: int = LARGEST,
        deadline: float = DEADLINE,
        allow_eviction: bool = False,
    ) -> None:
        """Make a store.

        Args:
            redis: the client of the store.
            idle: seconds that a session lives after its last use.
            absolute: seconds that it lives at most; None for no such end.
            renewal: seconds after which its id changes by itself; None for never.
            touch: seconds between two touches; a tenth of `idle`, and a minute at most, when not given.
            format: "express" shares sessions with express-session and connect-redis.
            encrypt: a key to encrypt values by AES-256-GCM, or several, the new one first.
            largest: bytes that a session may have.
            deadline: seconds that a request waits for Redis, a tenth more or less.
            allow_eviction: accept a server that may throw sessions away.
        """
        usual = min(TOUCH, idle / 10)
        self.terms = Terms(idle=idle, absolute=absolute, renewal=renewal, touch=touch or usual, largest=largest)
        _check(self.terms)
        if format == "express" and (absolute or renewal or encrypt):
            raise NotForExpress(what="absolute, renewal or encrypt")
        if format not in {"native", "express"}:
            raise InvalidValue(value=format, kind="format of sessions", example='"native" or "express"')
        seal = None if encrypt is None else Seal(encrypt)
        line = Line(redis, deadline, allow_eviction=allow_eviction)
        self.records = Express(line, self.terms) if format == "express" else Native(line, self.terms, seal)
        self.unreadable = 0

    def set_cookie(self, attributes: dict[str, Any], secure: bool | str, *, until_closed: bool) -> None:
        """Take over what the cookie of new sessions says of itself; the format of Express keeps it in the record."""
        if until_closed:
            self.records.max_age = None
        if isinstance(self.records, Express):
            self.records.attributes = attributes
            if secure != "auto":
                self.records.secure = lambda _: bool(secure)

    def new_id(self) -> str:
        """Return a new id, which nobody can guess."""
        return self.records.new_id()

    async def load(self, session_id: str) -> Record | None:
        """Return a session, or None where there is none; its idle time starts anew, at most once in `touch` seconds.

        A record that cannot be read is no session.
        """
        try:
            record = await self.records.load(self.records.key(session_id))
            _tell("absent" if record is None else "loaded")
            return record
        except UNREADABLE as error:
            self._unreadable(type(error).__name__)
        except RedisAway as error:
            if isinstance(error.__cause__, ResponseError) and "WRONGTYPE" in str(error.__cause__):
                self._unreadable("WRONGTYPE")
            else:
                raise
        return None

    async def create(self, session_id: str, change: Change) -> Record | None:
        """Write a new session and return it; None when there is one of this id."""
        self._check_size(change, {})
        record = await self.records.save(self.records.key(session_id), change, None)
        if record:
            _tell("created")
        return record

    async def save(self, record: Record, change: Change) -> Record | None:
        """Write a change and return what the session is then; None when it exists no more."""
        self._check_size(change, record.fields)
        saved = await self.records.save(record.key, change, record)
        _tell("saved" if saved else "absent")
        return saved

    async def rotate(self, record: Record, change: Change, *, alias: float = 0) -> tuple[str, Record] | None:
        """Give a session a new id, under which alone it is known; return both, None where there is no such session."""
        new = self.new_id()
        key = self.records.key(new)
        found = await self.records.rotate(record.key, key, change, alias)
        _tell("renewed" if found else "absent")
        return (new, found) if found else None

    async def destroy(self, session_id: str) -> bool:
        """End a session; False when there was none."""
        return await self.destroy_key(self.records.key(session_id))

    async def destroy_key(self, key: str) -> bool:
        """End the session of a key; False when there was none."""
        ended = await self.records.destroy(key)
        if ended:
            _tell("ended")
        return ended

    async def list(self, user: str | int) -> list[Device]:
        """Return a user's sessions, the last seen first."""
        return await self.records.devices(keys.fit(str(user)))

    async def destroy_all(self, user: str | int, *, keep: Record | None = None) -> int:
        """End a user's sessions, but for the one to keep; return how many ended."""
        kept = keep.key if keep else ""
        return await self.records.destroy_user(keys.fit(str(user)), keep=kept)

    async def destroy_one(self, user: str | int, handle: str) -> bool:
        """End one session of a user by the handle of the list; False when it is not theirs."""
        return bool(handle and await self.records.destroy_user(keys.fit(str(user)), only=handle))

    def _check_size(self, change: Change, kept: dict[str, bytes]) -> None:
        fields = kept | change.fields
        for name in change.removed:
            fields.pop(name, None)
        size = sum(map(len, fields)) + sum(map(len, fields.values()))
        if size > self.terms.largest:
            field = max(fields, key=lambda name: len(fields[name]))
            raise SessionTooLarge(size=size, limit=self.terms.largest, field=field)

    def _unreadable(self, reason: str) -> None:
        self.unreadable += 1
        events.LOGGER.warning("a session's record cannot be read (%s); it is treated as absent", reason)
        events.emit(events.SESSION_UNREADABLE, reason=reason)


def _tell(what: str) -> None:
    if events.listening():
        events.emit(events.SESSION_USED, what=what)


def _check(terms: Terms) -> None:
    for value in (terms.idle, terms.absolute, terms.renewal, terms.touch, terms.largest):
        if value is not None and not value > 0:
            raise InvalidValue(value=value, kind="time or size of sessions", example="86400 (seconds)")
    if terms.idle < 1:
        raise InvalidValue(value=terms.idle, kind="idle time", example="86400 (seconds)")
