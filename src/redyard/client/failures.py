"""How a command can fail without an answer: redis-py's errors, with the one thing that a caller must know."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004 - redis-py's names


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


@contextmanager
def lost_when_closed() -> Iterator[None]:
    """Make uvloop's RuntimeError, which says that a connection was reset while it was greeted, one of redis-py's."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionLost(f"the connection was closed at once ({error})", maybe_ran=False) from None


def _fate(*, maybe_ran: bool) -> str:
    return "it may have run" if maybe_ran else "it did not run"
