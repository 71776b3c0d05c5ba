"""The trail of what was done with a yard: who, what, before and after, how it ended. Lines of JSON that are only added.

A change is written when it begins and when it ends, so that one that was cut short is there too. No password is in it:
what is known to be one is taken out of each line as a whole, whatever field it is in.
"""

import asyncio
import json
import os
import re
import secrets as randomness
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from redyard import events
from redyard.client.url import redact
from redyard.units import format_instant
from redyard.yard.credentials import HIDDEN

LIMIT = 10 * 1024 * 1024
"""Bytes of the file after which it is put aside and a new one begun."""

KEPT = 5
"""Files that are put aside; the oldest goes."""

QUIET = frozenset(
    {"status", "info", "metrics", "top", "alerts", "settings", "credentials", "accesses", "exposure", "certificates"}
)
"""Calls that change nothing and, unless they are asked to `show` it, tell no secret: they are not written down."""

STARTED, ENDED = "yard-started", "yard-ended"
"""What is no call: the yard's process began to serve, and ended in good order, by a signal or a command."""

SHOWING = frozenset({"info", "credentials", "variables", "login", STARTED, ENDED})
"""What has no beginning and end of its own, such as calls that change nothing and tell a secret: one line each."""

SECRET = re.compile("pass|auth|secret|token")
"""Names of settings and parameters whose values are no one's business."""

Record = dict[str, Any]


class Trail:
    """Writes what is done; `state` tells how things are, `secrets` what must not be written."""

    def __init__(
        self, path: Path, state: Callable[[], Mapping[str, Any]], secrets: Callable[[], Collection[str]]
    ) -> None:
        self.path = path
        self._state, self._secrets = state, secrets
        self._turn = asyncio.Lock()

    async def begin(self, operation: str, asked: Mapping[str, Any], who: Mapping[str, Any]) -> Record:
        """Write that something begins, and return what `end` needs; nothing of a quiet call."""
        if operation in QUIET and not asked.get("show"):
            return {}
        hidden = [*self._secrets(), *(str(value) for name, value in asked.items() if value and _is_secret(name, asked))]
        hidden += [word for value in asked.values() if isinstance(value, str) for word in passwords_of(value)]
        shown = {name: HIDDEN if value and _is_secret(name, asked) else value for name, value in asked.items()}
        record = {"id": randomness.token_hex(6), "operation": operation, "parameters": shown, **who}
        if operation not in SHOWING:
            await self._write({**record, "state": "began"}, hidden)
        return {"record": record, "hidden": hidden, "began": time.monotonic(), "before": self._state()}

    async def end(self, begun: Record, error: Exception | None = None) -> None:
        """Write how it ended, and what is different now."""
        if not begun:
            return
        before, after = differences(begun["before"], self._state())
        told = {
            "state": "done",
            "result": "ok" if error is None else getattr(error, "code", type(error).__name__),
            **({"message": str(error)} if error else {}),
            "before": before,
            "after": after,
            "seconds": round(time.monotonic() - begun["began"], 3),
        }
        await self._write({**begun["record"], **told}, begun["hidden"])

    async def _write(self, record: Record, hidden: Collection[str]) -> None:
        """Add a line and have it on the disk. A disk that takes none does not stop what is done; the log says so."""
        line = clean(json.dumps({"time": format_instant(time.time()), **record}), {*self._secrets(), *hidden})
        try:
            async with self._turn:
                await asyncio.to_thread(add, self.path, line)
        except OSError as error:
            events.emit(events.UNAUDITED, operation=record["operation"], reason=error.strerror or str(error))


def add(path: Path, line: str) -> None:
    """Add a line to the file, which is its owner's alone; put the file aside when it is full."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > LIMIT:
            for number in range(KEPT, 0, -1):
                with suppress(FileNotFoundError):
                    aside(path, number - 1).rename(aside(path, number))
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        torn = size and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, (b"\n" if torn else b"") + line.encode() + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)


def aside(path: Path, number: int) -> Path:
    """Return the file of that age; 0 is the one that is written."""
    return path.with_name(f"{path.name}.{number}") if number else path


def read(path: Path) -> Iterator[Record]:
    """Yield what was done, in the order in which it began; what has no end is `unfinished`. A torn line is skipped."""
    found: dict[str, Record] = {}
    for number in range(KEPT, -1, -1):
        for record in _lines(aside(path, number)):
            first = found.setdefault(record["id"], record)
            found[record["id"]] = {**record, "time": first["time"]}
    for record in found.values():
        yield record if record["state"] == "done" else {**record, "state": "unfinished", "result": None}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Record, Record]:
    """Return what each side has that the other has not, or has otherwise, field by field of each instance."""
    names = sorted({*before, *after})
    sides: tuple[Record, Record] = {}, {}
    for name in names:
        one, other = before.get(name) or {}, after.get(name) or {}
        changed = [field for field in {**one, **other} if one.get(field) != other.get(field)]
        for side, fields in zip(sides, (one, other), strict=True):
            if kept := {field: fields[field] for field in changed if field in fields}:
                side[name] = kept
    return sides


def passwords_of(text: str) -> set[str]:
    """Return the password of an address, as it is written and as it is meant."""
    if "://" not in text:
        return set()
    with suppress(ValueError):
        parts = urlsplit(text)
        found = {parts.password, *(part.partition("=")[2] for part in parts.query.split("&") if "password=" in part)}
        return {word for item in found if item for word in (item, unquote(item))}
    return set()


def clean(line: str, hidden: Collection[str]) -> str:
    """Return a line without what must not be seen, in any of its spellings, and without the password of any address."""
    for word in sorted({form for item in hidden if len(item) > 3 for form in _spellings(item)}, key=len, reverse=True):
        line = line.replace(word, HIDDEN)
    return re.sub(r"[a-zA-Z0-9+.-]+://[^\s\"'<>]+", lambda found: redact(found[0]), line)


def _spellings(word: str) -> set[str]:
    return {word, json.dumps(word)[1:-1], quote(word, safe="")}


def _is_secret(name: str, asked: Mapping[str, Any]) -> bool:
    """Say whether a parameter's value is one: `value` is that of the setting that is named beside it."""
    about = str(asked.get("setting", "")) if name == "value" else name
    return bool(SECRET.search(about.lower()))


def _lines(path: Path) -> Iterator[Record]:
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            with suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict) and {"id", "time", "state"} <= record.keys():
                    yield record
