"""A raw connection that waits: for the deep look's hundred thousand questions, one after the other.

A turn of asyncio's loop takes longer than the server does for an answer, and a look that asks slowly must ask for more
at once.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterable
from typing import Any, Self

import hiredis

from redyard.doctor.line import ENDED, Trouble, packed
from redyard.doctor.target import Target

_WAIT = object()


class Wire:
    """A connection of one thread; another may close it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._parser = hiredis.Reader(notEnoughData=_WAIT)

    @classmethod
    def dial(cls, target: Target, address: str, context: ssl.SSLContext | None, within: float) -> Self:
        """Connect to one address of the target, and log in. No answer may take longer than so many seconds."""
        wire = cls(_connected(target, address, context, within))
        try:
            if target.password:
                wire.ask("AUTH", *([target.user] if target.user else []), target.password)
            if target.database:
                wire.ask("SELECT", target.database)
        except BaseException:
            wire.close()
            raise
        return wire

    @property
    def near(self) -> bool:
        """Say whether the server is on this machine."""
        place = self._socket.getsockname()
        return not isinstance(place, tuple) or place[0] == self._socket.getpeername()[0]

    @property
    def heard_on(self) -> int:
        """Return the processor that brought the last answer, a near server's own; -1 where the system cannot say."""
        try:
            return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_INCOMING_CPU)
        except (AttributeError, OSError):
            return -1

    def ask(self, *words: object) -> Any:
        """Send one command and return its reply, or raise Trouble."""
        (reply,) = self.ask_many([words])
        if isinstance(reply, hiredis.ReplyError):
            raise Trouble.refused(reply)
        return reply

    def ask_many(self, commands: Iterable[Iterable[object]]) -> list[Any]:
        """Send commands as one and return their replies, errors among them; raise TimeoutError or Trouble without."""
        sent = [packed(words) for words in commands]
        try:
            self._socket.sendall(b"".join(sent))
            return [self._reply() for _ in sent]
        except TimeoutError:
            raise
        except OSError as error:
            raise Trouble("closed", f"the connection was closed ({type(error).__name__})") from None

    def _reply(self) -> Any:
        while (reply := self._parser.gets()) is _WAIT:
            if not (data := self._socket.recv(65536)):
                raise Trouble("closed", ENDED)
            self._parser.feed(data)
        return reply

    def close(self) -> None:
        """End it at once; who waits for an answer gets Trouble."""
        with contextlib.suppress(OSError):  # it was over already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _connected(target: Target, address: str, context: ssl.SSLContext | None, within: float) -> socket.socket:
    if target.path:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(within)
        made.connect(target.path)
        return made
    made = socket.create_connection((address, target.port), within)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(made, server_hostname=target.host) if context else made
