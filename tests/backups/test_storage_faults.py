"""A storage or a disk that fails, hangs, lies or is full for a while: nothing is lost, it is told, and it goes on."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from redyard import events
from redyard.backups import bucket as buckets, canonical, proving, restore
from redyard.backups.bucket import Bucket
from redyard.backups.follow import Follower
from redyard.backups.scratch import serving
from redyard.backups.storage import Directory, Storage
from redyard.backups.timeline import Timeline
from redyard.engine.find import find
from redyard.errors import StorageBroken
from redyard.events import Event
from tests.backups.conftest import caught_up, following, reader
from tests.support.moody_store import MoodyStore
from tests.support.servers import MB, Server
from tests.support.wait import until


@pytest.fixture
def moody(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MoodyStore]:
    """A store before the bucket's, whose faults a test chooses; nobody waits for it for long."""
    monkeypatch.setattr(buckets, "RETRIES", {"max_retries": 0})
    monkeypatch.setattr(buckets, "TIMEOUTS", {"timeout": "2s", "connect_timeout": "2s"})
    monkeypatch.setattr("redyard.backups.follow.SHIP_AGAIN", 0.05)
    store = MoodyStore(urlsplit(os.environ["AWS_ENDPOINT_URL"]).port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    yield store
    store.close()


@pytest.fixture
def one_server() -> Iterator[Server]:
    """A server of either engine: what fails here is not it."""
    server = Server(find())
    yield server
    server.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False).returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)


def write(server: Server, prefix: str, megabytes: int = 0) -> None:
    """Write some keys, of random bytes: they take as much room compressed."""
    server.admin("SET", prefix, "1")
    for number in range(megabytes * 4):
        server.admin("SET", f"{prefix}:{number}", os.urandom(MB // 4))


async def whole(server: Server, storage: Storage) -> None:
    """Assert that the backups are whole, of one history without a gap, and hold what the server does."""
    assert [] == await asyncio.to_thread(proving.faults, storage, lambda _text: None)
    assert 1 == len(Timeline(storage.names()).bases)
    with serving(server.engine, storage, restore.latest(storage)) as made:
        assert canonical.state(reader(server)) == canonical.state(made.client)


async def failing(follower: Follower, server: Server) -> None:
    """Write while the storage fails, until that is told."""
    write(server, "meanwhile", 1)
    await caught_up(server, follower)
    follower.flush()
    await until(lambda: follower.storage_trouble)


@pytest.mark.parametrize("mood", ["fail", "hang", "cut", "change"])
async def test_a_store_in_a_mood_loses_nothing(
    one_server: Server, moody: MoodyStore, tmp_path: Path, heard: list[Event], mood: str
) -> None:
    """What an object store refuses, never answers, cuts or changes waits here; it is told once, and then goes there."""
    storage = Bucket(f"s3://backups/{mood}/{one_server.port}")
    async with following(one_server, tmp_path, storage) as follower:
        write(one_server, "before")
        await follower.drain(10)
        moody.mood = mood
        await failing(follower, one_server)
        await until(lambda: moody.refused >= 2)
        assert follower.connected
        assert len(follower.spool.waiting()) >= 1
        moody.mood = ""
        await until(lambda: not follower.storage_trouble)
        write(one_server, "after")

    assert 1 == [event.kind for event in heard].count(events.SHIP_FAILED)
    await whole(one_server, storage)


async def test_a_wrong_checksum_of_the_right_bytes_is_looked_at(moody: MoodyStore, tmp_path: Path) -> None:
    """A store that encrypts answers with another checksum: what it has is read back, and is right."""
    storage, source = Bucket("s3://backups/tags"), tmp_path / "source"
    moody.mood = "misname"
    source.write_bytes(os.urandom(100_000))
    storage.put("small", source)
    source.write_bytes(os.urandom(9 * MB))
    storage.put("large", source)
    moody.mood = "change"
    with pytest.raises(StorageBroken, match="other bytes"):
        storage.write("few", b"data")
    moody.mood = ""

    assert source.read_bytes() == storage.read("large")


async def test_a_full_disk_of_the_storage_loses_nothing(
    one_server: Server, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory without room is told by its path; with room again, all that waited goes there."""
    monkeypatch.setattr("redyard.backups.follow.SHIP_AGAIN", 0.05)
    storage = Directory(small_disk / "kept")
    async with following(one_server, tmp_path, storage) as follower:
        await failing_disk(follower, one_server)
        assert str(small_disk) in follower.storage_trouble
        enlarge(small_disk)
        await until(lambda: not follower.storage_trouble)
        write(one_server, "after")

    assert not list(storage.root.rglob(".*"))
    await whole(one_server, storage)


async def failing_disk(follower: Follower, server: Server) -> None:
    write(server, "large", 3)
    await caught_up(server, follower)
    follower.flush()
    await until(lambda: follower.storage_trouble)


async def test_a_full_disk_of_the_spool_loses_nothing(
    one_server: Server, small_disk: Path, tmp_path: Path, heard: list[Event]
) -> None:
    """What finds no room here stays with the server; with room again, the stream goes on with the next byte."""
    (tmp_path / "spool").symlink_to(small_disk)
    storage = Directory(tmp_path / "storage")
    async with following(one_server, tmp_path, storage) as follower:
        follower._longest_pause = 0.05
        write(one_server, "large", 3)
        await until(lambda: events.FOLLOW_LOST in [event.kind for event in heard])
        assert "spool" in follower.trouble
        enlarge(small_disk)
        await until(lambda: follower.connected)
        await caught_up(one_server, follower)
        assert 0 == follower.gaps
        write(one_server, "after")

    await whole(one_server, storage)
