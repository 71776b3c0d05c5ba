"""Sizes, time spans and moments."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from redyard.errors import InvalidValue
from redyard.units import format_instant, format_size, format_span, parse_instant, parse_size, parse_span


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1024", 1024),
        ("256mb", 268_435_456),
        ("1.5GB", 1_610_612_736),
        (" 2 kb ", 2048),
        ("7b", 7),
        ("1tb", 1024**4),
    ],
)
def test_a_size_is_read(text, expected):
    """With powers of 1024, as the engines do."""
    assert expected == parse_size(text)


@pytest.mark.parametrize("text", ["", "mb", "-1mb", "1xb", "1 m b", "1e9", "٣mb٣", "1.5.2gb", "0x10", "nan"])
def test_what_is_no_size_is_refused(text):
    """With the value, and how to write it."""
    with pytest.raises(InvalidValue, match="size"):
        parse_size(text)


@given(st.integers(0, 10**15 - 1))
def test_a_size_in_bytes_is_read_as_it_is(size):
    """Every one."""
    assert size == parse_size(str(size))


@given(st.integers(0, 2**50))
def test_a_printed_size_is_the_size_but_for_its_rounding(size):
    """One digit behind the point."""
    assert abs(parse_size(format_size(size)) - size) <= size * 0.05 + 1


@pytest.mark.parametrize(
    ("size", "expected"), [(0, "0b"), (1023, "1023b"), (1536, "1.5kb"), (268_435_456, "256mb"), (2**40, "1tb")]
)
def test_a_size_is_printed(size, expected):
    """In its largest unit."""
    assert expected == format_size(size)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("15m", 900), ("1h30m", 5400), ("250ms", 0.25), ("1.5s", 1.5), ("2w", 1_209_600), (" 1d ", 86_400), ("0s", 0)],
)
def test_a_span_is_read(text, expected):
    """Parts add up."""
    assert expected == parse_span(text)


@pytest.mark.parametrize("text", ["", "15", "m", "-1s", "1 h", "1h 30m", "1y", "1hm", "1s!"])
def test_what_is_no_span_is_refused(text):
    """A number without a unit, too."""
    with pytest.raises(InvalidValue, match="time span"):
        parse_span(text)


@given(st.integers(1, 10**8))
def test_a_printed_span_is_the_span_to_its_second_unit(seconds):
    """What is left out is less than the smallest unit printed."""
    printed = format_span(seconds)

    assert 0 <= seconds - parse_span(printed) < 86_400
    assert len(printed) <= 8


@pytest.mark.parametrize(("seconds", "expected"), [(0.25, "250ms"), (5400, "1h30m"), (59, "59s"), (694_861, "1w1d")])
def test_a_span_is_printed(seconds, expected):
    """By its two largest units."""
    assert expected == format_span(seconds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T02:15:00Z", datetime(2026, 11, 23, 2, 15, tzinfo=UTC)),
        ("2026-11-23T02:15:00+02:00", datetime(2026, 11, 23, 0, 15, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(text, expected):
    """In its zone."""
    assert expected.timestamp() == parse_instant(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-23T02:15:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_refused(text):
    """A moment without its zone could be any of 26 hours."""
    with pytest.raises(InvalidValue, match="moment"):
        parse_instant(text)


@given(st.integers(0, 4_000_000_000_000))
def test_a_printed_moment_is_the_moment(milliseconds):
    """To the millisecond."""
    assert abs(parse_instant(format_instant(milliseconds / 1000)) - milliseconds / 1000) < 0.0011
