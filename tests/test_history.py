"""The history of figures: folded, bounded, kept across restarts, and never a reason not to start."""

import math
import sqlite3

import pytest

from redyard import events
from redyard.history import STEPS, History, Moments
from redyard.metrics.look import look
from redyard.metrics.series import NAMES, TABLE
from tests.support.clients import client, heard

START = 1_700_000_100 // 900 * 900


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.sqlite"


@pytest.fixture
def history(path):
    opened = History(path)
    yield opened
    opened.close()


def figures(value):
    """A row where each series has this value."""
    return [float(value)] * len(TABLE)


def feed(history, count, *, start=START, name="redis-store"):
    """Write a row every ten seconds, with its number as the value."""
    for number in range(count):
        history.add(name, start + number * 10, figures(number))


def points(history, series, step, *, name="redis-store"):
    return history.line(name, series, 0, START + 10**9, step=step).points


def test_minutes_are_folded_from_tens_of_seconds(history):
    """Means for most, the largest for some, the last for others."""
    feed(history, 7)

    assert [(START, 2.5)] == points(history, "memory_used", 60)
    assert [(START, 5.0)] == points(history, "clients", 60)
    assert [(START, 5.0)] == points(history, "keys", 60)


def test_quarters_are_folded_from_minutes(history):
    """When the quarter is over."""
    feed(history, 91)

    assert 15 == len(points(history, "clients", 60))
    assert [(START, 89.0)] == points(history, "clients", 900)


def test_a_restart_loses_nothing(path):
    """The minute in which it was is folded by the next process."""
    first = History(path)
    feed(first, 4)
    first.close()
    second = History(path)
    second.add("redis-store", START + 60, figures(9))

    assert [(START, 3.0)] == points(second, "clients", 60)
    second.close()


@pytest.mark.parametrize("step", STEPS)
def test_a_resolution_is_kept_for_its_time(history, step):
    """What is older is dropped at the next fold."""
    kept = STEPS[step]
    late = START + kept + 900
    with history._database as database:
        for at in (START, START + kept // 900 * 900 + 900 - step):
            database.execute("INSERT INTO point VALUES (?, 'it', ?, x'00000000')", (step, at))
    history.add("it", late - 10, figures(1))
    history.add("it", late, figures(1))
    history.add("it", late + 900, figures(1))

    assert START not in [at for at, _ in points(history, "memory_used", step, name="it")]


def test_the_step_follows_the_span(history):
    """The finest one that reaches back so far."""
    spans = [history.line("it", "clients", 0, seconds).step for seconds in (3600, 86400, 30 * 86400, 365 * 86400)]

    assert [10, 60, 900, 900] == spans


def test_instances_are_apart_and_forgotten(history):
    """One that was removed leaves no rows."""
    feed(history, 2, name="one")
    feed(history, 2, name="two")
    history.forget("one")

    assert (0, 2) == tuple(len(points(history, "clients", 10, name=name)) for name in ("one", "two"))


def test_what_is_not_known_is_none(history):
    """It is no zero, and means leave it out."""
    history.add("it", START, figures(math.nan))
    history.add("it", START + 10, figures(4))
    history.add("it", START + 60, figures(4))

    assert [None, 4.0, 4.0] == [value for _, value in points(history, "clients", 10, name="it")]
    assert [(START, 4.0)] == points(history, "memory_used", 60, name="it")


@pytest.mark.parametrize("damage", ["text", "middle"])
def test_a_damaged_file_is_set_aside(path, damage):
    """A new one is begun, and somebody hears of it."""
    whole = History(path)
    feed(whole, 400)
    whole.close()
    content = bytearray(path.read_bytes())
    if damage == "text":
        content[:] = b"this is no database" * 100
    else:
        content[len(content) // 4 : len(content) // 2] = b"\xff" * (len(content) // 2 - len(content) // 4)
    path.write_bytes(content)
    with heard(events.HISTORY_DAMAGED) as seen:
        anew = History(path)
    feed(anew, 2)

    assert 2 == len(points(anew, "clients", 10))
    assert [True] == [(path.parent / event.fields["path"]).exists() for event in seen]
    anew.close()


def test_damage_that_shows_later_is_set_aside_too(path):
    """The row goes into the new file next time."""
    history = History(path)
    feed(history, 3)
    history._database.execute("PRAGMA writable_schema = ON")
    history._database.execute("UPDATE sqlite_schema SET rootpage = 999 WHERE name = 'point'")
    history._database.commit()
    history._database.close()
    history._database = sqlite3.connect(path, check_same_thread=False)
    with heard(events.HISTORY_DAMAGED) as seen:
        feed(history, 2)

    assert 1 == len(seen)
    assert 1 == len(points(history, "clients", 10))
    history.close()


def test_somebody_elses_lock_costs_a_row_and_no_more(history, path, caplog):
    """Writing goes on."""
    history._database.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    history.add("it", START, figures(1))
    other.rollback()
    other.close()
    history.add("it", START + 10, figures(1))

    assert 1 == len(points(history, "clients", 10, name="it"))
    assert "the history took no row" in caplog.text


def test_a_row_from_before_a_series_was_added_is_read(history):
    """The new one is not known there."""
    with history._database as database:
        database.execute("INSERT INTO point VALUES (10, 'it', ?, x'0000803f')", (START,))

    assert [(START, 1.0)] == points(history, TABLE[0].name, 10, name="it")
    assert [(START, None)] == points(history, TABLE[-1].name, 10, name="it")


def test_90_days_have_their_size(path):
    """About 5 MB for an instance."""
    history = History(path)
    row = bytes(4 * len(TABLE))
    with history._database as database:
        for step, kept in STEPS.items():
            rows = ((step, "redis-store", START + at, row) for at in range(0, kept, step))
            database.executemany("INSERT INTO point VALUES (?, ?, ?, ?)", rows)
    history.close()

    assert 5e6 < path.stat().st_size < 7e6


async def test_looks_become_a_row(own_server):
    """What grows is kept as its growth a second; a server that began anew grows from nothing."""
    async with client(own_server.admin_url) as redis:
        moments = Moments()
        first = await look(redis)
        for _ in range(10):
            await redis.get("none")
        second = await look(redis)
    moments.add(0, first)
    moments.take()
    moments.add(10, second)
    row = moments.take()
    moments.add(20, second | {"keyspace_misses": "5"})
    anew = moments.take()

    assert (1.0, 0.5) == (row[NAMES["misses"]], anew[NAMES["misses"]])
    assert float(second["used_memory"]) == row[NAMES["memory_used"]]
    assert moments.take() is None


def test_about_sixty_series():
    """Each has a name of its own."""
    assert 61 == len(TABLE) == len(NAMES)
