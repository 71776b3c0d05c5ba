"""Following over TLS as an ACL user with a password: the certificate is verified, and what was written comes back."""

import asyncio
import ssl
from pathlib import Path

import pytest
import redis

from redyard.backups import canonical, restore
from redyard.backups.follow import Follower
from redyard.backups.logical import Reading
from redyard.backups.psync import Replica, Source
from redyard.backups.scratch import serving
from redyard.backups.storage import Directory
from redyard.engine.find import examine
from redyard.errors import FollowRefused
from tests.client import test_tls
from tests.client.test_tls import PASSWORD, Secured
from tests.conftest import REDIS7
from tests.support.wait import until

pytestmark = pytest.mark.needs_redis7
secured = test_tls.secured


@pytest.fixture
def admin(secured: Secured) -> redis.Redis:
    """A client of an empty server, which has a user for replicas."""
    with redis.Redis(port=secured.plain_port, password=PASSWORD) as client:
        client.flushall()
        client.config_set("repl-diskless-sync-delay", 0)
        client.execute_command(
            "ACL", "SETUSER", "copier", "reset", "on", ">its-password", "+psync", "+replconf", "+ping"
        )
        yield client


def source(secured: Secured, authority: Path, **other: str) -> Source:
    """Return the server as it is followed."""
    tls = ssl.create_default_context(cafile=str(authority))
    return Source("127.0.0.1", secured.port, "copier", "its-password", tls)._replace(**other)


async def test_a_server_is_followed_over_tls(secured: Secured, admin: redis.Redis, tmp_path: Path) -> None:
    """The dump, the stream and the next byte after a cut come encrypted."""
    admin.set("before", "x" * 1_000_000)
    storage = Directory(tmp_path / "storage")
    follower = Follower(source(secured, secured.authority), storage, tmp_path / "spool", name="test", longest_pause=0.1)
    running = asyncio.create_task(follower.run())
    try:
        await until(lambda: follower.connected)
        admin.set("first", "1")
        admin.execute_command("CLIENT", "KILL", "TYPE", "replica")
        await until(lambda: follower.connected)
        admin.set("second", "2")
        offset = admin.info("replication")["master_repl_offset"]
        await follower.reach(offset, 10)
        await follower.drain(10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        follower.spool.close()

    assert 0 == follower.gaps
    with serving(examine(REDIS7), storage, restore.latest(storage)) as made:
        assert {0: 3} == canonical.state(made.client).keys


async def test_who_is_not_known_is_not_trusted(secured: Secured, admin: redis.Redis) -> None:
    """Another authority or another name ends it before the password is sent; a wrong password is told."""
    for wrong in (source(secured, secured.stranger), source(secured, secured.authority, host="localhost")):
        with pytest.raises(ssl.SSLCertVerificationError):
            await Replica.open(wrong)
    with pytest.raises(FollowRefused, match="AUTH"):
        await Replica.open(source(secured, secured.authority, password="wrong"))


async def test_keys_are_read_over_tls(secured: Secured, admin: redis.Redis) -> None:
    """A logical snapshot needs no more than its user's rights, and a connection that is encrypted."""
    admin.set("key", "1")
    admin.execute_command("ACL", "SETUSER", "copier", "~*", "+scan", "+dump", "+pttl", "+select")
    parts: list[bytes] = []

    async def sink(part: bytes) -> None:
        parts.append(part)

    assert 1 == (await Reading.take(source(secured, secured.authority), sink)).keys
