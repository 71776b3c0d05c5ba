"""`Session`: one request's view of a session, like a dict; it knows what changed, also inside of values."""

import time
from collections.abc import Iterator, MutableMapping
from typing import Any, Self

from redyard import keys
from redyard.client.coding import encode
from redyard.errors import InvalidValue, NotForExpress, RedisAway, SessionNotLoaded
from redyard.sessions import csrf
from redyard.sessions.line import OWNER
from redyard.sessions.record import Change, Device, Record, Visitor
from redyard.sessions.store import ALIAS, SessionStore

SCALARS = frozenset((str, int, float, bool, type(None)))


class Session(MutableMapping[str, Any]):
    """A visitor's session; nothing is asked of Redis before `load`, nothing written before `commit`.

    `id` is None until something is kept; `degraded` says that Redis could not be asked and that nothing can be kept;
    `ended` that it was destroyed in this request; `kept` that something was written or its id changed.
    """

    record: Record | None = None
    loaded = degraded = ended = kept = False
    _user: str | None = None
    _fields: dict[str, Any]
    _given: set[str]

    def __init__(self, store: SessionStore, session_id: str | None = None, *, renews: bool = False) -> None:
        self.store = store
        self.id = session_id
        self._renews = renews

    # ---- its life

    async def load(self) -> Self:
        """Read the session, once a request; empty where there is none or Redis is away."""
        if not self.loaded:
            record = None
            if self.id:
                try:
                    record = await self.store.load(self.id)
                    self._accept(record, self.id)
                    if record and self._renews and self._is_due(record):
                        await self._rotate(ALIAS)
                    return self
                except RedisAway:
                    self.degraded = True
            self._accept(record, self.id)
        return self

    async def reload(self) -> Self:
        """Read the session again and forget what was not kept, as a WebSocket may want to after a while."""
        self.loaded = self.degraded = False
        return await self.load()

    async def rotate(self, *, user: str | int | None = None, alias: float = 0) -> Self:
        """Give the session a new id and keep its data: do this when rights change, such as at sign-in.

        Args:
            user: whose session it is from now on, for `devices` and `destroy_all`.
            alias: seconds for which the old id leads to the new one, for requests in flight; never at a sign-in,
                where the old id may be known to somebody else.
        """
        if user is not None and alias:
            raise InvalidValue(value=alias, kind="alias at a sign-in", example="0 (the old id may be another's)")
        if (user is not None or alias) and self.store.records.name == "express":
            raise NotForExpress(what="users and aliases")
        await self._ask()
        if user is not None:
            self._user = keys.fit(str(user))
            self.pop(csrf.FIELD, None)  # a token from before the sign-in is worth nothing after it
        if self.record:
            await self._rotate(alias)
        return self

    async def destroy(self) -> None:
        """End the session for everybody who holds its id; what is written afterwards begins another."""
        if self.id:
            await self.store.destroy_key(self.record.key if self.record else self.store.records.key(self.id))
        self.ended = True
        self._user = None
        self._accept(None, None)

    async def devices(self) -> list[Device]:
        """Return the sessions of this session's user, the last seen first; `handle` names this one."""
        await self._ask()
        return await self.store.list(self.user) if self.user else []

    async def destroy_others(self) -> int:
        """End the other sessions of this session's user, and return how many there were."""
        await self._ask()
        return await self.store.destroy_all(self.user, keep=self.record) if self.user else 0

    async def destroy_all(self) -> int:
        """End all sessions of this session's user, this one too; return how many there were."""
        await self._ask()
        ended = await self.store.destroy_all(self.user) if self.user else 0
        await self.destroy()
        return ended

    async def commit(self) -> bool:
        """Keep what changed; say whether something was written."""
        if not (self.loaded and self._given):
            return False
        change = self._change()
        if not (change.fields or change.removed):
            return False
        if self.degraded:
            raise RedisAway(owner=OWNER, reason="the session could not be read")
        if self.record is None:
            new = self.store.new_id()
            record = await self.store.create(new, change)
            self.id = new if record else None
        else:
            record = await self.store.save(self.record, change)  # None: the request that ended it has the last word
        if record is None:
            return False
        self.kept = not record.moved
        self.record = record
        return True

    # ---- for the door of the response

    @property
    def moved(self) -> bool:
        """Say whether the browser holds an alias, and has been told, or will be, by another request."""
        return self.record is not None and self.record.moved

    @property
    def touched(self) -> bool:
        """Say whether its idle time began anew; the request that holds an alias cannot tell the browser."""
        return self.record is not None and self.record.touched and not self.record.moved

    @property
    def max_age(self) -> float | None:
        """Return the seconds that the browser keeps the cookie, None until it is closed."""
        return self.record.max_age if self.record else self.store.records.max_age

    def visitor(self) -> Visitor:
        """Return where the request came from, for the list of a user's sessions."""
        return Visitor()

    # ---- what is known of it

    @property
    def user(self) -> str | None:
        """Return whose session it is, None for a visitor's who has not signed in."""
        return self._user or (self.record.user if self.record else None)

    @property
    def handle(self) -> str:
        """Return what names this session in a list of devices."""
        return self.record.key.rpartition(":")[2] if self.record else ""

    def csrf_token(self) -> str:
        """Return a token for a form; the first one makes the session's secret, and so a session."""
        if csrf.FIELD not in self:
            self[csrf.FIELD] = csrf.new_secret()
        return csrf.mask(self._fields[csrf.FIELD])

    def csrf_valid(self, token: str | None) -> bool:
        """Say whether a token was made for this session."""
        return csrf.matches(token, self._open().get(csrf.FIELD))

    # ---- within

    async def _ask(self) -> None:
        """Load for an act that must not be guessed."""
        await self.load()
        if self.degraded:
            raise RedisAway(owner=OWNER, reason="the session could not be read")

    def _is_due(self, record: Record) -> bool:
        renewal = self.store.terms.renewal
        return bool(renewal and not record.moved and time.time() - record.renewed >= renewal)

    async def _rotate(self, alias: float) -> None:
        """Change the id; what is not yet kept stays so."""
        assert self.record is not None
        change, fields = self._change(), self._fields
        rotated = await self.store.rotate(self.record, change, alias=alias)
        new, record = rotated or (None, None)
        self._accept(record, new if record and not record.moved else self.id)
        self.kept = self.kept or not (record and record.moved)
        for name in change.removed:
            self.pop(name, None)
        for name in change.fields:
            self[name] = fields[name]

    def _accept(self, record: Record | None, session_id: str | None) -> None:
        self.loaded = True
        self.record = record
        self.id = session_id if record or self.degraded else None
        self._fields = record.values if record else {}
        self._given = set()

    def _change(self) -> Change:
        """Compare with what was read; only what the app has had in its hands can differ."""
        kept = self.record.fields if self.record else {}
        fields = {}
        for name in self._given:
            if name in self._fields:
                value = self._fields[name]
                text = encode(value, f"the session's field {name!r}")
                if name in kept and (text == kept[name] or text == encode(self.store.records.decode(kept[name]), name)):
                    continue
                if type(value) not in SCALARS:  # it may have changed since it was set
                    self.store.records.check(name, value)
                fields[name] = text
        removed = [name for name in self._given if name in kept and name not in self._fields]
        visitor = self.visitor() if self._user or self.record is None else Visitor()
        return Change(fields=fields, removed=removed, user=self._user, visitor=visitor)

    def _open(self) -> dict[str, Any]:
        if not self.loaded:
            raise SessionNotLoaded
        return self._fields

    def __getitem__(self, name: str) -> Any:
        value = self._open()[name]
        if type(value) not in SCALARS:
            self._given.add(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        fields = self._open()
        self.store.records.check(name, value)
        fields[name] = value
        self._given.add(name)

    def __delitem__(self, name: str) -> None:
        del self._open()[name]
        self._given.add(name)

    def __contains__(self, name: object) -> bool:
        return name in self._open()

    def __iter__(self) -> Iterator[str]:
        return iter(self._open())

    def __len__(self) -> int:
        return len(self._open())

    def __repr__(self) -> str:
        return f"<Session of {len(self._fields)} fields>" if self.loaded else "<Session, not loaded>"
