"""`Session`: one request's view of a session, like a dict; it knows what changed, also inside of values."""

from collections.abc import Iterator, MutableMapping
from typing import Any, Self

from redyard.client.coding import encode
from redyard.errors import RedisAway, SessionNotLoaded
from redyard.keys import check
from redyard.sessions.store import SessionStore


class Session(MutableMapping[str, Any]):
    """A visitor's session; nothing is asked of Redis before `load`, nothing written before `commit`.

    `id` is None until something is kept; `away` says that Redis could not be asked and that nothing can be kept;
    `ended` that it was destroyed in this request.
    """

    def __init__(self, store: SessionStore, session_id: str | None = None) -> None:
        self.store = store
        self.id = session_id
        self.loaded = False
        self.away = False
        self.ended = False
        self._fields: dict[str, Any] = {}
        self._stored: dict[str, bytes] = {}

    async def load(self) -> Self:
        """Read the session, once a request, and start its time anew; empty where there is none or Redis is away."""
        if not self.loaded:
            try:
                fields = await self.store.load(self.id, touch=True) if self.id else None
            except RedisAway:
                fields, self.away = None, True
            self._accept(self.id, fields)
        return self

    async def rotate(self) -> Self:
        """Give the session a new id and keep its data: do this when rights change, such as at sign-in."""
        changed, removed = (self._changed(), self._removed()) if self.loaded else ({}, [])
        rotated = await self.store.rotate(self.id) if self.id else None
        new, fields = rotated or (None, None)
        self._accept(new, fields)
        self._fields = {name: self._fields[name] for name in self._fields if name not in removed} | changed
        return self

    async def destroy(self) -> None:
        """End the session for everybody who holds its id; what is written afterwards begins another."""
        if self.id:
            await self.store.destroy(self.id)
        self._accept(None, None)
        self.ended = True

    async def commit(self) -> bool:
        """Keep what changed; say whether the session exists afterwards."""
        if not self.loaded:
            return False
        changed, removed = self._changed(), self._removed()
        if not changed and not removed:
            return self.id is not None and not self.away
        if self.away:
            raise RedisAway(owner="the session store", reason="the session could not be read")
        new = self.id is None
        name = self.id or self.store.new_id()
        if not await self.store.save(name, changed, removed=removed, new=new):
            return False  # destroyed or rotated meanwhile: the other request's word holds
        self._accept(name, self._fields)
        return True

    def _accept(self, session_id: str | None, fields: dict[str, Any] | None) -> None:
        self.loaded = True
        self.id = None if fields is None and not self.away else session_id
        self._fields = dict(fields or {})
        self._stored = {name: encode(value, name) for name, value in self._fields.items()}

    def _changed(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self._fields.items()
            if self._stored.get(name) != encode(value, f"the session's field {name!r}")
        }

    def _removed(self) -> list[str]:
        return [name for name in self._stored if name not in self._fields]

    def _open(self) -> dict[str, Any]:
        if not self.loaded:
            raise SessionNotLoaded
        return self._fields

    def __getitem__(self, name: str) -> Any:
        return self._open()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._open()[check("field", name, free=True)] = value

    def __delitem__(self, name: str) -> None:
        del self._open()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open())

    def __len__(self) -> int:
        return len(self._open())

    def __repr__(self) -> str:
        return f"<Session of {len(self._fields)} fields>" if self.loaded else "<Session, not loaded>"
