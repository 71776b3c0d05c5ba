"""What a time brought, from the yard's history: what grew, what slowed, what nearly filled, restarts and alerts.

The end of the time is compared with its beginning: a day with a day where there are two of each, else a quarter with a
quarter. Pure: the rows come in, as they stand in the history.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from redyard.history import Figures, Rows
from redyard.metrics.series import NAMES

DAY = 86400
FEWEST = 12
"""Rows without which nothing is compared."""

Row = tuple[int, Figures]


class Growing(NamedTuple):
    """A figure that is told when it grew by a tenth, and by at least so much."""

    series: str
    unit: str
    least: float


class Slowing(NamedTuple):
    """A figure of effort, `top` for each of `bottom`: told when it is `worse` times what it was, or more."""

    name: str
    unit: str
    top: str
    bottom: str
    least: float
    worse: float = 1.5


GROWING = (
    Growing("memory_used", "bytes", 1_000_000),
    Growing("memory_overhead", "bytes", 1_000_000),
    Growing("keys", "", 100),
    Growing("clients", "", 5),
    Growing("scripts", "", 50),
    Growing("log_size", "bytes", 10_000_000),
)
SLOWING = (
    Slowing("mean time of a command", "us", "command_seconds", "commands", 5),
    Slowing("slow commands a second", "", "slow_commands", "", 0.01),
    Slowing("errors a second", "", "errors", "", 0.1),
    Slowing("late writes to the disk a second", "", "fsync_delayed", "", 0.001),
    Slowing("misses of each look-up", "", "misses", "lookups", 0.1),
)
COUNTED = ("commands", "evicted", "expired", "errors", "connections_rejected", "slow_commands")
"""Series whose sum over the time is told."""

NEARLY = 0.8
"""The share from which a limit counts as nearly reached."""


class Change(msgspec.Struct, frozen=True):
    """A figure at the beginning and at the end of the time."""

    name: str
    unit: str
    first: float
    last: float


class Filled(msgspec.Struct, frozen=True):
    """What was nearly full: the most that was used, of what limit, when; and in how many days it is full as it goes."""

    name: str
    most: float
    limit: float
    at: float
    full_in_days: float | None = None


class Limits(NamedTuple):
    """What the plan gives; a cache's memory is meant to be full."""

    connections: int
    is_cache: bool = False


class Alerted(msgspec.Struct, frozen=True):
    """An alert that fired: how often, and the last time."""

    rule: str
    subject: str
    times: int
    last: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a time brought; `asked` and `covered` are seconds: the history may know less than was asked for."""

    name: str
    since: float
    until: float
    asked: float
    covered: float
    restarts: int
    totals: dict[str, float]
    grew: list[Change]
    slowed: list[Change]
    filled: list[Filled]
    alerts: list[Alerted]


def summarise(
    name: str, found: Rows, *, asked: float, limits: Limits, fired: Iterable[tuple[float, str, str]] = ()
) -> Summary | None:
    """Sum up what the history has; None where it has nothing.

    Args:
        name: the instance.
        found: its rows of the time, the oldest first.
        asked: seconds that were asked for.
        limits: what its plan gives.
        fired: time, rule and subject of each alert that began to fire.
    """
    if not found.rows:
        return None
    first, last = _edges(found)
    compared = len(found.rows) >= FEWEST
    return Summary(
        name=name,
        since=found.rows[0][0],
        until=found.rows[-1][0] + found.step,
        asked=asked,
        covered=len(found.rows) * found.step,
        restarts=_restarts(found),
        totals={series: round(_sum(found.rows, series) * found.step) for series in COUNTED},
        grew=[change for row in GROWING if compared and (change := _grown(row, first, last))],
        slowed=[change for row in SLOWING if compared and (change := _slowed(row, first, last))],
        filled=list(_filled(found, limits)),
        alerts=_alerts(fired),
    )


def _edges(found: Rows) -> tuple[list[Row], list[Row]]:
    start, end = found.rows[0][0], found.rows[-1][0]
    width = DAY if end - start >= 2 * DAY else (end - start) / 4
    return [row for row in found.rows if row[0] <= start + width], [row for row in found.rows if row[0] >= end - width]


def _known(rows: Sequence[Row], series: str) -> list[tuple[int, float]]:
    place = NAMES[series]
    return [(at, figures[place]) for at, figures in rows if figures[place] == figures[place]]  # NaN: not known


def _sum(rows: Sequence[Row], series: str) -> float:
    if series == "lookups":
        return _sum(rows, "hits") + _sum(rows, "misses")
    return sum(value for _, value in _known(rows, series))


def _mean(rows: Sequence[Row], series: str) -> float | None:
    found = _known(rows, series)
    return sum(value for _, value in found) / len(found) if found else None


def _grown(row: Growing, first: Sequence[Row], last: Sequence[Row]) -> Change | None:
    before, after = _mean(first, row.series), _mean(last, row.series)
    if before is None or after is None or after - before < max(row.least, before / 10):
        return None
    return Change(row.series, row.unit, round(before, 1), round(after, 1))


def _slowed(row: Slowing, first: Sequence[Row], last: Sequence[Row]) -> Change | None:
    before, after = _effort(row, first), _effort(row, last)
    if before is None or after is None or after < max(row.least, row.worse * before):
        return None
    return Change(row.name, row.unit, round(before, 3), round(after, 3))


def _effort(row: Slowing, rows: Sequence[Row]) -> float | None:
    """Return the effort of each; None where nothing was done."""
    each = _sum(rows, row.bottom) if row.bottom else len(rows)
    return _sum(rows, row.top) / each if each else None


def _restarts(found: Rows) -> int:
    """Count how often the engine was younger than it would have become: at least so often it was started or moved."""
    ages = _known(found.rows, "uptime")
    return sum(new < old + (now - before) - 2 * found.step for (before, old), (now, new) in pairwise(ages))


def _filled(found: Rows, limits: Limits) -> Iterable[Filled]:
    clients = max(_known(found.rows, "clients"), key=lambda pair: pair[1], default=None)
    if clients and limits.connections and clients[1] >= NEARLY * limits.connections:
        yield Filled("connections", clients[1], limits.connections, clients[0])
    most = max(_known(found.rows, "memory_used"), key=lambda pair: pair[1], default=None)
    limit = max((value for _, value in _known(found.rows[-1:], "memory_limit")), default=0.0)
    if most and limit and not limits.is_cache:
        days = _days_until(limit, found)
        if most[1] >= NEARLY * limit or (days is not None and days <= 30):
            yield Filled("memory", most[1], limit, most[0], days)


def _days_until(limit: float, found: Rows) -> float | None:
    """Return in how many days the memory is full if it grows as it did; None where it did not, or nobody can say."""
    first, last = _edges(found)
    before, after = _mean(first, "memory_used"), _mean(last, "memory_used")
    seconds = (found.rows[-1][0] - found.rows[0][0]) * (0.75 if len(found.rows) > 1 else 0)
    if before is None or after is None or len(found.rows) < FEWEST or after - before < max(1_000_000, before / 10):
        return None
    return round(max(0.0, limit - after) / ((after - before) / seconds) / DAY, 1)


def _alerts(fired: Iterable[tuple[float, str, str]]) -> list[Alerted]:
    times: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], float] = {}
    for at, rule, subject in fired:
        times[rule, subject] += 1
        last[rule, subject] = max(at, last.get((rule, subject), 0.0))
    return [Alerted(*key, count, last[key]) for key, count in times.most_common()]
