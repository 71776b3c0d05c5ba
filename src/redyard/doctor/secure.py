"""The TLS rung: a handshake with verification, and, when it fails, the one look that says why."""

import asyncio
import contextlib
import ssl
import time

from redyard.client import secure
from redyard.doctor.line import Line, Trouble
from redyard.doctor.target import Target

SURVIVED = frozenset(row.name for row in secure.TABLE if row.codes)
"""Faults of a certificate: a handshake that verifies nothing holds in spite of them."""

WITHIN = 1.2
"""Seconds that a handshake may take: a plain Redis waits for more of what it takes for a command."""


def context(target: Target, *, verifies: bool = True, names: bool = True) -> ssl.SSLContext:
    """Return the terms of a handshake."""
    try:
        made = ssl.create_default_context(cafile=target.ca_file)
        if target.cert_file:
            made.load_cert_chain(target.cert_file, target.key_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        name = getattr(error, "filename", None) or target.ca_file or ""
        raise Trouble(secure.FILE.name, f"{name}: {secure.words(error)}") from None
    if not verifies or not names:
        made.check_hostname = False
    if not verifies:
        made.verify_mode = ssl.CERT_NONE
    return made


def again(target: Target) -> ssl.SSLContext | None:
    """Return the terms of a second line to a server whose first handshake held; None without TLS."""
    return context(target, verifies=target.verifies) if target.tls else None


async def handshake(target: Target, address: str) -> tuple[Line, dict[str, str]]:
    """Return a verified line and what its certificate says, or raise Trouble."""
    try:
        async with asyncio.timeout(WITHIN):
            line = await Line.dial(target, address, context(target))
    except ssl.SSLCertVerificationError as error:
        raise await _explain(target, address, error) from None
    except (ssl.SSLError, ConnectionError, TimeoutError) as error:
        if fault := secure.classify(error):
            raise Trouble(fault.name, secure.words(error)) from None
        raise await _maybe_plain(target, address, error) from None
    return line, _facts(line)


async def objection(target: Target, address: str) -> Trouble | None:
    """Return what a server has against this client, told after a handshake that held: by TLS 1.3 it comes late."""
    found = await secure.objection(address, target.port, context(target, verifies=False))
    return Trouble(found.fault.name, str(found)) if found else None


async def unverified(target: Target, address: str) -> tuple[Line, dict[str, str]]:
    """Return a line that takes any certificate, as its address asks, and what verification would say."""
    would = "ok"
    try:
        line, _ = await handshake(target, address)
        await line.close()
    except Trouble as trouble:
        would = f"{trouble.fault}: {trouble.said}"
        if trouble.fault not in SURVIVED:
            raise
    return await Line.dial(target, address, context(target, verifies=False)), {"verified": would}


async def speaks(target: Target, address: str) -> bool:
    """Say whether the port takes a TLS handshake."""
    return await secure.speaks_tls(address, target.port)


async def _explain(target: Target, address: str, error: ssl.SSLCertVerificationError) -> Trouble:
    fault = secure.classify(error) or secure.UNKNOWN
    trouble = Trouble(fault.name, error.verify_message)
    if fault is secure.OTHER_NAME:
        with contextlib.suppress(OSError):
            line = await Line.dial(target, address, context(target, names=False))
            trouble.facts = _facts(line)
            await line.close()
    return trouble


async def _maybe_plain(target: Target, address: str, error: Exception) -> Trouble:
    said = getattr(error, "reason", "") or type(error).__name__
    with contextlib.suppress(OSError, Trouble, TimeoutError):
        line = await Line.dial(target, address)
        try:
            async with asyncio.timeout(0.5):
                await line.ask("PING")
            return Trouble("plain", said)
        except Trouble as trouble:
            if trouble.fault.isupper():  # an error of Redis is plain Redis, too
                return Trouble("plain", said)
        finally:
            await line.close()
    return Trouble("handshake", said)


def _facts(line: Line) -> dict[str, str]:
    certificate = line.certificate
    if not certificate:
        return {}
    left = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
    names = ", ".join(value for _, value in certificate.get("subjectAltName", ()))
    issuer = ", ".join(f"{name}={value}" for part in certificate.get("issuer", ()) for name, value in part)
    return {"names": names, "issuer": issuer, "ends": certificate["notAfter"], "seconds_left": f"{left:.0f}"}
