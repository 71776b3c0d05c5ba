"""Encrypted servers are attached when their certificate can be verified; each failure of it has its words."""

import sys

import pytest

from redyard.client.url import trusting
from redyard.errors import AuthorityUnusable, NotAttachable
from redyard.yard.attached import examine
from tests.client.test_tls import Secured, secured  # noqa: F401 - the fixture
from tests.support.yards import Sandbox

pytestmark = pytest.mark.needs_redis7


async def test_known_authority(secured: Secured) -> None:  # noqa: F811
    """Its certificate is named in the address."""
    seen = await examine(f"{secured.url()}?ssl_ca_certs={secured.authority}")

    assert ("redis", "master") == (seen.engine, seen.role)


async def test_unknown_authority(secured: Secured) -> None:  # noqa: F811
    """Without it the server is not trusted, and the message says how it would be."""
    with pytest.raises(NotAttachable, match="certificate cannot be verified") as caught:
        await examine(secured.url())

    assert "?ssl_ca_certs=FILE" in caught.value.remedy
    assert "a-password" not in str(caught.value)


async def test_plain_address_of_an_encrypted_port(secured: Secured) -> None:  # noqa: F811
    """A server that wants TLS closes the connection: the message guesses that."""
    with pytest.raises(NotAttachable, match="closes the connection at once") as caught:
        await examine(secured.url().replace("rediss:", "redis:"))

    assert "rediss://" in caught.value.remedy


async def test_certificate_of_another_name(secured: Secured) -> None:  # noqa: F811
    """Who answers must be who was asked for; another authority would not help."""
    with pytest.raises(NotAttachable, match="Hostname mismatch, certificate is not valid for 'localhost'") as caught:
        await examine(trusting(secured.url("localhost"), str(secured.authority)))

    assert "Write the host as the certificate names it." == caught.value.remedy


async def test_foreign_authority(secured: Secured) -> None:  # noqa: F811
    """A file of another authority trusts nobody here."""
    with pytest.raises(NotAttachable, match="certificate cannot be verified"):
        await examine(trusting(secured.url(), str(secured.stranger)))


@pytest.mark.parametrize(("text", "reason"), [(None, "no such file or directory"), ("", "it holds no certificate")])
async def test_file_that_is_no_authority(secured: Secured, tmp_path, text, reason) -> None:  # noqa: F811
    """It is the file's fault, not the server's, and said so."""
    file = tmp_path / "ca.crt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(AuthorityUnusable, match=reason) as caught:
        await examine(trusting(secured.url(), str(file)))

    assert 66 == caught.value.status


@pytest.mark.parametrize("by_option", [True, False])
def test_commands_trust_what_attach_was_given(yard: Sandbox, secured: Secured, by_option: bool) -> None:  # noqa: F811
    """`--ca-file` or REDIS_CA_FILE; afterwards `status`, `connect` and an app under `run` verify by it, unasked."""
    yard.json("up", "--detach")
    file = str(secured.authority)
    words, environ = (["--ca-file", file], {}) if by_option else ([], {"REDIS_CA_FILE": file})
    done = yard.run("attach", secured.url(), *words, **environ)
    app = "from redyard import Redis; import asyncio; print(asyncio.run(Redis.from_env().ping()))"

    assert 0 == done.returncode, done.stderr
    assert "running" == yard.phase("redis-store")
    assert "PONG\n" == yard.run("connect", "redis", "--", "PING").stdout
    assert "True\n" == yard.run("run", "--", sys.executable, "-W", "ignore", "-c", app).stdout


def test_what_is_not_trusted_is_not_attached(yard: Sandbox, secured: Secured) -> None:  # noqa: F811
    """Verification is on unless the address says otherwise; nothing is written down."""
    yard.json("up", "--detach")
    error = yard.error("attach", secured.url())

    assert "NotAttachable" == error["error"]
    assert "--ca-file" in error["hint"]
    assert [] == yard.calls.status()["instances"]
