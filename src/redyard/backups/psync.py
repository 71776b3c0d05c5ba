"""Being a replica: the handshake, the dump, and the stream of writes, byte for byte, from a server that knows no
better.

The stream has the form of an append-only file. A replica acknowledges each second how far it is; the server keeps what
was not acknowledged for a while (its backlog), so that a cut is followed by the next byte and not by a new dump.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url

from redyard.client.secure import Insecure, terms_of
from redyard.errors import CannotFollow, FollowRefused

PART = 256 * 1024
"""Bytes that are read at a time. What is not read stays with the server: memory here is bounded at any rate."""

PATIENCE = 30.0
"""Seconds without a byte, heart-beats included, after which the server is given up; it sends one each 10 s."""

MARK = 40
"""Bytes of the mark that ends a dump of unknown size."""

_FORBIDDEN = re.compile(
    rb"NOPERM|unknown command|not allowed|not supported|not permitted|disabled|denied", re.IGNORECASE
)
"""What a server says that will not be followed by this user at any time, in its makers' various words."""

_WHOLE = re.compile(rb"\+FULLRESYNC ([0-9a-zA-Z]{1,64}) (\d{1,18})")
_FURTHER = re.compile(rb"\+CONTINUE(?: ([0-9a-zA-Z]{1,64}))?")
_SIZE = re.compile(rb"\$(?:\d{1,18}|EOF:[^\r\n]{40})")


class Source(NamedTuple):
    """A server to follow; `password` never appears in a text.

    `path` tells where its Unix socket is at the moment, and is taken instead of host and port.
    """

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None
    path: Callable[[], Path] | None = None

    def __repr__(self) -> str:
        return f"Source({self.host}:{self.port})"

    @classmethod
    def of(cls, url: str, **papers: str) -> Self:
        """Return the server at an address that was checked; raise FollowRefused for certificates that are unusable.

        Args:
            papers: files for TLS by redis-py's names, such as `ssl_ca_certs`; what the address names counts before.
        """
        options: dict[str, Any] = papers | parse_url(url)
        try:
            tls = terms_of(options) if options.get("connection_class") is SSLConnection else None
        except Insecure as error:
            raise FollowRefused(reason=str(error)) from None
        host, port = options.get("host", "localhost"), options.get("port", 6379)
        path = Path(options["path"]) if "path" in options else None
        login = options.get("username", ""), options.get("password", "")
        return cls(host, port, *login, tls, (lambda: path) if path else None)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        if self.path:
            return await asyncio.open_unix_connection(str(self.path()), limit=PART)
        return await asyncio.open_connection(self.host, self.port, ssl=self.tls, limit=PART)


class Position(NamedTuple):
    """How far the stream was read: the history's name (the server's replication id), and the bytes since."""

    history: str
    offset: int


class Replica:
    """A connection that the server takes for a replica's. First `dump` if it is `whole`, then `stream`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.position = Position("?", -1)
        self.whole = False
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, source: Source, known: Position | None = None, *, within: float = PATIENCE) -> Self:
        """Connect, greet, and ask to go on at a position, or for everything; raise what hinders that."""
        async with asyncio.timeout(within):
            reader, writer = await source.dial()
            made = cls(reader, writer)
            try:
                await made._greet(source)
                await made._ask(known)
            except BaseException:
                await made.close()
                raise
        return made

    async def dump(self) -> AsyncIterator[bytes]:
        """Yield the dump (an RDB file) in parts."""
        size = await self._line()
        if not _SIZE.fullmatch(size):
            raise FollowRefused(reason=f"it answered {_show(size)} where a dump should begin")
        if not size.startswith(b"$EOF:"):
            left = int(size[1:])
            while left:
                part = await self._read(min(PART, left))
                left -= len(part)
                yield part
            return
        mark, held = size[5 : 5 + MARK], b""
        while True:
            held += await self._read(PART)
            if held.endswith(mark):
                yield held[:-MARK]
                return
            yield held[:-MARK]
            held = held[-MARK:]

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the stream as it comes; `position` has moved behind each part when it is yielded."""
        while True:
            part = await self._read(PART)
            self.position = self.position._replace(offset=self.position.offset + len(part))
            yield part

    def acknowledge(self, offset: int) -> None:
        """Tell the server that everything up to an offset is safe here: at once after the dump, then each second.

        Before it has heard this after a dump, the server sends no stream.
        """
        if not self._writer.transport.is_closing():
            self._writer.write(hiredis.pack_command(cast("Any", ("REPLCONF", "ACK", str(offset)))))

    async def close(self) -> None:
        """End the connection at once: by TLS, asyncio would wait for the server's farewell, and nothing is unsent."""
        self._writer.transport.abort()

    async def _greet(self, source: Source) -> None:
        if source.password:
            words = ("AUTH", source.user, source.password) if source.user else ("AUTH", source.password)
            await self._call(*words)
        await self._call("PING")
        await self._call("REPLCONF", "listening-port", "0")
        await self._call("REPLCONF", "capa", "eof", "capa", "psync2")

    async def _ask(self, known: Position | None) -> None:
        history, after = (known.history, known.offset + 1) if known else ("?", -1)
        answer = await self._call("PSYNC", history, str(after))
        if whole := _WHOLE.fullmatch(answer):
            self.position, self.whole = Position(whole[1].decode(), int(whole[2])), True
        elif known and (further := _FURTHER.fullmatch(answer)):
            self.position = Position(further[1].decode() if further[1] else known.history, known.offset)
        else:
            raise FollowRefused(reason=f"it answered {_show(answer)} to PSYNC")

    async def _call(self, *words: str) -> bytes:
        self._writer.write(hiredis.pack_command(cast("Any", words)))
        answer = await self._line()
        if answer.startswith(b"-"):
            if words[0] in {"REPLCONF", "PSYNC"} and _FORBIDDEN.search(answer):
                raise CannotFollow(reason=f"it answered {words[0]} with {_show(answer[1:])}")
            raise FollowRefused(reason=f"it answered {words[0]} with {_show(answer[1:])}")
        return answer

    async def _line(self) -> bytes:
        """Read a line; empty ones are heart-beats."""
        while True:
            async with asyncio.timeout(PATIENCE):
                line = await self._reader.readuntil(b"\n")
            if line := line.strip():
                return line

    async def _read(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            part = await self._reader.read(count)
        if not part:
            raise ConnectionResetError("the server closed the connection")
        return part


def _show(answer: bytes) -> str:
    return repr(answer[:100].decode(errors="replace"))
