"""A command on its way over the shared lane: a plain tuple, because a hundred thousand of them are made in a second."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ExecAbortError

from redyard.client.failures import NOT_YET

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

    def set_result(self, reply: Any) -> None:
        """Take the next reply; the last one ends the wait."""
        self._replies.append(reply)
        if len(self._replies) == len(self.calls) and not self._future.done():
            self._future.set_result(self._replies)

    set_exception = set_result

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


def give_up(sink: Any, error: BaseException) -> None:
    """End a caller's wait by an error that is no reply. A caller who has gone is left alone."""
    if isinstance(sink, Batch):
        sink.give_up(error)
    elif not sink.done():
        sink.set_exception(error)
        sink.exception()  # seen: a caller who is cancelled in this very moment never looks, and asyncio would log it
