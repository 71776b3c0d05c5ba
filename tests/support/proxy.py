"""A TCP proxy that fails as networks do: it cuts, falls silent, trickles, refuses. Behind it stands a real engine.

Bytes pass unread. Whatever goes wrong is switched on by the test, at a byte or at once, and never by chance.
"""

import asyncio
from typing import Self

from tests.support.servers import Server

UP, DOWN = "up", "down"
"""From the client to the server, and back."""


class End(asyncio.Protocol):
    """One end of a connection; what it receives goes to the other end, as far as the proxy lets it."""

    transport: asyncio.Transport

    def __init__(self, proxy: "Proxy", direction: str, other: "End | None" = None) -> None:
        self.proxy = proxy
        self.direction = direction
        self.other = other
        self.waiting = b""
        self.lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.proxy.ends.add(self)
        if self.other is None:
            self.proxy.accepted(self)
        else:
            self.other.other = self
            self.other.pass_on()

    def data_received(self, data: bytes) -> None:
        idle = not self.waiting
        self.waiting += data
        if idle:
            self.pass_on()

    def pass_on(self) -> None:
        """Let go of what waits, unless the proxy holds it back; all at once, or a little at a time."""
        if self.other is None or self.lost or self.direction in self.proxy.held or self not in self.proxy.ends:
            return
        size, seconds = self.proxy.trickle.get(self.direction, (None, 0.0))
        data, self.waiting = self.waiting[:size], self.waiting[size:] if size else b""
        data, last = self.proxy.count(data, self.direction)
        if data and not self.other.transport.is_closing():
            self.other.transport.write(data)
        if last:
            self.proxy.cut(reset=False)
        elif self.waiting:
            asyncio.get_running_loop().call_later(seconds, self.pass_on)

    def pause_writing(self) -> None:
        if self.other:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other:
            self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self.proxy.ends.discard(self)
        if self.other:
            self.other.transport.close()


class Proxy:
    """Stands before the engine at `upstream`, which may be changed and then counts for the connections to come."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = 0
        self.connections = 0
        self.deaf = False
        self.ends: set[End] = set()
        self.held: set[str] = set()
        self.trickle: dict[str, tuple[int, float]] = {}
        self.passed = {UP: 0, DOWN: 0}
        self._left: dict[str, int] = {}
        self._server: asyncio.Server | None = None
        self._dials: set[asyncio.Task] = set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        for dial in self._dials:
            dial.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        while self.ends:
            self.cut()
            await asyncio.sleep(0)

    def url(self, server: Server) -> str:
        """Return a server's URL by way of the proxy."""
        return server.url.replace(f":{server.port}/", f":{self.port}/")

    @property
    def open(self) -> int:
        """Return how many clients are connected."""
        return sum(end.direction == UP for end in self.ends)

    async def listen(self) -> None:
        """Accept connections, at the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: End(self, UP), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Accept no connections; those that are open stay."""
        if self._server:
            self._server.close()
            self._server = None

    def cut(self, *, reset: bool = True) -> None:
        """End every connection: the server gets what has passed; so does the client, unless it gets a reset."""
        self._left.clear()
        for end in list(self.ends):
            if reset and end.direction == UP:
                end.transport.abort()
            else:
                end.transport.close()

    def part(self) -> None:
        """End the clients' connections; the server does not hear of it."""
        for end in [end for end in self.ends if end.direction == UP and end.other]:
            end.other.other = end.other = None
            end.transport.abort()

    def cut_after(self, size: int, direction: str) -> None:
        """End every connection once so many more bytes have passed in a direction."""
        self._left[direction] = size

    def hold(self, *directions: str) -> None:
        """Fall silent: connections stay and bytes wait."""
        self.held |= set(directions or (UP, DOWN))

    def lose(self) -> None:
        """Let the connections of this moment be half open: nobody hears of it, and nothing passes any more."""
        for end in self.ends:
            end.lost = True

    def release(self) -> None:
        """Let pass what waited, and what comes."""
        self.held.clear()
        self.trickle.clear()
        for end in list(self.ends):
            end.pass_on()

    # ---- for its ends

    def count(self, data: bytes, direction: str) -> tuple[bytes, bool]:
        """Count bytes that are about to pass; return those that may, and whether they are the last."""
        left = self._left.get(direction)
        data = data[:left]
        self.passed[direction] += len(data)
        if left is None:
            return data, False
        self._left[direction] = left - len(data)
        return data, left <= len(data)

    def accepted(self, end: End) -> None:
        """Count a client and connect it to the engine, unless nobody is to answer it."""
        self.connections += 1
        if not self.deaf:
            dial = asyncio.create_task(self._dial(end))
            self._dials.add(dial)
            dial.add_done_callback(self._dials.discard)

    async def _dial(self, end: End) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: End(self, DOWN, end), "127.0.0.1", self.upstream)
        except OSError:
            end.transport.abort()
