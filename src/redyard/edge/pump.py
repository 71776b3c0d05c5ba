"""Two connections joined: what one receives the other sends. Neither buffers more than a little for a slow reader."""

import asyncio
from collections.abc import Callable
from typing import cast

HIGH = 256 * 1024
"""Bytes that wait for a reader, beyond which the other side is not read any more."""

LINGER = 5.0
"""Seconds that a reader has to take its last bytes, once the other side has ended."""


class End(asyncio.Protocol):
    """One of two joined connections. Until it is joined it is not read."""

    transport: asyncio.Transport

    def __init__(self, lost: Callable[["End"], None] = lambda _: None) -> None:
        self.peer: End | None = None
        self.is_lost = False
        self._lost = lost
        self._early = b""
        self._ended = False
        self._last: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the other side."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH)
        self.transport.pause_reading()

    def join(self, peer: "End") -> None:
        """Let both sides speak."""
        self.peer, peer.peer = peer, self
        for end in (self, peer):
            end.begin()

    def begin(self) -> None:
        """Hand over what came before there was another side, and read on."""
        assert self.peer is not None
        if self._early:
            self.peer.transport.write(self._early)
            self._early = b""
        if self.peer.is_lost:
            self.bereave()
        elif self._ended:
            self.eof_received()
        else:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if self.peer is None:
            self._early += data  # no more than what was read before the pause
        elif not self.peer.is_lost:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """End the other direction: an engine answers what it has read, then it closes; a client gets all, then the end.

        Return whether this side stays open for what is still to come.
        """
        self._ended = True
        if self.peer is None:
            return True
        if self.peer.transport.can_write_eof() and not self.peer.transport.is_closing():
            self.peer.transport.write_eof()
            return True
        self.peer.finish()
        return False

    def pause_writing(self) -> None:
        """Let the other side wait: this one reads slowly."""
        if self.peer is not None and not self.peer.transport.is_closing():
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read the other side again."""
        if self.peer is not None and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def finish(self, last: bytes = b"") -> None:
        """End the connection once what waits is sent, or after a while all the same."""
        if self.is_lost or self._last:
            return
        if last:
            self.transport.write(last)
        self._last = asyncio.get_running_loop().call_later(LINGER, self.transport.abort)
        self.transport.close()

    def bereave(self) -> None:
        """Go on without the other side: an engine reads to the end what the client sent, its answers are nobody's."""
        if self.is_lost or not self.transport.can_write_eof():
            self.finish()
        elif not self._last:
            self._last = asyncio.get_running_loop().call_later(LINGER, self.transport.abort)
            self.transport.write_eof()
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End the other side, too."""
        self.is_lost = True
        if self._last:
            self._last.cancel()
        if self.peer is not None:
            self.peer.bereave()
        self._lost(self)
