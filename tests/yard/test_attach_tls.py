"""Encrypted servers are attached when their certificate can be verified; each failure of it has its words."""

import pytest

from redyard.errors import NotAttachable
from redyard.yard.attached import examine
from tests.client.test_tls import Secured, secured  # noqa: F401 - the fixture

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
