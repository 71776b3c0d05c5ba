"""What a time brought, from rows as the history has them."""

import math

import pytest

from redyard.doctor.since import DAY, GROWING, SLOWING, Limits, summarise
from redyard.history import History, Rows, read
from redyard.metrics.series import NAMES

START = 1_700_000_100 // 900 * 900
LIMITS = Limits(100)
BUSY = {"commands": 100.0, "command_seconds": 1000.0, "memory_used": 30e6, "memory_limit": 100e6, "clients": 10.0}


def rows(days, change=lambda _: {}, *, step=900, start=0):
    """Rows of some days; `change` says what is different at a part (0 to 1) of the time."""
    count = max(1, int(days * DAY / step))
    made = []
    for number in range(count):
        values = {**BUSY, "uptime": start + number * step, **change(number / count)}
        figures = [math.nan] * len(NAMES)
        for name, value in values.items():
            figures[NAMES[name]] = value
        made.append((START + number * step, figures))
    return Rows(step, made)


def summary(found, **options):
    return summarise("redis-store", found, asked=7 * DAY, **{"limits": LIMITS, **options})


def test_a_quiet_week_has_nothing_to_tell():
    """Figures that stay as they were are no news."""
    made = summary(rows(7))

    assert ([], [], [], [], 0) == (made.grew, made.slowed, made.filled, made.alerts, made.restarts)
    assert (7 * DAY, 100 * 7 * DAY) == (made.covered, made.totals["commands"])


def test_a_short_history_is_said():
    """What was asked for is not what was seen, and some rows are too few to compare."""
    made = summary(rows(0.1, lambda part: {"keys": 1e6 * part}))

    assert (7 * DAY, 0.1 * DAY) == (made.asked, pytest.approx(made.covered, abs=900))
    assert [] == made.grew


def test_nothing_is_nothing():
    """An instance that nobody watched."""
    assert summary(Rows(60, [])) is None


@pytest.mark.parametrize("row", GROWING, ids=lambda row: row.series)
def test_what_grew(row):
    """With its first and its last day; what shrank is no news."""
    made = summary(rows(7, lambda part: {row.series: 10 * row.least * (1 + part)}))
    shrunk = summary(rows(7, lambda part: {row.series: 10 * row.least * (2 - part)}))

    assert [row.series] == [change.name for change in made.grew]
    assert 10 * row.least < made.grew[0].first < made.grew[0].last < 20 * row.least
    assert [] == shrunk.grew


@pytest.mark.parametrize("row", SLOWING, ids=lambda row: row.name)
def test_what_slowed(row):
    """Effort for each of what was done, so that more work alone is not slower."""
    bottom = {"misses": 1.0, "hits": 9.0} if row.bottom == "lookups" else {}
    each = {"commands": BUSY["commands"], "lookups": 9.0}.get(row.bottom, 1.0)
    worse = summary(rows(7, lambda part: {**bottom, row.top: row.least * each * (1 + 4 * part)}))
    busier = summary(rows(7, lambda part: {"commands": 100 * (1 + part), "command_seconds": 1000 * (1 + part)}))

    assert [row.name] == [change.name for change in worse.slowed]
    assert [] == busier.slowed


def test_a_daily_rhythm_is_no_growth():
    """A day is compared with a day."""
    made = summary(rows(7, lambda part: {"clients": 50 + 40 * math.sin(part * 7 * 2 * math.pi)}), limits=Limits(1000))

    assert [] == made.grew


def test_what_nearly_filled():
    """The most, its limit and when; and in how many days it is full as it goes."""
    made = summary(rows(7, lambda part: {"memory_used": 50e6 + 40e6 * part, "clients": 85.0}))
    found = {row.name: row for row in made.filled}

    assert {"connections", "memory"} == set(found)
    assert (85, 100) == (found["connections"].most, found["connections"].limit)
    assert found["memory"].full_in_days == pytest.approx(2.3, abs=0.3)


def test_a_full_cache_is_well():
    """It is meant to be full."""
    made = summary(rows(7, lambda _: {"memory_used": 99e6}), limits=Limits(100, is_cache=True))

    assert [] == made.filled


def test_restarts_are_counted():
    """Also one while nobody looked, where the engine is older than it was."""
    found = rows(1)
    later = rows(1, start=100 * 900)
    gap = [(at + 9 * DAY, figures) for at, figures in later.rows]

    assert 1 == summary(rows(2, lambda part: {"uptime": part % 0.5 * 2 * DAY})).restarts
    assert 1 == summary(Rows(900, [*found.rows, *gap])).restarts


def test_alerts_are_told_by_how_often_they_fired():
    """The busiest first."""
    fired = [(START, "Down", "redis-store"), (START + 9, "Full", "redis-store"), (START + 5, "Full", "redis-store")]
    made = summary(rows(7), fired=fired)

    assert [("Full", 2, START + 9), ("Down", 1, START)] == [(one.rule, one.times, one.last) for one in made.alerts]


def test_rows_are_read_in_the_finest_resolution_that_reaches_back(tmp_path):
    """And where that has nothing yet, in a finer one; a missing or damaged file is an empty history."""
    path = tmp_path / "history.sqlite"
    history = History(path)
    for number in range(5):
        history.add("it", START + 10 * number, [1.0] * len(NAMES))
    young = read(path, "it", START - 7 * DAY, START + 100)
    for number in range(5, 20):
        history.add("it", START + 10 * number, [1.0] * len(NAMES))
    older = read(path, "it", START - 7 * DAY, START + 1000)
    history.close()
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"no database" * 1000)

    assert [(10, 5), (60, 3)] == [(found.step, len(found.rows)) for found in (young, older)]
    assert [[], []] == [read(tmp_path / name, "it", 0, START).rows for name in ("missing", "damaged")]
