"""Encrypted connections: the server shows a certificate of an authority that we know, for the name in the address."""

import asyncio
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import redis
import redis.exceptions as errors
import uvloop

from redyard import Redis
from redyard.client.secure import NotSecured
from tests.conftest import REDIS7
from tests.support.servers import free_port
from tests.support.wait import wait_until

pytestmark = pytest.mark.needs_redis7
PASSWORD = "a-password"


class Secured(NamedTuple):
    """A server with TLS, and the certificates that were made for it."""

    port: int
    plain_port: int
    authority: Path
    stranger: Path

    def url(self, host: str = "127.0.0.1") -> str:
        return f"rediss://:{PASSWORD}@{host}:{self.port}/0"


def openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def make_authority(directory: Path, name: str) -> Path:
    key, certificate = directory / f"{name}.key", directory / f"{name}.crt"
    subject = (
        "-subj",
        f"/CN={name}",
        "-days",
        "2",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    )
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # Python 3.13 takes no authority without it
    openssl("req", "-x509", *subject, *usage, "-keyout", key, "-out", certificate)
    return certificate


def make_certificate(directory: Path, authority: Path) -> None:
    """Make one for 127.0.0.1 alone, so that "localhost" is the wrong name."""
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=server")
    openssl("req", *new, "-keyout", directory / "server.key", "-out", directory / "server.csr")
    signed = ("-CA", authority, "-CAkey", authority.with_suffix(".key"), "-CAcreateserial", "-days", "2")
    names = ("-extfile", directory / "names", "-out", directory / "server.crt")
    openssl("x509", "-req", "-in", directory / "server.csr", *signed, *names)


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with tempfile.TemporaryDirectory(prefix="redyard-tls-", dir="/tmp") as name:
        directory = Path(name)
        made = Secured(free_port(), free_port(), *(make_authority(directory, name) for name in ("ours", "stranger")))
        make_certificate(directory, made.authority)
        files = ("--tls-cert-file", directory / "server.crt", "--tls-key-file", directory / "server.key")
        authority = ("--tls-ca-cert-file", made.authority, "--tls-auth-clients", "no")
        place = (
            "--port",
            made.plain_port,
            "--tls-port",
            made.port,
            "--bind",
            "127.0.0.1",
            "--dir",
            directory,
            "--save",
            "",
        )
        command = map(str, (REDIS7, *place, *files, *authority, "--requirepass", PASSWORD))
        with subprocess.Popen([*command], stdout=subprocess.DEVNULL) as process:
            wait_until(lambda: answers(made))
            yield made
            process.kill()


def answers(made: Secured) -> bool:
    with redis.Redis(port=made.plain_port, password=PASSWORD) as client:
        try:
            return bool(client.ping())
        except errors.RedisError:
            return False


async def test_a_known_authority_is_trusted(secured):
    """REDIS_CA_FILE names it; commands, pipelines and blocking commands are all encrypted."""
    environ = {"REDIS_URL": secured.url(), "REDIS_CA_FILE": str(secured.authority)}
    async with Redis.from_env(environ=environ) as client:
        assert await client.set("a", "x" * 100_000)
        assert [b"x" * 100_000] == await client.pipeline().get("a").execute()
        assert None is await client.blpop(["none"], timeout=0.01)


async def test_an_authority_can_be_in_the_address(secured):
    """As redis-py reads it."""
    async with Redis.from_url(f"{secured.url()}?ssl_ca_certs={secured.authority}") as client:
        assert await client.ping()


async def test_an_authority_can_be_an_argument(secured):
    """Of the constructor by parts, too."""
    options = {"ssl": True, "ssl_ca_certs": str(secured.authority), "password": PASSWORD}
    async with Redis(host="127.0.0.1", port=secured.port, **options) as client:
        assert await client.ping()


async def test_an_unknown_authority_is_refused(secured):
    """With another's certificate in REDIS_CA_FILE, and with the system's alone: the password is not sent."""
    for extra in ({"REDIS_CA_FILE": str(secured.stranger)}, {}):
        environ = {"REDIS_URL": f"{secured.url()}?socket_timeout=5", **extra}
        async with Redis.from_env(environ=environ) as client:
            with pytest.raises(errors.ConnectionError, match="certificate verify failed"):
                await client.ping()


