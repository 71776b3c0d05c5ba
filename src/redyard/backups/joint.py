"""What an engine's log of writes has beyond the stream that was followed. Pure: bytes in, bytes out.

Both hold the same commands in the same order, byte for byte. The stream has heart-beats and messages between them, the
log has marks of time; each names the database where its last command was of another. So the commands are compared one
by one, from a place that is known in both; where they differ, nothing is concluded.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from redyard.backups.spool import HEARTBEAT

_SELECT = b"*2\r\n$6\r\nSELECT\r\n"
_OF_THE_STREAM = re.compile(rb"\*\d+\r\n\$\d+\r\n(PING|REPLCONF|S?PUBLISH)\r\n", re.IGNORECASE)


def commands(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each whole command begins and ends, without marks of time; raise ValueError where there is none."""
    place = 0
    while place < len(data):
        is_mark = data.startswith(b"#", place)
        end = _line(data, place) if is_mark else _end(data, place)
        if end is None:
            return  # torn
        if not is_mark:
            yield place, end
        place = end


def beyond(stream: bytes, log: bytes, database: Callable[[], bytes | None]) -> list[tuple[int, bytes]] | None:
    """Return what continues the stream, as (end in the log, bytes) of each command; None where that is not certain.

    Args:
        stream: from the known place on; its last command may be torn.
        log: from the same place on.
        database: tells the log's database at that place, as digits; asked only where nothing else tells it.
    """
    rest, selected = commands(log), None
    whole, ours, named = 0, None, True  # named: the log may be in another database than the stream
    for start, whole in commands(stream):
        command = stream[start:whole]
        if command.startswith(_SELECT):
            ours, named = _number_of(command), True
        elif not _OF_THE_STREAM.match(command):
            theirs, selected = _next(log, rest, selected)
            if theirs != command:
                return None
            named = False
    spans = list(rest)
    if spans and log.startswith(_SELECT, spans[0][0]):
        selected, named, spans = _number_of(log[slice(*spans[0])]), True, spans[1:]
    if not spans:
        return []
    first = log[slice(*spans[0])]
    ways = [first]
    if named:
        if (wanted := selected or database()) is None:
            return None
        ways = [first, _select(wanted) + first] if wanted == ours else [_select(wanted) + first]
    if (joined := _continue(stream[whole:], ways)) is None:
        return None
    return [(spans[0][1], joined), *((end, log[start:end]) for start, end in spans[1:])]


def last_database(log: bytes) -> bytes | None:
    """Return the database that a log is in at its end; None where it does not name one first."""
    return _next(log, commands(log), None, last=True)[1]


def _next(
    log: bytes, rest: Iterator[tuple[int, int]], selected: bytes | None, *, last: bool = False
) -> tuple[bytes, bytes | None]:
    """Return the log's next command, or the last, and the database that was named until then."""
    command = b""
    for start, end in rest:
        command = log[start:end]
        if command.startswith(_SELECT):
            selected = _number_of(command)
        elif not last:
            break
    return command, selected


def _continue(torn: bytes, ways: Sequence[bytes]) -> bytes | None:
    """Return what is missing of a torn command, and what follows it, in the first way that fits."""
    for following in ways:
        if following.startswith(torn):
            return following[len(torn) :]
    return HEARTBEAT[len(torn) :] + ways[0] if HEARTBEAT.startswith(torn) else None


def _select(number: bytes) -> bytes:
    return _SELECT + b"$%d\r\n%s\r\n" % (len(number), number)


def _number_of(select: bytes) -> bytes:
    return select.split(b"\r\n")[4]


def _line(data: bytes, place: int) -> int | None:
    """Return where a line ends; None where it is torn."""
    return data.find(b"\n", place) + 1 or None


def _number(data: bytes, kind: bytes, place: int) -> tuple[int, int] | None:
    """Return the number of a line of this kind, and where the next line begins."""
    if not data.startswith(kind, place) and place < len(data):
        raise ValueError(data[place : place + 20])
    end = _line(data, place)
    return (int(data[place + 1 : end]), end) if end else None


def _end(data: bytes, place: int) -> int | None:
    """Return where the command at a place ends; None where it is torn."""
    head = _number(data, b"*", place)
    count, place = head or (0, 0)
    for _ in range(count):
        if (word := _number(data, b"$", place)) is None:
            return None
        place = word[0] + word[1] + 2
    return place if head and place <= len(data) else None
