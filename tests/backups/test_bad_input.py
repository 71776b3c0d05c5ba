"""What people and machines get wrong: one clear error that names it, and nothing half restored."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from redyard.backups import proving, restore
from redyard.backups.place import open_storage
from redyard.backups.psync import Position
from redyard.backups.spool import Spool
from redyard.backups.storage import Directory
from redyard.backups.timeline import Base, Facts, Timeline
from redyard.engine.find import find
from redyard.errors import BackupDamaged, BadBackupKey, DiskFull, MomentUnknown, StorageBroken
from redyard.settings import Settings
from tests.backups.conftest import following
from tests.backups.test_places import make_key
from tests.support.servers import Server
from tests.support.yards import Sandbox


@pytest.fixture
async def kept(tmp_path: Path) -> Directory:
    """Backups of a server that is gone: a base, and two parts of a stream."""
    with Server(find()) as server:
        async with following(server, tmp_path) as follower:
            server.admin("SET", "first", os.urandom(300_000))
            await follower.drain(10)
            server.admin("SET", "second", os.urandom(300_000))
    return Directory(tmp_path / "storage")


async def test_a_wrong_key_restores_nothing(tmp_path: Path) -> None:
    """Another identity, and none, are told by the object's name, of a storage and by the command; no file is left."""
    (recipient, _), (_, wrong) = make_key(tmp_path / "key"), make_key(tmp_path / "wrong")
    with Server(find()) as server, Server(find()) as target:
        sealed = open_storage(str(tmp_path / "storage"), Settings(backups_recipient=recipient))
        async with following(server, tmp_path, sealed):
            server.admin("SET", "key", "1")
        for settings in (Settings(backups_identity=wrong), Settings(backups_recipient=recipient)):
            storage = open_storage(str(tmp_path / "storage"), settings)
            with pytest.raises(BadBackupKey, match=r"\.zst"):
                restore.assemble(storage, restore.latest(storage), tmp_path / "data")
            assert [] == list((tmp_path / "data").iterdir())
        yard = Sandbox()
        words = ("backups", "restore", str(tmp_path / "storage"), "--to", target.admin_url)
        refused = await asyncio.to_thread(yard.error, *words, REDYARD_BACKUPS_IDENTITY=wrong)
        yard.close()

        assert BadBackupKey.__name__ == refused["error"]
        assert (0, "master") == (target.admin("DBSIZE"), target.admin("INFO", "replication")["role"])


async def test_foreign_files_hinder_nothing(kept: Directory, tmp_path: Path) -> None:
    """Files of others, unfinished and misnamed objects are left alone; verify names them."""
    before = restore.assemble(kept, restore.latest(kept), tmp_path / "before")
    segment = Timeline(kept.names()).segments[0]
    foreign = {
        "README.txt": b"mine",
        "base/notes.json": b"{",
        "stream/../stream/x.aof.zst": b"?",
        f"{segment._replace(start=10**9, end=10**9 + 5).name}": b"unfinished",
        "logical/.hidden": b"",
    }
    for name, data in foreign.items():
        kept.write(name, data)

    assert before == restore.assemble(kept, restore.latest(kept), tmp_path / "after")
    faults = await asyncio.to_thread(proving.faults, kept, lambda _text: None)
    named = {fault.name for fault in faults}
    assert {"README.txt", "base/notes.json", "stream/x.aof.zst"} < named
    assert 4 == len(named)


async def test_facts_that_are_none_are_named(kept: Directory, tmp_path: Path) -> None:
    """What lies beside an object and cannot be read is damage, told by its name."""
    segment = Timeline(kept.names()).segments[-1]
    for facts in (b"", b"{}", b"[1]", b"\xff", b'{"sha256": 1}'):
        kept.write(f"{segment.name}.json", facts)
        with pytest.raises(BackupDamaged, match=segment.name[:30]):
            restore.assemble(kept, restore.find(kept, 9e9, now=lambda: 9e9), tmp_path / "data")

        assert not (tmp_path / "data" / restore.DIRECTORY).exists()


async def test_an_object_that_goes_meanwhile_is_named(kept: Directory, tmp_path: Path) -> None:
    """A restore that has begun ends as a whole."""
    recipe = restore.latest(kept)
    (kept.root / recipe.segments[0].name).unlink()
    with pytest.raises(StorageBroken, match="No such file"):
        restore.assemble(kept, recipe, tmp_path / "data")

    assert not (tmp_path / "data" / restore.DIRECTORY).exists()


async def test_a_disk_that_becomes_full_keeps_nothing(kept: Directory, tmp_path: Path) -> None:
    """Where the room that was there is taken meanwhile, the error names the place, and what was written is gone."""
    with largest_file(100_000), pytest.raises(DiskFull, match="data"):
        restore.assemble(kept, restore.latest(kept), tmp_path / "data")

    assert not (tmp_path / "data" / restore.DIRECTORY).exists()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse what is longer, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_clock_that_jumps_back_hides_no_byte(tmp_path: Path) -> None:
    """Of an hour that was twice, the second is meant; the newest state has everything; none of it raises."""
    times = iter([1000.0, 1000.0, 1001.0, 4000.0, 4001.0, 500.0, 501.0, 1500.0, 1501.0, *[2000.0] * 99])
    storage, spool = Directory(tmp_path / "storage"), Spool(tmp_path / "spool", now=lambda: next(times))
    spool.begin(Position("a" * 40, 0), engine="valkey", version="9")
    for _ in range(6):
        spool.write(b"x" * 10)
        spool.seal()
    for part in spool.waiting():
        part.ship(storage)
    spool.close()
    base = Base(1000.0, 0, "a" * 16)
    storage.write(base.name, b"")
    facts = Facts(sha256="", size=0, raw_size=0, engine="valkey", version="9", history="a" * 40)
    storage.write(f"{base.name}.json", msgspec.json.encode(facts))

    assert 60 == restore.latest(storage).until
    offsets = [restore.find(storage, at).until for at in (1000.5, 1501.5, 4500.0)]
    assert offsets == sorted(offsets)
    assert 60 == offsets[-1]
    with pytest.raises(MomentUnknown, match="the first moment"):
        restore.find(storage, 100.0)
