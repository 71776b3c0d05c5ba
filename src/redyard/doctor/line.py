"""One raw connection: words out, replies in. No greeting, no retries: what the server says is what is examined."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from typing import Any, Self

import hiredis

from redyard.doctor.target import Target

_WAIT = object()

ENDED = "the connection was closed without an answer"


class Trouble(Exception):
    """A question without an answer. `fault` is the server's first word, or one of ours in lower case."""

    def __init__(self, fault: str, said: str) -> None:
        super().__init__(said)
        self.fault = fault
        self.said = said
        self.facts: dict[str, str] = {}

    @classmethod
    def refused(cls, error: hiredis.ReplyError) -> Self:
        """Return what an error of the server says."""
        said = str(error)
        return cls(said.partition(" ")[0], said)


class Line:
    """A connection; after a deadline or a broken reply it is over, because replies would no longer match."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = hiredis.Reader(notEnoughData=_WAIT)
        self._first = b""
        self._over: Trouble | None = None

    @classmethod
    async def dial(cls, target: Target, address: str, context: ssl.SSLContext | None = None) -> Self:
        """Connect to one address of the target."""
        if target.path:
            return cls(*await asyncio.open_unix_connection(target.path))
        name = target.host if context else None
        return cls(*await asyncio.open_connection(address, target.port, ssl=context, server_hostname=name))

    @property
    def certificate(self) -> dict[str, Any]:
        """Return the server's certificate, empty where it was not verified."""
        return self._writer.get_extra_info("peercert") or {}

    async def ask(self, *words: object) -> Any:
        """Send one command and return its reply, or raise Trouble."""
        (reply,) = await self.ask_many([words])
        if isinstance(reply, hiredis.ReplyError):
            raise Trouble.refused(reply)
        return reply

    async def ask_many(self, commands: Iterable[Iterable[object]]) -> list[Any]:
        """Send commands as one and return their replies, errors among them."""
        made = [packed(words) for words in commands]
        return await self.ask_packed(b"".join(made), len(made))

    async def ask_packed(self, packed: bytes, count: int) -> list[Any]:
        """Send so many commands that are already in the protocol's form, and return their replies."""
        if self._over:
            raise self._over
        self._over = Trouble("silent", "no answer within the deadline")  # unless all of it comes
        try:
            self._writer.write(packed)
            replies = await self._replies(count)
        except Trouble as trouble:
            self._over = trouble
            raise
        except (OSError, EOFError) as error:
            self._over = Trouble("closed", f"the connection was closed ({type(error).__name__})")
            raise self._over from None
        self._over = None
        return replies

    async def _replies(self, count: int) -> list[Any]:
        replies: list[Any] = []
        gets = self._parser.gets
        while len(replies) < count:
            try:
                reply = gets()
            except hiredis.ProtocolError:
                raise Trouble("not-redis", _printable(self._first)) from None
            if reply is not _WAIT:
                replies.append(reply)
                continue
            data = await self._reader.read(65536)
            if not data:
                raise Trouble("closed", ENDED)
            self._first = self._first or data[:80]
            self._parser.feed(data)
        return replies

    async def close(self) -> None:
        """End it at once."""
        self._writer.transport.abort()
        with contextlib.suppress(Exception):  # whatever was wrong with the connection, it is over
            await self._writer.wait_closed()


def packed(words: Iterable[object]) -> bytes:
    """Return a command in the protocol's form."""
    made: bytes = hiredis.pack_command(tuple(map(_word, words)))  # type: ignore[arg-type]
    return made


def _word(word: object) -> bytes | str:
    return word if isinstance(word, bytes) else str(word)


def _printable(data: bytes) -> str:
    line = data.splitlines()[0] if data.splitlines() else b""
    return line[:60].decode("ascii", "backslashreplace")
