"""The yard's alerts: what fires, kept in a file across restarts, and told to the channels in the background."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from redyard import events
from redyard.alerts.notify import Channels, Delivery
from redyard.alerts.rules import BY_NAME, Rule
from redyard.alerts.state import Book, News, Silence
from redyard.alerts.telling import Letter, describe, letters
from redyard.alerts.window import Window
from redyard.engine.files import write_private
from redyard.errors import DiskFull, NoChannel
from redyard.metrics import Sample, kit

UNSENT = 100
"""Resolved alerts that wait for a channel, at most."""


class Notices:
    """The book of alerts and its delivery."""

    def __init__(self, path: Path, channels: Channels) -> None:
        self.channels = channels
        self.book = _read(path)
        self._path = path
        self._written = b""
        self._resolved: list[News] = []
        self._post: asyncio.Task[None] | None = None

    def judge(self, subject: str, window: Window, rules: Iterable[Rule], at: float) -> None:
        """Judge a subject by its rules."""
        rules = list(rules)
        found = {}
        for rule in rules:
            holds = rule.condition.holds(window)
            found[rule.name] = (holds, rule.condition.value(window) if holds else None)
        seen = {(line.at, line.rule, line.subject) for line in self.book.history}
        self._resolved += self.book.judge(subject, found, at, rules=rules)
        for line in self.book.history:
            if (line.at, line.rule, line.subject) not in seen:
                severity = BY_NAME[line.rule].severity
                events.emit(events.ALERT, rule=line.rule, name=subject, what=line.what, severity=severity)

    def send(self, at: float) -> None:
        """Write the book, and tell the channels what is new, unless they are being told."""
        self._write()
        if self._post is not None and not self._post.done():
            return
        news = [*self.book.due(at), *self._resolved[-UNSENT:]]
        if news and self.channels.names:
            self._post = asyncio.create_task(self._tell(news))

    async def test(self) -> list[Delivery]:
        """Send a test message."""
        if not self.channels.names:
            raise NoChannel
        return await self.channels.send(Letter("[test] Redyard", "This is a test. Alerts will arrive here.", "test"))

    def silence(self, silence: Silence) -> None:
        """Tell nobody of some alerts for a time."""
        self.book.silence(silence, time.time())
        self._write()

    def samples(self, name: str) -> Iterator[Sample]:
        """Yield what fires for an instance and its queues."""
        for alert in self.book.firing():
            if alert.subject.partition("/")[0] == name:
                labels = {"rule": alert.rule, "severity": BY_NAME[alert.rule].severity, "subject": alert.subject}
                yield Sample(kit.ALERTS, labels, 1)

    def firing(self) -> list[dict[str, object]]:
        """Return what fires, in words."""
        return [describe(alert) for alert in self.book.firing()]

    def to_json(self) -> dict[str, object]:
        """Return all that `redyard alerts` shows."""
        now = time.time()
        pending = [describe(alert) for alert in self.book.alerts if alert.stage == "pending"]
        silences = [item for item in self.book.silences if item.until > now]
        return {
            "firing": self.firing(),
            "pending": pending,
            "silences": msgspec.to_builtins(silences),
            "history": msgspec.to_builtins(self.book.history[::-1]),
            "channels": self.channels.names,
        }

    def forget(self, name: str) -> None:
        """Forget the alerts of an instance that was stopped or removed."""
        self.book.forget({alert.subject for alert in self.book.alerts if alert.subject.partition("/")[0] != name})

    async def close(self) -> None:
        """End the delivery; what was not told is told by the next yard."""
        if self._post:
            self._post.cancel()
            await asyncio.gather(self._post, return_exceptions=True)
        self._write()

    async def _tell(self, news: list[News]) -> None:
        for letter in letters(news):
            delivered = await self.channels.send(letter)
            if any(item.delivered for item in delivered):
                self._told(letter.news)

    def _told(self, news: Sequence[News]) -> None:
        self.book.mark(news, time.time())
        self._resolved = [item for item in self._resolved if item not in news]
        self._write()  # at once: the next process must not tell it again

    def _write(self) -> None:
        text = msgspec.json.encode(self.book)
        if text != self._written:
            try:
                write_private(self._path, text.decode(), durable=False)
                self._written = text
            except (OSError, DiskFull):
                events.LOGGER.warning("the alerts cannot be written to %s", self._path)


def _read(path: Path) -> Book:
    """Read the book; a missing or damaged one only means that people are told again; unknown rules are dropped."""
    try:
        book = msgspec.json.decode(path.read_bytes(), type=Book)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Book()
    book.alerts = [alert for alert in book.alerts if alert.rule in BY_NAME]
    book.history = [line for line in book.history if line.rule in BY_NAME]
    return book
