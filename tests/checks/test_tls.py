"""Problems of TLS, each made on a real engine with certificates of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.test_tls import make_authority, openssl
from tests.conftest import REDIS7
from tests.support.odd import Odd, diagnose
from tests.support.servers import free_port

pytestmark = pytest.mark.needs_redis7


def certificate(directory: Path, authority: Path, *, days: int = 300, name: str = "IP:127.0.0.1") -> tuple[Path, Path]:
    """Make a certificate for a name, and its key."""
    (directory / "names").write_text(f"subjectAltName={name}\n")
    made, key, request = directory / "server.crt", directory / "server.key", directory / "server.csr"
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=server")
    openssl("req", *new, "-keyout", key, "-out", request)
    signed = ("-CA", authority, "-CAkey", authority.with_suffix(".key"), "-CAcreateserial", "-days", days)
    openssl("x509", "-req", "-in", request, *signed, "-extfile", directory / "names", "-out", made)
    return made, key


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Callable[..., tuple[Odd, Path]]]:
    """Start servers with TLS and certificates as asked; the authority's file is returned, too."""
    from redyard.engine.find import examine

    made: list[Odd] = []

    def start(**options: object) -> tuple[Odd, Path]:
        authority = make_authority(tmp_path, "authority")
        public, key = certificate(tmp_path, authority, **options)
        words = ("--tls-cert-file", public, "--tls-key-file", key, "--tls-auth-clients", "no")
        server = Odd(examine(REDIS7), *words)
        made.append(server)
        server.tls_port = free_port()
        server.do("CONFIG", "SET", "tls-port", server.tls_port)
        return server, authority

    yield start
    for server in made:
        server.close()


def url(server: Odd, options: str = "", host: str = "127.0.0.1") -> str:
    return f"rediss://{host}:{server.tls_port}/0{options}"


async def test_a_good_certificate_is_no_finding(secured):
    """Known authority, right name, long to go."""
    server, authority = secured()
    found = await diagnose(url(server), environ={"REDIS_CA_FILE": str(authority)})

    assert set() == found.alarms


async def test_plain_text_to_a_tls_port(secured):
    """P12: redis:// where rediss:// is meant."""
    server, _ = secured()
    found = await diagnose(url(server).replace("rediss:", "redis:"))

    assert {"P12"} == found.alarms


async def test_an_unknown_authority(secured):
    """P13: the remedy gives the authority, and never switches verification off."""
    server, _ = secured()
    found = await diagnose(url(server), environ={})

    assert {"P13"} == found.alarms
    assert "REDIS_CA_FILE" in found["P13"].remedy


@pytest.mark.parametrize(("days", "critical"), [(5, False), (0, True)])
async def test_a_certificate_that_ends(secured, days, critical):
    """P14: soon, or already."""
    server, authority = secured(days=days)
    found = await diagnose(url(server), environ={"REDIS_CA_FILE": str(authority)})

    assert {"P14"} == found.alarms
    assert critical == (found["P14"].severity == "critical")


async def test_a_certificate_for_another_name(secured):
    """P15: the names that it is for are shown."""
    server, authority = secured(name="DNS:redis.example.com")
    found = await diagnose(url(server), environ={"REDIS_CA_FILE": str(authority)})

    assert {"P15"} == found.alarms
    assert "redis.example.com" in found["P15"].evidence["names"]


async def test_verification_is_switched_off(secured):
    """P16: what verification would say is told."""
    server, _ = secured()
    found = await diagnose(url(server, "?ssl_cert_reqs=none"), environ={})

    assert {"P16"} == found.alarms
    assert "unknown-authority" in found["P16"].evidence["with verification"]
