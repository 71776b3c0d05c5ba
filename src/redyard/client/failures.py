"""How a command can fail without an answer: redis-py's errors, with the one thing that a caller must know."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - redis-py's name
    ExecAbortError,
    MasterDownError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis-py's name
    TryAgainError,
)

from redyard.client.secure import NotSecured

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Bounds, in seconds, of the random pause after a failed attempt to connect: doubled from the first to the longest."""

NOT_YET = (BusyLoadingError, MasterDownError, TryAgainError)
"""Refusals of a server that did not run the command and soon may: it loads, or waits for its primary or its slots."""

MOVES_WITHIN = 1.0
"""Seconds for which a blocking command that is refused, having moved, is sent again; a move takes some milliseconds."""

HOPELESS = (AuthenticationError, ResponseError, NotSecured)
"""Refusals of a greeting or a handshake that the next attempt would meet again."""


class ConnectionLost(ConnectionError):
    """The connection went away. `maybe_ran`: the command was sent, and may have run."""

    def __init__(self, problem: str, *, maybe_ran: bool) -> None:
        self.maybe_ran = maybe_ran
        super().__init__(f"{problem}; {_fate(maybe_ran=maybe_ran)}")


class TimedOut(TimeoutError):
    """The deadline passed without an answer. `maybe_ran`: the command was sent, and may have run."""

    def __init__(self, problem: str, *, maybe_ran: bool) -> None:
        self.maybe_ran = maybe_ran
        super().__init__(f"Timeout: {problem}; {_fate(maybe_ran=maybe_ran)}")


def is_hopeless(error: Exception) -> bool:
    """Say whether the next attempt to connect would fail as this one did."""
    return isinstance(error, HOPELESS)


def takes_no_writes(error: Exception) -> bool:
    """Say whether a server refused a write, or a transaction for one, because it is a replica: it did not run."""
    return isinstance(error, ReadOnlyError) or (isinstance(error, ExecAbortError) and "READONLY" in str(error))


def has_moved(error: Exception) -> bool:
    """Say whether a server refused a command because it is a replica now: it did not run, and may elsewhere."""
    return takes_no_writes(error) or str(error).startswith("UNBLOCKED")


def unanswered(seconds: float) -> TimedOut:
    """Return the error of a command that was sent and not answered in its time."""
    return TimedOut(f"no answer within {seconds:g} s", maybe_ran=True)


def equal(error: Exception) -> Exception:
    """Return an equal error: one that many raise would collect all their tracebacks."""
    try:
        return type(error)(*error.args)
    except TypeError:
        return error


def pauses() -> Iterator[float]:
    """Yield the seconds to wait after each failed attempt to connect."""
    longest = FIRST_PAUSE
    while True:
        yield random.uniform(0, longest)  # noqa: S311 - full jitter, no secret
        longest = min(2 * longest, LONGEST_PAUSE)


@contextmanager
def lost_when_closed() -> Iterator[None]:
    """Make uvloop's RuntimeError, which says that a connection was reset while it was greeted, one of redis-py's."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionLost(f"the connection was closed at once ({error})", maybe_ran=False) from None


def _fate(*, maybe_ran: bool) -> str:
    return "it may have run" if maybe_ran else "it did not run"
