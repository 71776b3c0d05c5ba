"""The yard's authority and what it signs: made, followed by the next in time, private, and read by OpenSSL."""

import ssl
import stat
import time
from pathlib import Path

import pytest

from redyard.errors import CertificateBroken
from redyard.yard import certificates
from redyard.yard.authority import OVERLAP, Authority, load
from redyard.yard.certificates import AUTHORITY_DAYS, DAY, RENEW_AT, SERVER_DAYS

NOW = time.time()
HOSTS = {"localhost", "127.0.0.1", "::1", "10.0.0.5"}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(tmp_path: Path, clock: Clock) -> Authority:
    return Authority(tmp_path / "tls", clock=clock)


def equip(authority: Authority, **options: object) -> bool:
    papers = authority.papers(authority.directory.parent / "store")
    papers.server.parent.parent.mkdir(exist_ok=True)
    return authority.equip(papers, "redis-store", options.pop("hosts", HOSTS), **options)


def server(authority: Authority) -> certificates.Signed:
    return load(authority.papers(authority.directory.parent / "store").server)


def test_certificate_says_what_it_should() -> None:
    """Names and addresses, 90 days, begun a little before now, for servers alone, by P-256."""
    by = certificates.make_authority("an authority", now=NOW)
    made = certificates.make_server(by, "redis-store", HOSTS, now=NOW)

    assert (HOSTS, "an authority") == (set(made.names), made.issuer)
    assert SERVER_DAYS * DAY == pytest.approx(made.ends - made.begins)
    assert made.begins < NOW
    assert made.pem != certificates.make_server(by, "redis-store", HOSTS, now=NOW).pem


def test_two_authorities_of_one_name_are_not_confused() -> None:
    """A key's mark is in what it signs: a bundle with both serves."""
    first, second = (certificates.make_authority("the same", now=NOW) for _ in range(2))
    context = ssl.create_default_context(cadata=first.public + second.public)

    assert 2 == len(context.get_ca_certs())


@pytest.mark.parametrize(("part", "due"), [(0.1, False), (RENEW_AT - 0.01, False), (RENEW_AT + 0.01, True), (-1, True)])
def test_when_a_certificate_is_due(part: float, due: bool) -> None:
    """After two thirds of its life; or where the clock says that it is not valid yet."""
    made = certificates.make_server(certificates.make_authority("a", now=NOW), "s", HOSTS, now=NOW)

    assert due == made.is_due(made.begins + part * SERVER_DAYS * DAY)


def test_files_are_the_owner_s_alone(authority: Authority) -> None:
    """Keys are 0600 in directories of 0700, and the bundle holds none."""
    equip(authority)
    files = [path for path in authority.directory.parent.rglob("*") if path.is_file()]

    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in files}
    assert 0o700 == stat.S_IMODE(authority.directory.stat().st_mode)
    assert "PRIVATE" not in authority.bundle.read_text()
    assert {"authority-1.pem", "ca.pem", "server.pem", "client.pem"} == {path.name for path in files}


def test_nothing_is_made_twice(authority: Authority) -> None:
    """What is good stays; another address, or a request, makes it anew."""
    answers = [
        equip(authority),
        equip(authority),
        equip(authority, hosts={*HOSTS, "10.0.0.6"}),
        equip(authority, renew=True),
    ]

    assert [True, False, True, True] == answers


def test_a_certificate_is_renewed_in_time(authority: Authority, clock: Clock) -> None:
    """When two thirds are over, by the same authority."""
    equip(authority)
    first = server(authority)
    clock.now += 61 * DAY

    assert equip(authority)
    assert (first.issuer, True) == (server(authority).issuer, server(authority).ends > first.ends)


def test_the_next_authority_is_known_long_before_it_signs(authority: Authority, clock: Clock) -> None:
    """Both are in the bundle, the old one signs for 30 days more, then the new one; at its end the old one leaves."""
    equip(authority)
    clock.now += AUTHORITY_DAYS * RENEW_AT * DAY
    equip(authority)
    overlapping = (len(authority.all()), authority.bundle.read_text().count("BEGIN"), server(authority).issuer)
    clock.now += OVERLAP
    equip(authority)
    later = (authority.bundle.read_text().count("BEGIN"), server(authority).issuer)
    clock.now += AUTHORITY_DAYS * (1 - RENEW_AT) * DAY
    equip(authority)

    assert (2, 2, "Redyard authority 1") == overlapping
    assert (2, "Redyard authority 2") == later
    assert 1 == authority.bundle.read_text().count("BEGIN")


def test_a_yard_that_slept_for_years_begins_anew(authority: Authority, clock: Clock) -> None:
    """All has ended: a new authority signs at once."""
    equip(authority)
    clock.now += 2 * AUTHORITY_DAYS * DAY
    equip(authority)

    assert ("Redyard authority 2", 1) == (server(authority).issuer, authority.bundle.read_text().count("BEGIN"))


def test_a_damaged_file_is_named(authority: Authority) -> None:
    """Which file, and no word of what is in it."""
    equip(authority)
    path = authority.papers(authority.directory.parent / "store").server
    path.write_text("-----BEGIN CERTIFICATE-----\nMIIBsecret\n-----END CERTIFICATE-----\n")
    with pytest.raises(CertificateBroken, match=str(path)) as caught:
        load(path)

    assert "MIIB" not in str(caught.value)
