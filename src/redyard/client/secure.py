"""TLS of the kit: terms that follow their files, and every way in which a handshake fails, as a table with words.

The doctor reads the same table. Verification is on unless an address turns it off; with an authority's file, that
authority alone is trusted.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

from redis.asyncio.connection import SSLConnection
from redis.exceptions import ConnectionError, InvalidResponse  # noqa: A004 - redis-py's name

from redyard.client import tls

PROBE_WITHIN = 0.7
"""Seconds for a look at what a port speaks; on a way that is slower the look tells nothing."""

SUSPICIOUS = 4
"""After this part of the time-out a handshake that goes on looks whether the port speaks plain: that waits for ever."""


class Fault(NamedTuple):
    """A row: its name, what it means, what to do; and how OpenSSL tells it, by verify codes or reasons."""

    name: str
    meaning: str
    remedy: str
    codes: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()


UNKNOWN = Fault(
    "unknown-authority",
    "its certificate is signed by an authority that is not trusted here",
    "Name the server's authority in REDIS_CA_FILE; never switch verification off.",
    codes=(2, 7, 18, 19, 20, 21, 24, 30),
)
EXPIRED = Fault(
    "expired", "its certificate has expired", "Renew it at the server (`redyard tls renew NAME`).", codes=(10,)
)
EARLY = Fault(
    "not-yet-valid",
    "its certificate is not valid yet",
    "Set the clock of this machine, or of the one that made the certificate.",
    codes=(9,),
)
OTHER_NAME = Fault(
    "wrong-name",
    "its certificate is not for the host in the address",
    "Write the address with a name that the certificate is for; `redyard doctor` lists them.",
    codes=(62, 63, 64),
)
NO_SERVER = Fault(
    "wrong-purpose", "its certificate is not one for servers", "Give the server a certificate for servers.", codes=(26,)
)
PLAIN = Fault("plain", "the port speaks plain Redis", "Write redis:// instead of rediss://.")
ENCRYPTED = Fault("tls", "the port speaks TLS", "Write rediss:// instead of redis://.")
OLD = Fault(
    "old-protocol",
    "the two sides have no version of TLS in common",
    "Let the server speak TLS 1.2 or 1.3; older ones are broken.",
    reasons=("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW"),
)
NO_CERTIFICATE = Fault(
    "client-certificate",
    "the server wants a certificate of this client, and it has none",
    "Name it in REDIS_CERT_FILE (and its key in REDIS_KEY_FILE); `redyard vars` prints both.",
    reasons=("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"),
)
REFUSED = Fault(
    "client-refused",
    "the server does not accept the certificate of this client",
    "Take the one that the server's authority signed, and that has not ended: `redyard vars` names it.",
    reasons=(
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_DECRYPT_ERROR",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    ),
)
FILE = Fault(
    "unreadable-file",
    "a file of the TLS settings cannot be used",
    "Look at REDIS_CA_FILE, REDIS_CERT_FILE and REDIS_KEY_FILE: each names a PEM file that this process can read.",
    reasons=("NO_START_LINE", "NO_CERTIFICATE_OR_CRL_FOUND", "KEY_VALUES_MISMATCH", "BAD_BASE64_DECODE"),
)
TABLE = (UNKNOWN, EXPIRED, EARLY, OTHER_NAME, NO_SERVER, PLAIN, ENCRYPTED, OLD, NO_CERTIFICATE, REFUSED, FILE)

NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
"""Reasons of an answer that is no TLS; whether it is plain Redis, a look tells."""


class Insecure(OSError):
    """A handshake that failed for a reason which the next attempt would meet again."""

    def __init__(self, fault: Fault, said: str = "") -> None:
        self.fault = fault
        super().__init__(f"{fault.meaning}{said and f' ({said})'}; nothing was sent. {fault.remedy}")


class NotSecured(ConnectionError):
    """No connection, for a reason of TLS which the next attempt would meet again. The command did not run."""

    maybe_ran = False


def classify(error: BaseException) -> Fault | None:
    """Return the row of an error of TLS, if there is one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return next((row for row in TABLE if error.verify_code in row.codes), UNKNOWN)
    if isinstance(error, ssl.SSLError):
        return next((row for row in TABLE if getattr(error, "reason", None) in row.reasons), None)
    return None


def words(error: BaseException) -> str:
    """Return what OpenSSL says, without the place in its source."""
    text = str(getattr(error, "verify_message", "") or getattr(error, "reason", "") or error)
    prefix = "certificate verify failed: " if isinstance(error, ssl.SSLCertVerificationError) else ""
    return prefix + text


