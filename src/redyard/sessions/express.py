"""The format of express-session with connect-redis, both ways: one JSON text a session, replaced by compare and set.

What Express would lose is refused at the write: names that its session objects have already, numbers that are not the
same in JavaScript, text that is no Unicode. What it wrote of that kind is repaired at the read, and left as it was.
"""

import asyncio
import json
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from math import ceil
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from redyard import keys
from redyard.client import Script
from redyard.client.coding import encode
from redyard.errors import BadKey, NotForExpress, NotJSON
from redyard.sessions.line import Line
from redyard.sessions.record import Change, Device, Record, Terms, Visitor
from redyard.sessions.values import EXACT, lost
from redyard.units import format_instant, parse_instant

LOAD, SAVE, ROTATE, TOUCH = (
    Script("redyard.sessions", f"express_{name}") for name in ("load", "save", "rotate", "touch")
)
KEY = keys.EXPRESS_SESSION.prefix
FOREVER = 86_400
"""Seconds that connect-redis gives a session whose cookie has no end."""

TAKEN = frozenset(
    [
        *("cookie", "id", "req", "touch", "resetMaxAge", "save", "reload", "destroy", "regenerate", "constructor"),
        *("hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf"),
        *("__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__"),
    ]
)
"""Names that a session object has in Express: a field of such a name is dropped when it is loaded."""

_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LONE = re.compile("[\ud800-\udfff]")


class Express:
    """Sessions that Node and Python apps share."""

    name = "express"
    cookie = "connect.sid"

    def __init__(self, line: Line, terms: Terms) -> None:
        self._run = line.run
        self._idle, self._touch = terms.idle, terms.touch
        self.attributes: dict[str, Any] = {"httpOnly": True, "path": "/", "sameSite": "lax"}
        self.max_age: float | None = terms.idle
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.secure: Callable[[Visitor], bool] = lambda visitor: visitor.https

    @staticmethod
    def new_id() -> str:
        """Return a new id: 192 random bits, as Express makes it."""
        return urlsafe_b64encode(secrets.token_bytes(24)).decode()

    @staticmethod
    def key(session_id: str) -> str:
        """Return the key under which an id's session is stored."""
        return KEY + session_id

    @staticmethod
    def decode(text: bytes) -> Any:
        """Return a field's value, half a character replaced by U+FFFD."""
        return decode(text)

    @staticmethod
    def check(name: str, value: object) -> None:
        """Raise BadKey or NotJSON where Express would lose a field."""
        keys.check("field", name, free=True)
        if name in TAKEN:
            raise BadKey(part=name, name="field", reason="Express has it in every session, and drops such a field")
        if problem := lost(value, exact=EXACT):
            raise NotJSON(what=f"the session's field {name!r}", reason=f"{problem}, which Express cannot keep")

    async def load(self, key: str) -> Record | None:
        """Read a session; its idle time starts anew where that is due."""
        found = await self._run(LOAD, [key])
        if found is None:
            return None
        record = _parse(key, found[0])
        if record.max_age is not None and record.max_age <= 0:
            return None
        ttl = record.max_age or FOREVER
        if ttl - found[1] / 1000 >= min(self._touch, ttl / 10):
            record.touched = bool(await self._run(TOUCH, [key], int(ttl * 1000)))
        return record

    async def save(self, key: str, change: Change, record: Record | None) -> Record | None:
        """Write a change into whatever the record is by now; None when it exists no more, or, if new, already."""
        known, max_age = (record.whole, record.max_age) if record else (b"", self.max_age)
        written, other = await self._try(key, known, record.fields if record else {}, change, max_age)
        if other is None:
            return written
        async with self._turns.setdefault(key, asyncio.Lock()):  # one of this process tries at a time, or most fail
            while other is not None:  # another request was faster: its word is kept beside ours
                written, other = await self._try(key, other.whole, other.fields, change, other.max_age)
        return written

    async def _try(
        self, key: str, known: bytes, fields: dict[str, bytes], change: Change, max_age: float | None
    ) -> tuple[Record | None, Record | None]:
        """Compare and set: return what was written, or what another wrote meanwhile."""
        whole = self._build(fields, change, max_age)
        said = await self._run(SAVE, [key], known, whole, ceil(max_age or FOREVER))
        if isinstance(said, bytes):
            return None, _parse(key, said)
        return (_parse(key, whole) if said else None), None

    async def rotate(self, key: str, new: str, change: Change, alias: float) -> Record | None:  # noqa: ARG002 - others do
        """Make a session known under a new key alone: Express would not follow an alias."""
        found = await self._run(ROTATE, [key, new])
        return _parse(new, found[0]) if found else None

    async def destroy(self, key: str) -> bool:
        """End a session; False when there was none."""
        return bool(await self._run(TOUCH, [key], 0))

    async def devices(self, user: str) -> list[Device]:  # noqa: ARG002 - as the other format
        """Raise NotForExpress: its sessions know no user."""
        raise NotForExpress(what="a list of a user's sessions")

    async def destroy_user(self, user: str, *, keep: str = "", only: str = "") -> int:  # noqa: ARG002 - others do
        """Raise NotForExpress: its sessions know no user."""
        raise NotForExpress(what="a list of a user's sessions")

    def _build(self, fields: dict[str, bytes], change: Change, max_age: float | None) -> bytes:
        """Return the record: the fields as they were but for the change, and the cookie with its new end."""
        kept = {name: text for name, text in fields.items() if name not in change.removed} | change.fields
        fresh = self.attributes | ({"secure": True} if self.secure(change.visitor) else {})
        about = json.loads(kept["cookie"]) if "cookie" in kept else fresh
        about["originalMaxAge"] = None if max_age is None else int(max_age * 1000)
        about["expires"] = None if max_age is None else format_instant(time.time() + max_age)
        kept["cookie"] = encode(about, "the cookie")
        return b"{" + b",".join(json.dumps(name).encode() + b":" + text for name, text in kept.items()) + b"}"


def decode(text: bytes) -> Any:
    """Return a field's value, half a character replaced by U+FFFD."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return _repaired(json.loads(text))


def _parse(key: str, whole: bytes) -> Record:
    """Read a record, or raise ValueError where it is none; one without a cookie is completed at the next write."""
    try:
        fields = {name: bytes(raw) for name, raw in _RAW.decode(whole).items()}
    except msgspec.DecodeError:
        fields = {name: json.dumps(value).encode() for name, value in json.loads(whole).items()}
    about = json.loads(fields.get("cookie", b"{}"))
    if not isinstance(about, dict):
        raise TypeError("its cookie is no object")
    values = {name: decode(text) for name, text in fields.items() if name not in TAKEN}
    return Record(key=key, fields=fields, values=values, whole=whole, max_age=_max_age(about))


def _max_age(cookie: dict[str, Any]) -> float | None:
    age, expires = cookie.get("originalMaxAge"), cookie.get("expires")
    if isinstance(age, int | float) and not isinstance(age, bool):
        return age / 1000
    return parse_instant(expires) - time.time() if isinstance(expires, str) else None


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_repaired(name): _repaired(item) for name, item in value.items()}
    return value
