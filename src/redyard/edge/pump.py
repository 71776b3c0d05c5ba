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
        self._heard_all = False
        self._said_all = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the other side."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH)
        self.transport.pause_reading()

    def join(self, peer: "End") -> None:
        """Let both sides speak."""
        self.peer, peer.peer = peer, self
        for end, other in ((self, peer), (peer, self)):
            if other.is_lost:
                end.end()
                end.expire()
            end.begin()

    def begin(self) -> None:
        """Hand over what came before there was another side, and read on."""
        early, self._early = self._early, b""
        if early:
            self.data_received(early)
        if self._heard_all and self.peer is not None:
            self.peer.end()
        self.read_on()

    def send(self, data: bytes) -> None:
        """Send what the other side received."""
        if not self._said_all:
            self.transport.write(data)

    def end(self) -> None:
        """Send nothing more. Answers to what was sent still come; then the connection closes."""
        if self.is_lost or self._said_all:
            return
        self._said_all = True
        self.transport.write_eof()
        if self._heard_all:
            self.transport.close()

    def expire(self) -> None:
        """Close it soon, whatever its reader does."""
        if self._timer is None and not self.is_lost:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self.transport.abort)

    def read_on(self) -> None:
        """Read it, or go on."""
        if not self.is_lost and not self.transport.is_closing():
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if self.peer is None:
            self._early += data  # no more than what was read before the pause
        else:
            self.peer.send(data)

    def eof_received(self) -> bool:
        """Pass on that nothing more comes; say that this side stays open, for what is still to be sent to it."""
        self._heard_all = True
        if self.peer is not None:
            self.peer.end()
        if self._said_all:
            self.transport.close()
        return True

    def pause_writing(self) -> None:
        """Let the other side wait: this one reads slowly."""
        if self.peer is not None and not self.peer.is_lost and not self.peer.transport.is_closing():
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read the other side again."""
        if self.peer is not None:
            self.peer.read_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End the other side: an engine reads to the end what it was sent, a client takes its last bytes."""
        self.is_lost = self._said_all = True
        if self._timer:
            self._timer.cancel()
        if self.peer is not None and not self.peer.is_lost:
            self.peer.end()
            self.peer.expire()
            self.peer.read_on()
        self._lost(self)
