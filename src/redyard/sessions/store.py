"""`SessionStore`: sessions in Redis, a hash each, whose key is the digest of the id.

Who reads Redis learns no id. An id that the store did not make is never adopted, and a session that was destroyed does
not come back by a request that still held it.
"""

import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from redyard import keys
from redyard.client import Breaker, Redis, Script
from redyard.client.coding import decode, encode
from redyard.errors import InvalidValue
from redyard.reading import Guard

DEADLINE = 0.5
"""Seconds that a request may wait for its session."""

CREATED = ""
"""The field of each session that holds the moment of its creation."""

_LOAD = Script("redyard.sessions", "load")
_SAVE = Script("redyard.sessions", "save")


class SessionStore:
    """Loads and saves sessions that live `ttl` seconds after their last use."""

    def __init__(self, redis: Redis, *, ttl: int = keys.Lifetime.SESSION.value, allow_eviction: bool = False) -> None:
        if ttl < 1:
            raise InvalidValue(value=ttl, kind="time to live", example="86400 (seconds)")
        self.ttl = int(ttl)
        self._redis = redis
        self._guard = Guard(redis, "a session store", allow_eviction=allow_eviction)
        self._breaker = Breaker("the session store", DEADLINE)

    @staticmethod
    def new_id() -> str:
        """Return a new id: 256 random bits."""
        return secrets.token_urlsafe(32)

    async def load(self, session_id: str, *, touch: bool = False) -> dict[str, Any] | None:
        """Return a session's fields, or None where there is none; `touch` starts its time anew."""
        return _fields(await self._run(_LOAD, [_key(session_id)], self.ttl if touch else 0))

    async def save(
        self,
        session_id: str,
        changed: Mapping[str, object],
        *,
        removed: Iterable[str] = (),
        new: bool = False,
    ) -> bool:
        """Write changed fields and remove others; False when the session does not exist (or, if new, does exist)."""
        pairs: list[str | bytes] = []
        for field, value in changed.items():
            pairs += [field, encode(value, f"the session's field {field!r}")]
        written = await self._run(_SAVE, [_key(session_id)], self.ttl, int(new), len(pairs), *pairs, *removed)
        return bool(written)

    async def touch(self, session_id: str) -> bool:
        """Start a session's time anew; False when there is none."""
        return bool(await self._call("EXPIRE", _key(session_id), self.ttl))

    async def destroy(self, session_id: str) -> bool:
        """End a session; False when there was none."""
        return bool(await self._call("DEL", _key(session_id)))

    async def rotate(self, session_id: str) -> tuple[str, dict[str, Any]] | None:
        """Give a session a new id, under which alone it is known; return the id and the fields, None without one."""
        new = self.new_id()
        fields = _fields(await self._run(_LOAD, [_key(session_id), _key(new)], self.ttl))
        return None if fields is None else (new, fields)

    async def _run(self, script: Script, names: list[str], *args: str | bytes | float) -> Any:
        async def call() -> Any:
            await self._guard.check()
            return await script.run(self._redis, names, *args)

        return await self._breaker.run(call)

    async def _call(self, *command: str | float) -> Any:
        return await self._breaker.run(lambda: self._redis.execute_command(*command), always=True)


def _key(session_id: str) -> str:
    return keys.SESSION.make(id=sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest())


def _fields(pairs: list[bytes]) -> dict[str, Any] | None:
    if not pairs:
        return None
    fields = {name.decode(): text for name, text in zip(pairs[::2], pairs[1::2], strict=True)}
    return {name: decode(text) for name, text in fields.items() if name != CREATED}