class Secured(SSLConnection):
    """redis-py's connection with TLS; its terms are those of the files as they are now, and its errors have words."""

    async def _connect(self) -> None:
        connecting = asyncio.ensure_future(self._shake_hands())
        connecting.add_done_callback(lambda task: task.cancelled() or task.exception())  # or it would complain
        try:
            done, _ = await asyncio.wait({connecting}, timeout=(self.socket_timeout or 4.0) / SUSPICIOUS)
            if not done and await speaks_plain(self.host, self.port):
                raise Insecure(PLAIN)
            await connecting
        except ssl.SSLError as error:
            raise await self._explained(error) from error
        finally:
            connecting.cancel()

    async def _shake_hands(self) -> None:
        """Do what redis-py's own does, but for its TLS."""
        async with asyncio.timeout(self.socket_connect_timeout):
            reader, writer = await tls.connect(self.host, self.port, terms(self.ssl_context))
        try:
            _keep_alive(
                writer.get_extra_info("socket"), cast("Any", self).socket_keepalive_options, on=self.socket_keepalive
            )
        except (OSError, TypeError):  # options that there are not
            writer.close()
            raise
        self._reader, self._writer = reader, writer

    def _error_message(self, exception: BaseException) -> str:
        if isinstance(exception, Insecure):
            return _sentence(exception, self.host, self.port)
        return str(super()._error_message(exception))

    async def _explained(self, error: ssl.SSLError) -> OSError:
        if fault := classify(error):
            return Insecure(fault, words(error))
        if getattr(error, "reason", None) in NOT_TLS and await speaks_plain(self.host, self.port):
            return Insecure(PLAIN)
        return error


def _keep_alive(line: socket.socket, options: Mapping[int, int], *, on: bool) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if on:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            line.setsockopt(socket.SOL_TCP, name, value)


async def explained(error: Exception, options: Mapping[str, Any], *, encrypted: bool) -> Exception:
    """Return an error of connecting that says more, where a closed connection has to do with TLS; else the same one.

    Args:
        error: what redis-py raised.
        options: those of the connection.
        encrypted: whether it spoke TLS.
    """
    host, port = options.get("host"), options.get("port", 6379)
    if isinstance(error.__context__, Insecure):
        return NotSecured(*error.args)
    closed = (
        isinstance(error, InvalidResponse) or type(error) is ConnectionError or ENCRYPTED.meaning[-10:] in str(error)
    )
    if not host or not closed or isinstance(error.__context__, ConnectionRefusedError | socket.gaierror):
        return error
    if encrypted:
        found = await objection(host, port, terms_of(options))
    else:
        found = Insecure(ENCRYPTED) if await speaks_tls(host, port) else None
    return NotSecured(_sentence(found, host, port)) if found else error


def _sentence(trouble: Insecure, host: str, port: int) -> str:
    return f"no connection to {host}:{port}: {trouble}"


async def speaks_plain(host: str, port: int) -> bool:
    """Say whether a port answers a plain PING, be it with an error."""
    with suppress(OSError):
        async with asyncio.timeout(PROBE_WITHIN), _dialled(host, port) as (reader, writer):
            writer.write(b"PING\r\n")
            return await reader.read(1) in {b"+", b"-"}
    return False


async def speaks_tls(host: str, port: int) -> bool:
    """Say whether a port takes a TLS handshake; nothing else is sent."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(PROBE_WITHIN), _dialled(host, port, anybody):
            return True
    except ssl.SSLError as error:
        return classify(error) in {NO_CERTIFICATE, OLD}
    except OSError:
        return False


async def objection(host: str, port: int, context: ssl.SSLContext) -> Insecure | None:
    """Return what a server has against this client once they have shaken hands; nothing else is sent.

    (By TLS 1.3 a server refuses afterwards. One who writes meanwhile may lose the reason.)
    """
    try:
        async with asyncio.timeout(PROBE_WITHIN), _dialled(host, port, context) as (reader, _):
            await reader.read(1)
    except ssl.SSLError as error:
        fault = classify(error)
        return Insecure(fault, words(error)) if fault else None
    except OSError:
        return None
    return None


def terms(options: Any) -> ssl.SSLContext:
    """Return the terms of a handshake by redis-py's options of it; made again when a file of theirs has changed."""
    own = tuple((name, str(getattr(options, name))) for name in type(options).__slots__ if name != "context")
    try:
        files = [Path(path).stat() for path in (options.ca_certs, options.certfile, options.keyfile) if path]
        marks = tuple((state.st_ino, state.st_mtime_ns) for state in files)
        if own not in _MADE or _MADE[own][0] != marks:
            _MADE[own] = (marks, _make(options))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else words(error)
        raise Insecure(FILE, said) from error
    return _MADE[own][1]


_MADE: dict[tuple[tuple[str, str], ...], tuple[object, ssl.SSLContext]] = {}


def _make(options: Any) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=options.ca_certs, capath=options.ca_path, cadata=options.ca_data)
    made.check_hostname = options.check_hostname
    made.verify_mode = options.cert_reqs
    for flag in options.include_verify_flags or ():
        made.verify_flags |= flag
    for flag in options.exclude_verify_flags or ():
        made.verify_flags &= ~flag
    if options.certfile or options.keyfile:
        made.load_cert_chain(options.certfile, options.keyfile, options.password)
    if options.min_version is not None:
        made.minimum_version = options.min_version
    if options.ciphers is not None:
        made.set_ciphers(options.ciphers)
    return made


def terms_of(options: Mapping[str, Any]) -> ssl.SSLContext:
    """Return the terms of a handshake by the options of a connection or an address; raise Insecure as `terms`."""
    kept = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return terms(cast("Any", SSLConnection(**kept)).ssl_context)


@asynccontextmanager
async def _dialled(
    host: str, port: int, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    name = host if context else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(Exception):
            await writer.wait_closed()
