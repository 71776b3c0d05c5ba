"""What people are told: one text for all that is new of an instance, with cause and remedy."""

from collections.abc import Iterable
from typing import NamedTuple

from redyard.alerts.rules import BY_NAME, Rule
from redyard.alerts.state import Alert, News
from redyard.units import format_size, format_span

WORDS = {"fires": "fires", "still": "still fires", "resolved": "is resolved"}


class Letter(NamedTuple):
    """A message about one instance."""

    title: str
    text: str
    severity: str
    news: tuple[News, ...] = ()


def letters(news: Iterable[News]) -> list[Letter]:
    """Return a letter for each subject, the critical lines first."""
    groups: dict[str, list[News]] = {}
    for item in news:
        groups.setdefault(item.alert.subject, []).append(item)
    return [_letter(subject, items) for subject, items in groups.items()]


def describe(alert: Alert) -> dict[str, object]:
    """Return an alert in words, with its finding and its remedy, for commands and messages."""
    rule = BY_NAME[alert.rule]
    return {
        "rule": rule.name,
        "name": alert.subject,
        "severity": rule.severity,
        "stage": alert.stage,
        "since": alert.since,
        "value": alert.value,
        "summary": _filled(rule.says, rule, alert),
        "finding": rule.finding,
        "remedy": _filled(rule.remedy, rule, alert),
        "told": alert.told,
    }


def _letter(subject: str, news: list[News]) -> Letter:
    news = sorted(news, key=lambda item: (item.what == "resolved", BY_NAME[item.alert.rule].severity != "critical"))
    worst = "resolved" if all(item.what == "resolved" for item in news) else BY_NAME[news[0].alert.rule].severity
    names = ", ".join(item.alert.rule for item in news)
    return Letter(f"[{worst}] {subject}: {names}", "\n\n".join(map(_paragraph, news)), worst, tuple(news))


def _paragraph(item: News) -> str:
    words = describe(item.alert)
    head = f"{words['rule']} {WORDS[item.what]} ({words['severity']}): {words['summary']}"
    return head if item.what == "resolved" else f"{head}\nFinding: {words['finding']}\nDo: {words['remedy']}"


def _filled(text: str, rule: Rule, alert: Alert) -> str:
    return text.replace("{name}", alert.subject).replace("{value}", shown(rule, alert.value))


def shown(rule: Rule, value: float | None) -> str:
    """Return a figure for reading."""
    if value is None:
        return "?"
    if rule.shown == "share":
        return f"{value:.0%}"
    if rule.shown == "bytes":
        return format_size(max(0, int(value)))
    if rule.shown == "seconds":
        return f"{value * 1000:.1f} ms" if value < 1 else format_span(value)
    return f"{value:.1f}".removesuffix(".0")
