"""TLS between a transport and a protocol, over memory (`ssl.MemoryBIO`): what asyncio's own does, for less CPU.

asyncio's makes room for 256 KiB at each read, reads until an exception says that there is no more, and goes through a
queue for each write: more than what OpenSSL itself takes for a small command. It also waits up to 30 s for the farewell
of a server that is gone.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Any, cast

RECORD = 16384
"""Bytes that are decrypted at a time: a record has no more. (Python makes room for all of them at each read.)"""

Bytes = bytes | bytearray | memoryview


class Tls(asyncio.Transport, asyncio.Protocol):
    """The protocol of a plain transport, and the transport of a protocol.

    `shaken` is done once hands were shaken, and has failed with the reason where they were not.
    """

    def __init__(self, context: ssl.SSLContext, host: str, above: asyncio.Protocol) -> None:
        super().__init__()
        self.shaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.shaken.add_done_callback(lambda done: done.cancelled() or done.exception())  # or it would complain
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._raw: asyncio.Transport
        self._above = above
        self._trouble: Exception | None = None
        self._is_open = self._is_closing = False

    # ---- below: the protocol of the plain transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._raw = cast("asyncio.Transport", transport)
        self._shake()

    def data_received(self, data: bytes) -> None:
        """Shake hands, or decrypt and pass on each whole record; OpenSSL keeps what there is of another. (Hot.)"""
        waiting = self._in
        waiting.write(data)
        if not self._is_open:
            self._shake()
            return
        try:
            while waiting.pending:
                if not (found := self._tls.read(RECORD)):  # the server's farewell
                    self._end()
                    return
                self._above.data_received(found)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:  # an alert, or what came is not what was sent
            self._trouble = error
            self.abort()
            return
        if self._out.pending:  # an answer to a change of keys
            self._raw.write(self._out.read())

    def eof_received(self) -> bool:
        """Pass on an end without a farewell; the transport then closes."""
        self._end()
        return False

    def pause_writing(self) -> None:
        """Pass it on."""
        self._above.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._above.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, with the reason where there is one."""
        self._is_closing = True
        self._fail(exc or ConnectionResetError("the server closed the connection during the handshake"))
        if self._is_open:
            self._above.connection_lost(self._trouble or exc)

    # ---- above: the transport of the protocol

    def write(self, data: Bytes) -> None:
        """Encrypt and send. (Hot.)"""
        if data and not self._is_closing:
            done = self._tls.write(data)
            if done < len(data):  # OpenSSL may write by the record; all that there is, it has room for
                rest = memoryview(data)
                while rest := rest[done:]:
                    done = self._tls.write(rest)
            self._raw.write(self._out.read())

    def close(self) -> None:
        """Say farewell, send what waits, and close."""
        if self._is_closing:
            return
        self._is_closing = True
        with suppress(ssl.SSLError):  # it would wait for the server's own
            self._tls.unwrap()
        self._flush()
        self._raw.close()

    def abort(self) -> None:
        """Close at once."""
        self._is_closing = True
        self._raw.abort()

    def is_closing(self) -> bool:
        """Say whether it is closed, or about to be."""
        return self._is_closing or self._raw.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol get what comes."""
        self._above = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who gets what comes."""
        return self._above

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a fact of the handshake, or of the connection below."""
        if name == "peercert":
            return self._tls.getpeercert()
        if name == "cipher":
            return self._tls.cipher()
        own = {"sslcontext": self._tls.context, "ssl_object": self._tls}
        return own[name] if name in own else self._raw.get_extra_info(name, default)

    def can_write_eof(self) -> bool:
        """Say that one direction cannot be closed alone."""
        return False

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._raw.resume_reading()

    def is_reading(self) -> bool:
        """Say whether it reads."""
        return self._raw.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when a protocol is asked to write no more."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._raw.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return when a protocol is asked to write no more, and to write again."""
        return self._raw.get_write_buffer_limits()

    # ---- steps

    def _shake(self) -> None:
        if self._is_closing:
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # the alert that says why
            self._fail(error)
            self._is_closing = True
            self._raw.close()
        else:
            self._flush()
            self._is_open = True
            self._above.connection_made(self)
            if not self.shaken.done():
                self.shaken.set_result(None)
            self.data_received(b"")  # what came with the end of the handshake

    def _fail(self, error: Exception) -> None:
        if not self.shaken.done():
            self.shaken.set_exception(error)

    def _end(self) -> None:
        """Nothing more comes."""
        if self._is_open and not self._is_closing:
            self._above.eof_received()
            self.close()

    def _flush(self) -> None:
        if self._out.pending:
            self._raw.write(self._out.read())


async def connect(host: str, port: int, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, shake hands, and return streams, as `asyncio.open_connection` does."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    streams = asyncio.StreamReaderProtocol(reader, loop=loop)
    _, tls = await loop.create_connection(lambda: Tls(context, host, streams), host, port)
    try:
        await tls.shaken
    except BaseException:
        tls.abort()
        raise
    return reader, asyncio.StreamWriter(tls, streams, reader, loop)
