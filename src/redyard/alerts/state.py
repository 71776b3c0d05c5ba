"""The state of every alert, and who is to be told of it: pure functions of what holds and of the time.

inactive -> pending (it holds) -> firing (it held for as long as its rule says) -> inactive (it did not hold for CALM).
What is not known leaves an alert as it is: a server that does not answer is not cured.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from redyard.alerts.rules import BY_NAME, Rule

CALM = 60.0
"""Seconds that an alert must not hold before it counts as resolved: one that flaps is told of once."""

REPEAT = 4 * 3600.0
"""Seconds after which one that still fires is told of again."""

REMEMBERED = 500
"""Happenings that the history keeps."""

Stage = Literal["pending", "firing"]
What = Literal["fires", "still", "resolved"]


class Alert(Struct, frozen=True, kw_only=True):
    """An alert that is not inactive: what it is about, since when, and when somebody was told."""

    rule: str
    subject: str
    stage: Stage
    since: float
    value: float | None = None
    held: float = 0.0
    told: float | None = None


class Silence(Struct, frozen=True, kw_only=True):
    """Nobody is told of these until then; "*" means all rules, or all instances."""

    rule: str
    subject: str
    until: float
    reason: str = ""

    def covers(self, alert: Alert, at: float) -> bool:
        """Say whether it holds for an alert; that of an instance holds for its queues too."""
        owner = alert.subject.partition("/")[0]
        return at < self.until and self.rule in {"*", alert.rule} and self.subject in {"*", alert.subject, owner}


class Happening(Struct, frozen=True, kw_only=True):
    """A line of the history."""

    at: float
    rule: str
    subject: str
    what: Literal["fires", "resolved"]
    value: float | None = None


class News(Struct, frozen=True, kw_only=True):
    """What somebody is to be told of one alert."""

    what: What
    alert: Alert


def advance(rule: Rule, subject: str, old: Alert | None, holds: bool | None, at: float) -> Alert | None:
    """Return an alert's next state; None is inactive."""
    if holds is None:
        return old if old and old.stage == "firing" else None
    if old is None:
        stage: Stage = "firing" if rule.lasts <= 0 else "pending"
        return Alert(rule=rule.name, subject=subject, stage=stage, since=at, held=at) if holds else None
    if not holds:
        return old if old.stage == "firing" and at - old.held < CALM else None
    if old.stage == "pending" and at - old.since >= rule.lasts:
        return replace(old, stage="firing", since=at, held=at)
    return replace(old, held=at)


class Book(Struct, kw_only=True):
    """All alerts that are not inactive, the silences, and what happened; it is kept on the disk as it is."""

    alerts: list[Alert] = []
    silences: list[Silence] = []
    history: list[Happening] = []

    def judge(
        self, subject: str, found: Mapping[str, tuple[bool | None, float | None]], at: float, *, rules: Iterable[Rule]
    ) -> list[News]:
        """Take what holds for a subject and return what is resolved: whoever was told of it is told that too."""
        known = {alert.rule: alert for alert in self.alerts if alert.subject == subject}
        others = [alert for alert in self.alerts if alert.subject != subject]
        told = []
        for rule in rules:
            holds, value = found.get(rule.name, (None, None))
            old = known.get(rule.name)
            new = advance(rule, subject, old, holds, at)
            if new and value is not None and holds:
                new = replace(new, value=value)
            told += self._note(old, new, at)
            others += [new] if new else []
        self.alerts = others
        return told

    def firing(self, subject: str = "*") -> list[Alert]:
        """Return what fires, the most severe first; what a louder one covers is left out."""
        found = [item for item in self.alerts if item.stage == "firing" and subject in {"*", item.subject}]
        names = {(item.rule, item.subject) for item in found}
        shown = [item for item in found if (_rule(item).under, item.subject) not in names]
        return sorted(shown, key=lambda item: (_rule(item).severity != "critical", item.since))

    def due(self, at: float) -> list[News]:
        """Return what somebody is to be told now: new ones, and those that fire for REPEAT again."""
        news = []
        for alert in self.firing():
            if any(silence.covers(alert, at) for silence in self.silences):
                continue
            if alert.told is None or at - alert.told >= REPEAT:
                news.append(News(what="fires" if alert.told is None else "still", alert=alert))
        return news

    def mark(self, news: Iterable[News], at: float) -> None:
        """Note that somebody was told."""
        told = {(item.alert.rule, item.alert.subject) for item in news}
        self.alerts = [replace(item, told=at) if (item.rule, item.subject) in told else item for item in self.alerts]

    def silence(self, silence: Silence, at: float) -> None:
        """Add a silence, in the place of one for the same; one that ends now takes it away."""
        kept = [item for item in self.silences if (item.rule, item.subject) != (silence.rule, silence.subject)]
        self.silences = [item for item in [*kept, silence] if item.until > at]

    def forget(self, subjects: Iterable[str]) -> None:
        """Keep only these subjects: an instance that was removed has no alerts."""
        kept = set(subjects)
        self.alerts = [alert for alert in self.alerts if alert.subject in kept]

    def _note(self, old: Alert | None, new: Alert | None, at: float) -> list[News]:
        was, is_ = (item is not None and item.stage == "firing" for item in (old, new))
        alert = new or old
        if was == is_ or alert is None:
            return []
        line = Happening(
            at=at, rule=alert.rule, subject=alert.subject, what="fires" if is_ else "resolved", value=alert.value
        )
        self.history = [*self.history, line][-REMEMBERED:]
        return [News(what="resolved", alert=alert)] if was and alert.told is not None else []


def _rule(alert: Alert) -> Rule:
    return BY_NAME[alert.rule]