async def test_a_certificate_for_another_name_is_refused(secured):
    """The one who answers is not the one whom the address names."""
    options = {"ssl_ca_certs": str(secured.authority), "socket_timeout": 5}
    async with Redis.from_url(secured.url("localhost"), **options) as client:
        with pytest.raises(errors.ConnectionError, match="not valid for 'localhost'"):
            await client.ping()


async def test_who_turns_verification_off_has_none(secured):
    """It takes an explicit option."""
    async with Redis.from_url(f"{secured.url()}?ssl_cert_reqs=none") as client:
        assert await client.ping()


@pytest.mark.parametrize("encrypted", [True, False])
async def test_the_wrong_kind_of_port_is_an_error_in_time(secured, encrypted):
    """Clear text at an encrypted port and the other way round: within the deadline, with the reason."""
    scheme, port = ("rediss", secured.plain_port) if encrypted else ("redis", secured.port)
    start = time.monotonic()
    async with Redis.from_url(f"{scheme}://:{PASSWORD}@127.0.0.1:{port}", socket_timeout=0.5) as client:
        with pytest.raises(NotSecured, match="speaks plain Redis" if encrypted else "speaks TLS") as error:
            await client.ping()

    assert time.monotonic() - start < 1.5
    assert PASSWORD not in str(error.value)


async def test_a_port_that_says_nothing_is_an_error_in_time():
    """Neither a greeting nor a refusal."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        async with Redis.from_url(f"rediss://127.0.0.1:{silent.getsockname()[1]}", socket_timeout=0.5) as client:
            with pytest.raises(errors.RedisError, match="did not run"):
                await client.ping()

    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_megabytes_both_ways(secured, new_loop):
    """Values of many records, thousands of commands in a write, a slow subscriber: on asyncio's loop and uvloop's."""
    large = os.urandom(2_000_000)
    environ = {"REDIS_URL": secured.url(), "REDIS_CA_FILE": str(secured.authority)}

    async def work() -> tuple[list[bytes], int, bytes]:
        async with Redis.from_env(environ=environ) as client, client.pubsub() as news:
            await news.subscribe("news")
            await asyncio.gather(*(client.set(f"large:{number}", large) for number in range(2)))
            found = await asyncio.gather(*(client.get(f"large:{number}") for number in range(2)))
            await asyncio.gather(*(client.incr("counted") for _ in range(2000)))
            await client.publish("news", large)
            while (heard := await news.get_message(timeout=5))["type"] != "message":
                pass
            return found, int(await client.getdel("counted")), heard["data"]

    with asyncio.Runner(loop_factory=new_loop) as runner:
        found, counted, heard = runner.run(work())

    assert [True] * 2 == [value == large for value in found]
    assert (2000, True) == (counted, heard == large)


async def test_a_server_that_parts_is_found_again(secured):
    """Its farewell ends the connection, and a subscriber hears of it at once; what is safe runs at the next one."""
    environ = {"REDIS_URL": secured.url(), "REDIS_CA_FILE": str(secured.authority)}
    async with Redis.from_env(environ=environ) as client, client.pubsub() as news:
        await news.subscribe("news")
        await client.set("a", 1)
        with redis.Redis(port=secured.plain_port, password=PASSWORD) as admin:
            admin.client_kill_filter(_type="normal")
            admin.client_kill_filter(_type="pubsub")

        await news.get_message(timeout=5)  # that it is subscribed
        with pytest.raises(errors.ConnectionError):
            await news.get_message(timeout=5)
        assert (b"1", 2) == (await client.get("a"), client.stats.connects)


async def test_a_handshake_that_is_cut_is_an_error_at_once():
    """The other side takes the greeting and goes away: it is tried again until the deadline, and says so."""

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    async with await asyncio.start_server(leave, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Redis.from_url(f"rediss://127.0.0.1:{port}?socket_timeout=0.5") as client:
            with pytest.raises(errors.ConnectionError, match="during the handshake"):
                await client.ping()
