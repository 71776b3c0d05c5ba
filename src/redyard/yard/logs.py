"""What a yard, its engines and their edges wrote, in one form: two parsers, one line, two ways to print it.

Levels are those that platforms' log viewers know: debug, info, warn, error.
"""

import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from redyard.yard.credentials import HIDDEN

YARD_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) ([A-Z]+) (.*)")
ENGINE_LINE = re.compile(r"\d+:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ([.*#-]) (.*)")
FIELD = re.compile(r" ([a-z_]+)=")
URL_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]+@")

ENGINE_LEVELS = {".": "debug", "-": "debug", "*": "info", "#": "warn"}
LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error", "CRITICAL": "error"}


class Line(NamedTuple):
    """A line of a log: when, how loud, who wrote it, about which instance, what, and the event's fields."""

    at: datetime
    level: str
    source: str
    name: str
    message: str
    fields: dict[str, object]

    def to_json(self) -> str:
        """Return one line of JSON, with `level` and `message` as log viewers want them."""
        head = {"level": self.level, "message": self.message, "time": self.at.isoformat(timespec="milliseconds")}
        about = {"source": self.source, "name": self.name} if self.name else {"source": self.source}
        return json.dumps({**head, **about, **self.fields}, default=str)

    def to_text(self) -> str:
        """Return it for a person, in this machine's time."""
        local = self.at.astimezone()
        told = " ".join(f"{key}={value}" for key, value in self.fields.items() if value is not None)
        words = " ".join(filter(None, (self.message, told)))
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03} {self.level:5} {self.source:6} {self.name} {words}"


def parse(texts: Iterable[str], source: str, name: str = "") -> Iterator[Line]:
    """Yield the lines of a log; one without a head, as in a traceback, belongs to the one before."""
    last: Line | None = None
    for text in texts:
        try:
            found = _engine_line(text, name) if source == "engine" else _our_line(text, source, name)
        except ValueError:  # a text that only looks like a time
            found = None
        if found is None and last is not None:
            found = last._replace(message=text, fields={})
        if found is not None:
            last = found
            yield found


def hide(text: str, secrets: Collection[str]) -> str:
    """Return the text without passwords: those that are known, and that of any address."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)


class JsonLines(logging.Formatter):
    """Writes the yard's own records as lines of JSON, with an event's fields beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        message, fields = _event(super().format(record))
        at = datetime.fromtimestamp(record.created, UTC)
        name = str(fields.pop("name", ""))
        return Line(at, LEVELS.get(record.levelname, "info"), "yard", name, message, fields).to_json()


def _our_line(text: str, source: str, name: str) -> Line | None:
    """Read a line of a process of ours: the yard, whose events say which instance they are about, or an edge."""
    found = YARD_LINE.match(text)
    if not found:
        return None
    at = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f").astimezone(UTC)
    message, fields = _event(found[3])
    return Line(at, LEVELS.get(found[2], "info"), source, str(fields.pop("name", name)), message, fields)


def _engine_line(text: str, name: str) -> Line | None:
    found = ENGINE_LINE.match(text)
    if not found:
        return None
    at = datetime.strptime(found[1], "%d %b %Y %H:%M:%S.%f").astimezone(UTC)
    return Line(at, ENGINE_LEVELS[found[2]], "engine", name, found[3], {})


def _event(text: str) -> tuple[str, dict[str, object]]:
    """Return an event's name and its fields; of any other text, the text."""
    fields: dict[str, object] = {}
    rest, read = text, json.JSONDecoder().raw_decode
    head = FIELD.search(text)
    try:
        while place := FIELD.search(rest):
            fields[place[1]], end = read(rest, place.end())
            rest = rest[end:]
    except ValueError:
        return text, {}
    return (text[: head.start()], fields) if head and not rest.strip() else (text, {})
