"""Who comes to the yard's socket and how much: its owner and root alone, whole requests, soon, and not too many.

The socket's mode says the same of who; this holds when a directory's rights were opened by mistake. The rest keeps one
client that runs wild from taking the loop which watches the engines.
"""

import asyncio
import os

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from redyard.events import LOGGER
from redyard.yard.peer import Peer, peer_of

LARGEST_HEAD = 16_384
"""Bytes of a request's head."""

WITHIN = 3.0
"""Seconds for a request to come as a whole; the answer may take longer."""

MOST = 64
"""Connections at a time: a command has one, for as long as its call takes."""

RATE, BURST = 200.0, 400.0
"""Calls a second, and how many may come at one go. A call takes 1-2 ms of the yard."""


class Pace:
    """Lets so many through each second, and some more at one go. Times are those of a clock that never goes back."""

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self._rate, self._burst, self._left, self._at = rate, burst, burst, 0.0

    def wait(self, now: float) -> float:
        """Return 0 and count one, or the seconds until one may come."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


class Door(H11Protocol):
    """A connection to the yard; the app sees as its `client` the user's number and the process."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or close it without a word."""
        super().connection_made(transport)
        peer = peer_of(transport.get_extra_info("socket"))
        if problem := self._unwelcome(peer):
            LOGGER.warning("a connection to the yard's socket was refused: %s", problem)
            transport.abort()
            return
        if peer.uid is not None:
            self.client = (str(peer.uid), peer.pid or 0)
        self._expect()

    def on_response_complete(self) -> None:
        """Expect the next request."""
        super().on_response_complete()
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(WITHIN, self._late)

    def _late(self) -> None:
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self.transport.abort()

    def _unwelcome(self, peer: Peer) -> str:
        if peer.uid not in {None, 0, os.geteuid()}:  # None: the socket's mode must do
            return f"it is of the user {peer.uid}"
        return f"there are {MOST} already" if len(self.connections) > MOST else ""
