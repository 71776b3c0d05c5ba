"""What can happen, and who hears of it."""

import logging
import re

import pytest

from redyard import events
from tests.support.clients import heard


def test_every_kind_of_the_module_is_in_the_table():
    """The reference page and the listeners read the table."""
    assert {kind for kind in vars(events).values() if isinstance(kind, events.Kind)} == set(events.TABLE)


def test_names_are_unique():
    """A log can be searched by them."""
    assert len(events.TABLE) == len({kind.name for kind in events.TABLE})


@pytest.mark.parametrize("kind", events.TABLE, ids=lambda kind: kind.name)
def test_a_kind_says_what_it_is(kind):
    """What happened, as a sentence; which fields; how loud."""
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind.name)
    assert kind.meaning.endswith(".")
    assert kind.fields
    assert kind.level in {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}


def test_a_listener_hears_until_it_unsubscribes():
    """With the fields; unsubscribing twice is legal."""
    seen = []
    unsubscribe = events.subscribe(seen.append)
    events.emit(events.REMOVED, name="redis-store")
    unsubscribe()
    unsubscribe()
    events.emit(events.REMOVED, name="redis-cache")

    assert [(events.REMOVED, {"name": "redis-store"})] == [(event.kind, event.fields) for event in seen]


def test_a_listener_that_fails_harms_nobody(caplog):
    """The others hear, the caller goes on, and the log has it."""

    def broken(event):
        raise ValueError("deaf")

    unsubscribe = events.subscribe(broken)
    try:
        with heard() as seen:
            events.emit(events.REMOVED, name="redis-store")
    finally:
        unsubscribe()

    assert 1 == len(seen)
    assert "instance.removed" in caplog.text
    assert "deaf" in caplog.text


def test_without_a_listener_nothing_happens():
    """An event costs nothing then."""
    events.emit(events.REMOVED, name="redis-store")
