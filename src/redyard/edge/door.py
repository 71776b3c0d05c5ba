"""The door: it accepts clients, shakes hands within a deadline, keeps their number, and joins each with the engine."""

import asyncio
import errno
import logging
import socket
import ssl
import time
from typing import Any

from redyard.edge.client import Client
from redyard.edge.pump import LINGER, End
from redyard.edge.terms import Terms

LOGGER = logging.getLogger("redyard.edge")

SHAKE_WITHIN = 5.0
"""Seconds for a handshake; one takes a millisecond or two and some trips."""

MOST_SHAKING = 256
"""Handshakes at a time. Beyond it the oldest is given up: who is slow on purpose must not keep others out."""

WAIT_FOR_MOVE = 1.0
"""Seconds for which a new client waits while engines are exchanged."""

QUIET = 10.0
"""Seconds between two lines of the log about the same thing."""

FULL = b"-ERR max number of clients reached\r\n"


class Door:
    """Serves one listening socket until it is cancelled."""

    def __init__(self, listener: socket.socket, terms: Terms) -> None:
        self._listener = listener
        self._terms = terms
        self._loop = asyncio.get_running_loop()
        self._shaking: dict[asyncio.Task[None], None] = {}
        self._joining: set[asyncio.Task[None]] = set()
        self._clients: set[End] = set()
        self._said: dict[str, tuple[float, int]] = {}

    async def serve(self) -> None:
        """Accept clients for ever."""
        while True:
            try:
                client, (host, *_) = await self._loop.sock_accept(self._listener)
            except OSError as error:
                self._say(f"a client could not be accepted: {error.strerror}")
                await asyncio.sleep(0.1 if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM} else 0)
                continue
            if len(self._shaking) >= MOST_SHAKING:
                next(iter(self._shaking)).cancel()
            task = self._loop.create_task(self._admit(client, host))
            self._shaking[task] = None
            task.add_done_callback(self._settled)

    async def close(self) -> None:
        """End all connections; what waits to be sent is sent."""
        for task in [*self._shaking, *self._joining]:
            task.cancel()
        for client in list(self._clients):
            client.end()
        deadline = time.monotonic() + LINGER / 5
        while self._clients and time.monotonic() < deadline:  # noqa: ASYNC110 - the end of a process
            await asyncio.sleep(0.005)

    async def _admit(self, client: socket.socket, host: str) -> None:
        """Shake hands with a client, and give it its connection to the engine if there is room for one more."""
        if news := self._refreshed():
            self._say(news)
        _keep_alive(client)
        end = Client(self._terms.context, self._clients.discard)
        try:
            await self._loop.connect_accepted_socket(lambda: end, client)
            async with asyncio.timeout(SHAKE_WITHIN):
                await end.shaken
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self._say(f"no handshake with {host}: {_reason(error)}")
            if not isinstance(error, ssl.SSLError):  # it was told why
                end.transport.abort()
            return
        except asyncio.CancelledError:
            end.transport.abort()
            self._say(f"a handshake with {host} was given up: too many at a time")
            return
        if len(self._clients) >= self._terms.limit:
            self._say("the limit of clients is reached")
            end.refuse(FULL)
            return
        self._clients.add(end)
        task = self._loop.create_task(self._join(end))  # from here on it is no handshake any more
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _join(self, client: Client) -> None:
        """Connect a client with the engine; while engines are exchanged it waits for the next one."""
        deadline = time.monotonic() + WAIT_FOR_MOVE
        while self._terms.is_moving and time.monotonic() < deadline:  # noqa: ASYNC110 - a file tells it
            await asyncio.sleep(0.002)
        try:
            self._refreshed()
            engine = End()
            await self._loop.create_unix_connection(lambda: engine, self._terms.upstream)
        except OSError as error:
            self._say(f"the engine does not answer: {error.strerror}")
            client.end()
            client.read_on()
            return
        client.join(engine)

    def _refreshed(self) -> str:
        try:
            return self._terms.refresh()
        except (OSError, ValueError) as error:  # a directory that is being removed
            return f"the yard's files cannot be read: {error}"

    def _settled(self, task: "asyncio.Task[None]") -> None:
        self._shaking.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            LOGGER.error("a client was dropped by a fault", exc_info=error)

    def _say(self, what: str) -> None:
        """Write a line; the same one again only after a while, with how often it was true."""
        at, count = self._said.get(what, (0.0, 0))
        now = time.monotonic()
        if at and now - at < QUIET:
            self._said[what] = (at, count + 1)
            return
        if len(self._said) > 1000:  # many hosts
            self._said.clear()
        self._said[what] = (now, 0)
        LOGGER.info("%s%s", what, f" ({count} times more)" if count else "")


def listen(address: str, port: int) -> socket.socket:
    """Open the port at an address; `::` is all addresses of both kinds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.create_server(
        (address, port), family=family, backlog=511, dualstack_ipv6=address == "::" and socket.has_dualstack_ipv6()
    )
    made.setblocking(False)
    return made


def _keep_alive(client: socket.socket) -> None:
    """Find a client whose machine is gone within about two minutes, as engines do."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options: dict[str, Any] = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}
    for name, value in options.items():
        if hasattr(socket, name):
            client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or error).replace("_", " ").lower()
    return str(error) or "it took too long"
