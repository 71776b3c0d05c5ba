"""Lines of logs: read from both forms, written in one, without passwords."""

import json
import logging
from datetime import UTC, datetime

import pytest

from redyard.yard.logs import JsonLines, Line, hide, parse

EVENT = (
    '2026-11-23 08:41:01,123 INFO instance.phase name="redis-store" old="starting" new="running" reason="it answers"'
)
ENGINE = "12345:M 23 Nov 2026 08:41:01.124 * Ready to accept connections tcp"


def test_event_of_the_yard_has_fields():
    """The kind is the message, the instance the name, the rest beside it."""
    (line,) = parse([EVENT], "yard")

    assert ("info", "yard", "redis-store", "instance.phase") == (line.level, line.source, line.name, line.message)
    assert {"old": "starting", "new": "running", "reason": "it answers"} == line.fields
    assert datetime(2026, 11, 23, 8, 41, 1, 123000).astimezone(UTC) == line.at


@pytest.mark.parametrize(("sign", "level"), [(".", "debug"), ("-", "debug"), ("*", "info"), ("#", "warn")])
def test_line_of_an_engine(sign, level):
    """Its signs are levels, its words the message."""
    (line,) = parse([ENGINE.replace("*", sign)], "engine", "redis-store")

    assert (level, "redis-store", "Ready to accept connections tcp") == (line.level, line.name, line.message)


def test_line_of_an_edge():
    """It has the yard's form; the instance is the one whose edge it is."""
    (line,) = parse(
        ["2026-11-23 08:41:01,123 INFO no handshake with 127.0.0.1: it speaks plain"], "edge", "redis-store"
    )

    assert ("info", "edge", "redis-store") == (line.level, line.source, line.name)
    assert "no handshake with 127.0.0.1: it speaks plain" == line.message


def test_traceback_belongs_to_its_line():
    """Lines without a head have the time and level of the one before; what precedes every head is left out."""
    found = list(parse(["half a line", "2026-11-23 08:41:01,123 ERROR it failed", "Traceback:", "  x"], "yard"))

    assert [("error", "it failed"), ("error", "Traceback:"), ("error", "  x")] == [
        (one.level, one.message) for one in found
    ]
    assert 1 == len({one.at for one in found})


@pytest.mark.parametrize("text", ["a b=c d", 'a b="open', "see x={} and more", ""])
def test_text_that_looks_like_fields_is_text(text):
    """Only what an event wrote is taken apart."""
    (line,) = parse([f"2026-11-23 08:41:01,123 INFO {text}"], "yard")

    assert (text, {}) == (line.message, line.fields)


def test_json_is_one_line_with_level_and_message():
    """As log viewers of platforms read it."""
    line = Line(datetime(2026, 1, 2, tzinfo=UTC), "warn", "yard", "a", "two\nlines", {"reason": "x"})

    assert "\n" not in line.to_json()
    assert {
        "level": "warn", "message": "two\nlines", "time": "2026-01-02T00:00:00.000+00:00",
        "source": "yard", "name": "a", "reason": "x",
    } == json.loads(line.to_json())  # fmt: skip


def test_record_is_written_as_json():
    """The yard's own stream in production has the same form."""
    record = logging.LogRecord("redyard", logging.WARNING, "", 0, "%s %s", ("redis.away", 'owner="x" reason="y"'), None)
    said = json.loads(JsonLines().format(record))

    assert ("warn", "redis.away", "x", "y") == (said["level"], said["message"], said["owner"], said["reason"])


def test_passwords_are_hidden():
    """Known ones anywhere, and unknown ones in an address."""
    assert "a *** b redis://u:***@h" == hide("a s3cret b redis://u:other@h", ["s3cret"])
