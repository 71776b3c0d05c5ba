"""Every way in which TLS fails is named, by the doctor and by the kit alike, at an edge and at an engine with TLS."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from redyard import Redis
from redyard.client.secure import TABLE, NotSecured, classify
from tests.support.odd import diagnose
from tests.support.secured import Secured, authority, server_certificate
from tests.support.servers import PASSWORDS


class Failure(NamedTuple):
    """How it is made (variables of the app may come of it), what the doctor finds, and what the kit says."""

    make: Callable[[Secured], dict[str, str] | None]
    finding: str
    said: str


def stranger(secured: Secured) -> dict[str, str]:
    """The app trusts another authority than the server's: of the same name, too."""
    path = secured.directory / "stranger.pem"
    path.write_text(authority().public)
    return {"REDIS_CA_FILE": str(path)}


def client(age: float = 0.0, *, foreign: bool = False) -> Callable[[Secured], dict[str, str]]:
    def make(secured: Secured) -> dict[str, str]:
        secured.present(clients=True)
        return {"REDIS_CERT_FILE": secured.client_certificate(authority("other") if foreign else None, age=age)}

    return make


def shown(**options: object) -> Callable[[Secured], None]:
    return lambda secured: secured.present(server_certificate(secured.authority, **options))


FAILURES = {
    "another authority": Failure(stranger, "P13", "signed by an authority that is not trusted here"),
    "no authority": Failure(lambda _: {"REDIS_CA_FILE": ""}, "P13", "signed by an authority that is not trusted here"),
    "foreign certificate": Failure(
        lambda secured: secured.present(server_certificate(authority())), "P13", "not trusted here"
    ),
    "expired": Failure(shown(age=100), "P14", "its certificate has expired"),
    "not yet valid": Failure(shown(age=-2), "P14", "its certificate is not valid yet"),
    "another name": Failure(shown(hosts=("redis.example.com",)), "P15", "is not for the host in the address"),
    "a client's certificate": Failure(
        lambda secured: secured.present(Path(secured.client_certificate()).read_text()),
        "purpose",
        "not one for servers",
    ),
    "none of the client": Failure(
        lambda secured: secured.present(clients=True), "client-certificate", "wants a certificate of this client"
    ),
    "the client's has ended": Failure(client(age=100), "client-certificate", "does not accept the certificate"),
    "the client's is foreign": Failure(client(foreign=True), "client-certificate", "does not accept the certificate"),
    "plain to TLS": Failure(lambda secured: {"REDIS_URL": secured.url(scheme="redis")}, "P12", "the port speaks TLS"),
    "TLS to plain": Failure(
        lambda secured: {"REDIS_URL": secured.server.url.replace("redis:", "rediss:")}, "P11", "speaks plain Redis"
    ),
    "no file": Failure(lambda _: {"REDIS_CA_FILE": "/nowhere/ca.pem"}, "certificate-file", "/nowhere/ca.pem"),
    "no certificate in it": Failure(
        lambda secured: {"REDIS_CA_FILE": str(secured.server.seat.configuration)},
        "certificate-file",
        "a file of the TLS",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_the_failure_is_named(secured: Secured, name: str) -> None:
    """The doctor finds it, the kit raises it soon, with what to do; neither shows the password or tries to send it."""
    environ = {**secured.environ(), **(FAILURES[name].make(secured) or {})}
    found = await diagnose(environ["REDIS_URL"], environ=environ)
    async with Redis.from_env(environ=environ) as app:
        with pytest.raises(NotSecured, match=FAILURES[name].said) as caught:
            await app.ping()

    assert {FAILURES[name].finding} == found.alarms
    assert "nothing was sent" in str(caught.value)
    assert PASSWORDS["default"] not in f"{caught.value} {found.examination.to_json()}"


async def test_blocking_commands_name_it_too(secured: Secured) -> None:
    """They have connections of their own."""
    async with Redis.from_env(environ={**secured.environ(), **stranger(secured)}) as app:
        with pytest.raises(NotSecured, match="not trusted here"):
            await app.blpop(["jobs"], timeout=5)


async def test_a_good_one_is_no_failure(secured: Secured) -> None:
    """With the authority's file, and a certificate of the client where it is asked for; nothing else is needed."""
    secured.present(clients=True)
    environ = secured.environ(REDIS_CERT_FILE=secured.client_certificate())
    found = await diagnose(environ["REDIS_URL"], environ=environ)
    async with Redis.from_env(environ=environ) as app:
        assert await app.ping()

    assert set() == found.alarms


async def test_a_new_authority_is_seen_without_a_restart(secured: Secured) -> None:
    """The file of authorities is read again when it has changed: a running app outlives the end of the old one."""
    path = secured.directory / "bundle.pem"
    path.write_text(secured.trusted.read_text())
    async with Redis.from_env(environ=secured.environ(REDIS_CA_FILE=str(path))) as app:
        assert await app.ping()
        following = authority("the next one")
        path.write_text(secured.trusted.read_text() + following.public)
        secured.present(server_certificate(following))
        secured.server.admin("CLIENT", "KILL", "TYPE", "normal")

        assert await app.ping()


def test_an_old_client_is_told_so(secured: Secured) -> None:
    """TLS 1.1 is refused, and its error classified."""
    import socket

    old = ssl.create_default_context(cafile=str(secured.trusted))
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", secured.port)) as line, pytest.raises(ssl.SSLError) as caught:
        old.wrap_socket(line, server_hostname="127.0.0.1")

    assert "old-protocol" == classify(caught.value).name


@pytest.mark.needs_redis7
async def test_an_old_server_is_named(secured: Secured) -> None:
    """One that speaks TLS 1.1 alone is not spoken to."""
    if not secured.server.engine.tls:
        secured.server.admin("PING")  # an edge speaks none that is old
        return
    settings = ("tls-ciphers", "ALL:@SECLEVEL=0", "tls-protocols")
    secured.server.admin("CONFIG", "SET", *settings, "TLSv1.1")
    try:
        found = await diagnose(secured.url(), environ=secured.environ())
        async with Redis.from_env(environ=secured.environ()) as app:
            with pytest.raises(NotSecured, match="no version of TLS in common"):
                await app.ping()
    finally:
        secured.server.admin("CONFIG", "SET", *settings, "TLSv1.2 TLSv1.3")

    assert {"protocol"} == found.alarms


def test_every_row_has_words() -> None:
    """What it means and what to do; no remedy switches verification off."""
    assert [] == [row.name for row in TABLE if not (row.meaning and row.remedy.endswith("."))]
    assert [] == [row.name for row in TABLE if "cert_reqs" in row.remedy]
