"""A stream and the log of the same engine, laid side by side: what the log has beyond, or nothing at all."""

import pytest
from hypothesis import given, strategies as st

from redyard.backups.joint import beyond, commands, last_database

PING, MARK = b"*1\r\n$4\r\nPING\r\n", b"#TS:1700000000\r\n"


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def select(number: int) -> bytes:
    return command(b"SELECT", b"%d" % number)


A, B, C = (command(b"SET", b"key", name * 5) for name in (b"a", b"b", b"c"))
NEWS = command(b"publish", b"news", b"x")


def joined(stream: bytes, log: bytes, database: bytes | None = None) -> bytes | None:
    found = beyond(stream, log, lambda: database)
    return None if found is None else b"".join(part for _, part in found)


@pytest.mark.parametrize(
    ("stream", "log", "expected"),
    [
        (A + B, A + B + C, C),
        (A, A + MARK + B + MARK + C, B + C),
        (A + PING + NEWS, MARK + A + B, B),
        (select(1) + A, A + B, B),
        (A + select(1) + NEWS, A + B, None),
        (A + select(1) + NEWS, select(3) + A + B, select(3) + B),
        (A + select(1) + NEWS, A + select(2) + B, select(2) + B),
        (A + B, A + C, None),
        (A + B, A, None),
        (A, A, b""),
        (A + B[:9], A + B + C, B[9:] + C),
        (A + PING[:12], A + B, PING[12:] + B),
        (A + NEWS[:20], A + B, None),
        (A, A + B[:-1], b""),
        (A, A + MARK[:5], b""),
        (b"", B, None),
        (b"", select(0) + B, select(0) + B),
    ],
)
def test_what_the_log_has_beyond(stream: bytes, log: bytes, expected: bytes | None) -> None:
    """The rest of the log follows in the right database, a torn command is completed; what differs gives nothing."""
    assert expected == joined(stream, log)


def test_the_database_is_asked_where_nothing_names_it() -> None:
    """Where the stream has no command since the known place, the log's own database is named."""
    assert select(5) + B == joined(PING, B, b"5")
    assert b"5" == last_database(select(2) + A + select(5) + B)
    assert last_database(A + select(2)) == b"2"
    assert last_database(b"") is None


def test_what_is_no_log_is_not_read() -> None:
    """A place in the middle of a command is no place to begin."""
    with pytest.raises(ValueError, match="aaaaa"):
        list(commands(A[20:]))


@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=20)), max_size=30), st.data())
def test_wherever_a_stream_is_cut_the_log_makes_it_whole(writes: list[tuple[int, bytes]], data: st.DataObject) -> None:
    """Cut at any byte, the stream with the log's tail has all writes, each in its database, once."""
    stream, log, told, logged = b"", b"", -1, -1
    for number, value in writes:
        if data.draw(st.booleans()):
            stream += PING
        if data.draw(st.booleans()):
            log += MARK
        write = command(b"APPEND", b"key", value)
        stream, told = stream + (select(number) if told != number else b"") + write, number
        log, logged = log + (select(number) if logged != number else b"") + write, number
    cut = stream[: data.draw(st.integers(0, len(stream)))]

    assert writes == list(applied(cut + joined(cut, log)))


def applied(stream: bytes) -> list[tuple[int, bytes]]:
    """Return the writes of a stream with their databases."""
    found, number = [], 0
    for start, end in commands(stream):
        words = stream[start:end].split(b"\r\n")
        if words[2] == b"SELECT":
            number = int(words[4])
        elif words[2] == b"APPEND":
            found.append((number, stream[start:end][:-2].split(b"\r\n", 6)[6]))
    return found
