"""The state of an alert, and who is told of it."""

import pytest
from msgspec import json

from redyard.alerts.rules import BY_NAME
from redyard.alerts.state import CALM, REMEMBERED, REPEAT, Alert, Book, Silence, advance

DOWN, FAILED, EVICTS = BY_NAME["Down"], BY_NAME["EngineFailed"], BY_NAME["StoreEvicts"]
HIGH, FULL = BY_NAME["StoreFillsUp"], BY_NAME["StoreNearlyFull"]


def run(rule, *looks):
    """Return the stages of an alert after (time, holds) looks."""
    alert, stages = None, []
    for at, holds in looks:
        alert = advance(rule, "redis-store", alert, holds, at)
        stages.append(alert.stage if alert else "inactive")
    return stages


def judged(book, at, *rules, holds=True, subject="redis-store"):
    """Judge rules at a time and return what is resolved."""
    return book.judge(subject, {rule.name: (holds, 1.0) for rule in rules}, at, rules=rules)


def told(book, at):
    """Return what is due at a time, and mark it as told."""
    news = book.due(at)
    book.mark(news, at)
    return [(item.what, item.alert.rule) for item in news]


def test_it_fires_after_it_held_for_long_enough():
    """Pending until then."""
    assert ["pending", "pending", "firing"] == run(DOWN, (0, True), (50, True), (60, True))


def test_a_rule_without_a_time_fires_at_once():
    """The first look is enough."""
    assert ["firing"] == run(EVICTS, (0, True))


def test_what_does_not_last_never_fires():
    """A pending alert that does not hold, or is not known, is inactive, and begins anew."""
    assert ["pending", "inactive", "pending", "pending"] == run(DOWN, (0, True), (30, False), (40, True), (90, True))
    assert ["pending", "inactive"] == run(DOWN, (0, True), (30, None))


def test_it_is_resolved_after_a_calm():
    """One that flaps fires once."""
    looks = ((0, True), (10, False), (20, True), (30, False), (20 + CALM, False))

    assert ["firing", "firing", "firing", "firing", "inactive"] == run(EVICTS, *looks)


def test_what_is_not_known_resolves_nothing():
    """A server that does not answer is not cured."""
    assert ["firing", "firing"] == run(EVICTS, (0, True), (10_000, None))


def test_a_clock_that_is_set_back_fires_nothing():
    """Time that runs backwards is no time that passed."""
    assert ["pending", "pending"] == run(DOWN, (1000, True), (0, True))


def test_somebody_is_told_once_and_again_after_a_while():
    """Repeated while it fires."""
    book = Book()
    judged(book, 0, EVICTS)

    assert [("fires", "StoreEvicts")] == told(book, 0)
    assert [] == told(book, REPEAT - 1)
    assert [("still", "StoreEvicts")] == told(book, REPEAT)


def test_somebody_who_was_told_hears_that_it_is_resolved():
    """Who was not told hears nothing."""
    book = Book()
    judged(book, 0, EVICTS, FAILED)
    book.mark([item for item in book.due(0) if item.alert.rule == "StoreEvicts"], 0)
    resolved = judged(book, CALM, EVICTS, FAILED, holds=False)

    assert [("resolved", "StoreEvicts")] == [(item.what, item.alert.rule) for item in resolved]
    assert [] == book.alerts


def test_a_louder_rule_covers_the_quieter():
    """Nobody is told twice of one thing; the quieter one is told of when the louder one is over."""
    book = Book()
    for at in (0, HIGH.lasts):
        judged(book, at, HIGH, FULL)

    assert [("fires", "StoreNearlyFull")] == told(book, HIGH.lasts)
    later = HIGH.lasts + CALM
    book.judge("redis-store", {FULL.name: (False, None), HIGH.name: (True, 0.85)}, later, rules=(FULL, HIGH))

    assert [("fires", "StoreFillsUp")] == told(book, later)


@pytest.mark.parametrize(("rule", "subject"), [("StoreEvicts", "redis-store"), ("*", "*"), ("*", "redis-store")])
def test_a_silence_tells_nobody_until_it_ends(rule, subject):
    """Afterwards they are told, if it still fires."""
    book = Book()
    judged(book, 0, EVICTS)
    book.silence(Silence(rule=rule, subject=subject, until=100), 0)

    assert [] == told(book, 99)
    assert [("fires", "StoreEvicts")] == told(book, 100)


def test_a_silence_of_something_else_is_none():
    """Another rule's, another instance's."""
    book = Book()
    judged(book, 0, EVICTS)
    book.silence(Silence(rule="Down", subject="*", until=100), 0)
    book.silence(Silence(rule="*", subject="redis-cache", until=100), 0)

    assert [("fires", "StoreEvicts")] == told(book, 0)


def test_a_silence_that_ends_now_takes_the_old_one_away():
    """And a new one stands in the place of the old."""
    book = Book()
    book.silence(Silence(rule="Down", subject="*", until=100), 0)
    book.silence(Silence(rule="Down", subject="*", until=200), 0)

    assert [200] == [item.until for item in book.silences]
    book.silence(Silence(rule="Down", subject="*", until=50), 50)
    assert [] == book.silences


def test_the_silence_of_an_instance_holds_for_its_queues():
    """A queue's subject begins with its instance's name."""
    alert = Alert(rule="QueueWaits", subject="redis-store/mail", stage="firing", since=0)

    assert Silence(rule="*", subject="redis-store", until=1).covers(alert, 0)
    assert not Silence(rule="*", subject="redis-cache", until=1).covers(alert, 0)


def test_the_history_has_both_ends_and_is_bounded():
    """The newest are kept."""
    book = Book()
    for turn in range(REMEMBERED):
        judged(book, turn * 200, EVICTS)
        judged(book, turn * 200 + CALM, EVICTS, holds=False)

    assert REMEMBERED == len(book.history)
    assert ["fires", "resolved"] == [line.what for line in book.history[-2:]]


def test_a_book_survives_the_disk():
    """Nobody is told again by the next process."""
    book = Book()
    judged(book, 0, EVICTS)
    told(book, 0)
    again = json.decode(json.encode(book), type=Book)

    assert [] == told(again, 10)
    assert book == again


def test_critical_ones_come_first():
    """In what is shown."""
    book = Book()
    judged(book, 0, BY_NAME["EngineOutdated"])
    judged(book, 1, EVICTS, subject="redis-other")

    assert ["StoreEvicts", "EngineOutdated"] == [alert.rule for alert in book.firing()]


def test_what_is_gone_is_forgotten():
    """An instance that was removed has no alerts."""
    book = Book()
    judged(book, 0, EVICTS)
    book.forget({"redis-cache"})

    assert [] == book.alerts
