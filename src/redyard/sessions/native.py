"""Our own format: a hash each session, so that a write carries only the fields that changed.

The key is the SHA-256 of the id: who reads Redis learns no id. Names that begin with ":" are the store's own.
"""

import secrets
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec

from redyard import keys
from redyard.client import Script
from redyard.errors import BadKey, NotJSON
from redyard.sessions.line import Line
from redyard.sessions.record import Change, Device, Record, Terms
from redyard.sessions.seal import Seal
from redyard.sessions.values import lost

SESSION, INDEX = keys.SESSION.prefix, keys.SESSION_INDEX.prefix
"""What precedes a digest, and a user, in the names of keys."""

LOAD, SAVE, ROTATE, DESTROY, LIST, DESTROY_USER = (
    Script("redyard.sessions", name) for name in ("load", "save", "rotate", "destroy", "list", "destroy_user")
)
DECODE = msgspec.json.Decoder().decode

OWN = frozenset((b":created", b":renewed", b":user", b":device", b":address", b":salt"))
"""Fields of the store's own."""

KNOWN = 4096
"""Keys that are remembered with their ids: visitors come again."""

SHOWN = 200
"""Characters of a device's name that are kept."""


class Native:
    """Sessions as hashes, with an index of each user's."""

    name = "native"
    cookie = "session"

    def __init__(self, line: Line, terms: Terms, seal: Seal | None) -> None:
        self._run = line.run
        self._seal = seal
        self.max_age: float | None = terms.idle
        self._idle, self._absolute = int(terms.idle * 1000), int((terms.absolute or 0) * 1000)
        words = (self._idle, self._absolute, int(terms.touch * 1000), SESSION, INDEX)
        self._load = tuple([str(word).encode() for word in words])

    @staticmethod
    def new_id() -> str:
        """Return a new id: 256 random bits."""
        return secrets.token_urlsafe(32)

    @staticmethod
    @lru_cache(KNOWN)
    def key(session_id: str) -> str:
        """Return the key under which an id's session is stored."""
        return SESSION + sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()

    decode = staticmethod(DECODE)

    @staticmethod
    def check(name: str, value: object) -> None:
        """Raise BadKey where a field cannot have this name, or NotJSON where it would come back as another value."""
        keys.check("field", name, free=True)
        if name.startswith(":"):
            raise BadKey(part=name, name="field", reason="names that begin with ':' are the store's own")
        if problem := lost(value):
            raise NotJSON(what=f"the session's field {name!r}", reason=f"it has {problem}")

    async def load(self, key: str) -> Record | None:
        """Read a session; its idle time starts anew where that is due."""
        found = await self._run(LOAD, [key], *self._load)
        if found is None:
            return None
        touched, digest, pairs = found
        return self._record(SESSION + digest.decode() if digest else key, pairs, moved=digest, touched=touched)

    async def save(self, key: str, change: Change, record: Record | None) -> Record | None:
        """Write a change and return what is there now; None when the session does not exist, or, if new, does."""
        pairs: list[Any] = []
        salt = record.own.get(b":salt", b"") if record else b""
        if record is None:
            pairs += _about(change)
            if self._seal:
                salt = secrets.token_hex(16).encode()
                pairs += [":salt", salt]
        for name, value in change.fields.items():
            pairs += [name, self._seal.seal(value, name, salt) if self._seal else value]
        terms = (self._idle, self._absolute, SESSION, INDEX, int(record is None), len(pairs))
        if not await self._run(SAVE, [key], *terms, *pairs, *change.removed):
            return None
        made = record or Record(key=key, fields={}, values={}, own=_own(change, salt), max_age=self.max_age)
        made.fields = {name: text for name, text in made.fields.items() if name not in change.removed} | change.fields
        return made

    async def rotate(self, key: str, new: str, change: Change, alias: float) -> Record | None:
        """Make a session known under a new key, and its user's if the change says so."""
        names = (self._idle, SESSION, INDEX, int(alias * 1000))
        found = await self._run(ROTATE, [key, new], *names, *_about(change))
        if found is None:
            return None
        digest, pairs = found
        return self._record(SESSION + digest.decode() if digest else new, pairs, moved=digest)

    async def destroy(self, key: str) -> bool:
        """End a session; False when there was none."""
        return bool(await self._run(DESTROY, [key], SESSION, INDEX))

    async def devices(self, user: str) -> list[Device]:
        """Return a user's sessions, the last seen first."""
        found = await self._run(LIST, [INDEX + user], SESSION, user)
        return [
            Device(
                handle=digest.decode(),
                device=(device or b"").decode(errors="replace"),
                address=(address or b"").decode(errors="replace"),
                created=float(created or 0) / 1000,
                seen=float(seen) / 1000,
            )
            for digest, seen, created, device, address in found
        ]

    async def destroy_user(self, user: str, *, keep: str = "", only: str = "") -> int:
        """End a user's sessions: all, all but the one of a key, or only one by its handle."""
        keep = keep.removeprefix(SESSION)
        return int(await self._run(DESTROY_USER, [INDEX + user], SESSION, user, keep, only))

    def _record(self, key: str, pairs: list[bytes], *, moved: bytes, touched: int = 0) -> Record:
        each = iter(pairs)
        own: dict[bytes, bytes] = {}
        fields: dict[str, bytes] = {}
        for name, text in zip(each, each, strict=True):
            if name in OWN:
                own[name] = text
            else:
                fields[name.decode()] = text
        own[b":created"]  # what has none was not written by us
        if self._seal:
            salt = own.get(b":salt", b"")
            fields = {name: self._seal.open(text, name, salt) for name, text in fields.items()}
        values = {name: DECODE(text) for name, text in fields.items()}
        return Record(
            key=key,
            fields=fields,
            values=values,
            own=own,
            touched=touched == 1,
            moved=moved != b"",
            max_age=self.max_age,
        )


def _about(change: Change) -> list[str]:
    """Return the store's own fields of a session that begins to be a user's."""
    if change.user is None:
        return []
    visitor = change.visitor
    return [":user", change.user, ":device", visitor.device[:SHOWN], ":address", visitor.address[:SHOWN]]


def _own(change: Change, salt: bytes) -> dict[bytes, bytes]:
    """Return what the store knows of a session that it has just made."""
    own = {b":salt": salt} if salt else {}
    return own if change.user is None else own | {b":user": change.user.encode()}
