"""Figures and conditions: how they are reckoned, and what Prometheus is told."""

import pytest

from redyard.alerts.terms import QUEUE, increase, now, past, predict, rate
from redyard.alerts.window import KEPT, Window
from redyard.metrics import TABLE, Sample

USED, EVICTED = "redis_memory_used_bytes", "redis_evicted_keys_total"
ROWS = {row.name: row for row in TABLE}


def window(name, *points, picks):
    """A window with (time, figure) points of a metric; a figure of None is a moment without it."""
    made = Window()
    for at, value in points:
        found = {} if value is None else {name: [Sample(ROWS[name], {}, value)]}
        made.add(at, found, picks)
    return made


def read(term, name, *points):
    return term.read(window(name, *points, picks=term.picks))


@pytest.mark.parametrize(
    ("points", "grown"),
    [
        (((0, 5), (10, 8)), 3),
        (((0, 5), (10, 8), (20, 2)), 5),
        (((0, 5),), None),
        (((0, 5), (10, None)), None),
        (((0, 5), (10, None), (20, 9)), 4),
        (((0, 100), (1000, 5), (1010, 6)), 1),
        ((), None),
    ],
    ids=["grows", "restarts", "single", "away", "gap", "old", "nothing"],
)
def test_increase(points, grown):
    """The growth within the time; a counter that fell began anew."""
    assert grown == read(increase(EVICTED, "5m"), EVICTED, *points)


def test_rate_is_growth_a_second():
    """Of what is known of the time."""
    assert 2.5 == read(rate(EVICTED, "5m"), EVICTED, (0, 0), (10, 25))


def test_past_needs_a_window_that_reaches_so_far():
    """Else it is not known."""
    assert read(past(USED, "1h"), USED, (0, 7), (3599, 9)) is None
    assert 7 == read(past(USED, "1h"), USED, (0, 7), (3600, 9))


def test_prediction_goes_on_in_a_straight_line():
    """From at least half of the time."""
    points = [(at, 100 + at) for at in range(0, 3601, 10)]

    assert 100 + 3600 + 14400 == pytest.approx(read(predict(USED, "1h", "4h"), USED, *points))
    assert read(predict(USED, "1h", "4h"), USED, *points[:100]) is None


def test_what_is_not_known_is_neither_true_nor_false():
    """But what is false with anything is false."""
    empty, full = Window(), window(USED, (0, 5), picks=now(USED).picks)
    unknown = now(USED) > 1

    assert unknown.holds(empty) is None
    assert (unknown & (now("redis_memory_max_bytes") > 0)).holds(full) is None
    assert (unknown & (now(USED) < 0)).holds(full) is False


def test_nothing_by_zero_is_not_known():
    """Such as a share of no limit."""
    assert (now(USED) / 0 > 0.9).holds(window(USED, (0, 5), picks=now(USED).picks)) is None


def test_figures_are_reckoned():
    """Sum, difference, product, ratio."""
    term = now(USED)
    terms = (term + 1, term - 1, term * 2, term / 2)

    assert [11, 9, 20, 5] == [read(item, USED, (0, 10)) for item in terms]


def test_what_is_old_is_forgotten():
    """A window does not grow for ever."""
    made = window(USED, *((at, 1) for at in range(0, 8000, 10)), picks=now(USED).picks)

    assert made.points[0].at >= 7990 - KEPT


def test_a_clock_that_was_set_back_begins_anew():
    """No growth is reckoned over it."""
    assert read(increase(EVICTED, "5m"), EVICTED, (1000, 5), (10, 500)) is None


def test_promql():
    """It says the same."""
    condition = (now(USED) / now("redis_memory_max_bytes") > 0.9) & (increase(EVICTED, "5m", db="a|b") > 0)
    expected = (
        "((sum by (instance) (redis_memory_used_bytes)"
        " / on (instance) sum by (instance) (redis_memory_max_bytes)) > 0.9)"
        ' and on (instance) (sum by (instance) (increase(redis_evicted_keys_total{db=~"a|b"}[5m])) > 0)'
    )

    assert expected == condition.promql
    assert "sum by (instance, queue) (redyard_queue_workers) == 0" == (
        now("redyard_queue_workers", by=QUEUE).equals(0).promql
    )
