"""A client's end: TLS over memory, by the standard library's OpenSSL.

asyncio's own would throw away the alert by which a client learns why it was refused, and cannot close one direction.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress

from redyard.edge.pump import End

READ = 16384
"""Bytes that are decrypted at a time: a record has no more. (Python makes room for all of them at each read.)"""

HANDSHAKE = 0x16
"""The first byte of a client that speaks TLS."""

PLAIN = b"-ERR this port speaks TLS: write rediss:// instead of redis://\r\n"


class SpeaksPlain(ssl.SSLError):
    """The client sent no TLS."""


class Client(End):
    """An accepted connection. `shaken` is done once hands were shaken, or failed with the reason."""

    def __init__(self, context: ssl.SSLContext, lost: Callable[[End], None]) -> None:
        super().__init__(lost)
        self.shaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._is_new = True
        self._is_open = False
        self._is_refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake."""
        super().connection_made(transport)
        self.read_on()

    def begin(self) -> None:
        """Pass on what came before there was an engine, and read on."""
        self._decrypt()
        super().begin()

    def data_received(self, data: bytes) -> None:
        """Shake hands, or decrypt."""
        if self._is_refused:
            return
        self._in.write(data)
        if self._is_open:
            self._decrypt()
        elif self._is_new and data[0] != HANDSHAKE:
            self.transport.write(PLAIN)
            self._fail(SpeaksPlain("it speaks plain"))
        else:
            self._is_new = False
            self._shake()

    def send(self, data: bytes) -> None:
        """Encrypt and send."""
        if not self._said_all:
            self._tls.write(data)
            self.transport.write(self._out.read())

    def end(self) -> None:
        """Send nothing more: the client closes now, or is closed in a while."""
        if self._is_open and not self._said_all:
            with suppress(ssl.SSLError):  # it would wait for the client's own end
                self._tls.unwrap()
            self._flush()
        super().end()
        self.expire()

    def refuse(self, last: bytes = b"") -> None:
        """Send a last word and end; what still comes is thrown away, so that the word is not lost to a reset."""
        if last and self._is_open:
            self.send(last)
        self._is_refused = True
        self.end()
        self.read_on()

    def eof_received(self) -> bool:
        """Note an end without a farewell, as many clients part."""
        if not self.shaken.done():
            self.shaken.set_exception(ConnectionError("it went away"))
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        if not self.shaken.done():
            self.shaken.set_exception(exc or ConnectionError("it went away"))
        super().connection_lost(exc)

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # the alert that says why
            self._fail(error)
        else:
            self._is_open = True
            self.transport.pause_reading()
            self._flush()
            if not self.shaken.done():
                self.shaken.set_result(None)

    def _fail(self, error: ssl.SSLError) -> None:
        if not self.shaken.done():
            self.shaken.set_exception(error)
        self.refuse()

    def _decrypt(self) -> None:
        """Pass on what is whole; the rest waits for more."""
        if self.peer is None:
            return  # it waits, encrypted
        try:
            while True:
                data = self._tls.read(READ)
                if not data:  # the client's farewell
                    self.eof_received()
                    break
                self.peer.send(data)
                if not self._in.pending and not self._tls.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # the client's farewell, after ours
            self.eof_received()
        except ssl.SSLError:
            self.transport.abort()  # what came is not what was sent
            return
        self._flush()

    def _flush(self) -> None:
        if self._out.pending:
            self.transport.write(self._out.read())
