"""A command on its way over the shared lane: a plain tuple, because a hundred thousand of them are made in a second."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ExecAbortError, ReadOnlyError

from redyard.client.failures import NOT_YET
from redyard.client.routes import READS, full_name

SAFE = 1
"""The command may be sent again after it was sent: it only reads, or its caller declared it idempotent."""

RAW = 2
"""The reply is not decoded, whatever the client decodes otherwise."""

TRIED = 4
"""A server that takes no writes refused the command, and it was sent once more since."""

SENT = 8
"""The command waits to be sent again; the first time it may have run."""

Words = tuple[Any, ...]

Call = tuple[Any, Words, float, int]
"""Its sink (a future, or its batch), its words, the time of the loop's clock when its caller gives up, its flags."""


class Batch:
    """Collects the replies of commands that were sent as one; an error reply is one of them."""

    def __init__(self, future: "asyncio.Future[list[Any]]", calls: Sequence[tuple[Words, int]]) -> None:
        self.calls = calls
        self._future = future
        self._replies: list[Any] = []
        self._elsewhere: tuple[int, Callable[[int], None]] | None = None

    def set_result(self, reply: Any) -> None:
        """Take the next reply; the last one ends the wait, unless the rest goes elsewhere."""
        self._replies.append(reply)
        if (
            len(self._replies) == len(self.calls)
            and not self._future.done()
            and not (self._elsewhere and self._gone(*self._elsewhere))
        ):
            self._future.set_result(self._replies)

    set_exception = set_result

    def go_elsewhere(self, send: Callable[[int], None]) -> None:
        """Let the commands from the next reply on be sent again when all have come: they are refused, and did not run.

        Args:
            send: sends the calls from a place on.
        """
        self._elsewhere = self._elsewhere or (len(self._replies), send)

    def _gone(self, start: int, send: Callable[[int], None]) -> bool:
        """Send the rest; not if something of it ran after all that may not run twice."""
        self._elsewhere = None
        if isinstance(self._replies[-1], ExecAbortError):
            start = 0  # a transaction runs as a whole
        elif any(
            not isinstance(reply, ReadOnlyError) and full_name(call[0]) not in READS
            for call, reply in zip(self.calls[start:], self._replies[start:], strict=True)
        ):
            return False
        del self._replies[start:]
        send(start)
        return True

    def served(self) -> bool:
        """Say whether all was answered, and no write refused."""
        return _served(self._future) and not any(isinstance(reply, ReadOnlyError) for reply in self._replies)

    def turned_away(self, last: Exception) -> bool:
        """Say whether this is the last reply and shows that nothing ran, but soon may; then forget all replies."""
        if len(self._replies) + 1 < len(self.calls):
            return False
        others = self._replies
        if isinstance(last, ExecAbortError):  # of a transaction: what was refused, amid OK and QUEUED
            others = [reply for reply in others if isinstance(reply, Exception)]
        elif not isinstance(last, NOT_YET):
            return False
        nothing_ran = all(isinstance(reply, NOT_YET) for reply in others)
        if nothing_ran:
            self._replies = []
        return nothing_ran

    def done(self) -> bool:
        """Say whether nobody waits any more."""
        return self._future.done()

    def give_up(self, error: BaseException) -> None:
        """End the wait without the missing replies."""
        give_up(self._future, error)


def served(sink: Any) -> bool:
    """Say whether a caller has what he waited for."""
    return sink.served() if isinstance(sink, Batch) else _served(sink)


def _served(future: "asyncio.Future[Any]") -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def give_up(sink: Any, error: BaseException) -> None:
    """End a caller's wait by an error that is no reply. A caller who has gone is left alone."""
    if isinstance(sink, Batch):
        sink.give_up(error)
    elif not sink.done():
        sink.set_exception(error)
        sink.exception()  # seen: a caller who is cancelled in this very moment never looks, and asyncio would log it
