"""The keeper's clock, and what it does when the storage or the disk does not do its part."""

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, strategies as st

from redyard.backups.follow import Follower
from redyard.backups.keep import QUIET, Keeper, due
from redyard.backups.psync import Position
from redyard.backups.restore import assemble
from redyard.backups.retention import DAY, Policy
from redyard.backups.spool import HEARTBEAT, SEGMENT_SIZE, Begun, Spool, Taken
from redyard.backups.storage import Directory
from redyard.backups.timeline import Base, Facts, Recipe, Timeline
from redyard.errors import DirectoryBusy, NoMemory, SpoolFull, StorageBroken
from tests.backups.conftest import caught_up, following, source
from tests.support.servers import Server
from tests.support.wait import until


class Moody(Directory):
    """A directory that fails as long as it is told to."""

    broken = True

    def put(self, name: str, source: Path) -> None:
        """Fail, or keep it."""
        if self.broken:
            raise StorageBroken(storage=self.address, name=name, reason="it is away")
        super().put(name, source)


@given(st.text(), st.floats(0, 4e9))
def test_each_instance_has_its_own_quiet_minute(name: str, now: float) -> None:
    """The last due moment is within the last day, and in the quiet hours."""
    at = due(name, now)

    assert now - DAY < at <= now
    assert QUIET[0] <= at % DAY < sum(QUIET)
    assert at == due(name, at)


async def test_a_storage_that_fails_loses_nothing(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base and the stream wait in the spool; the trouble is told; when the storage is back, all of it is there."""
    monkeypatch.setattr("redyard.backups.follow.SHIP_AGAIN", 0.05)
    storage = Moody(tmp_path / "storage")
    async with following(own_server, tmp_path, storage) as follower:
        own_server.admin("SET", "key", "1")
        await caught_up(own_server, follower)
        follower.flush()
        await until(lambda: follower.storage_trouble)
        assert ([], 2) == (storage.names(), len(follower.spool.waiting()))
        assert follower.connected
        storage.broken = False
        await until(lambda: not follower.storage_trouble)
    timeline = Timeline(storage.names())

    assert (1, 1) == (len(timeline.bases), len(timeline.segments))


async def test_a_full_spool_stops_the_stream_and_goes_on(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its limit the spool takes no more; with the storage back, the stream goes on with the next byte."""
    monkeypatch.setattr("redyard.backups.follow.SHIP_AGAIN", 0.05)
    storage = Moody(tmp_path / "storage")
    async with following(own_server, tmp_path, storage) as follower:
        await until(lambda: follower.storage_trouble)
        follower._limit = 1
        follower._longest_pause = 0.1
        own_server.admin("SET", "key", "x" * (SEGMENT_SIZE + 1))
        await until(lambda: not follower.connected and SpoolFull.text[8:20] in follower.trouble)
        storage.broken = False
        await until(lambda: follower.connected)

    assert 1 == len(Timeline(storage.names()).bases)


async def test_a_keeper_takes_the_day_s_base_and_removes_what_is_old(own_server: Server, tmp_path: Path) -> None:
    """A base is due once a day; what the policy does not keep goes, facts first."""
    storage = Directory(tmp_path / "storage")
    policy = Policy(moments=0.0, daily=0.0, weekly=0.0)
    keeper = Keeper(source(own_server), storage, tmp_path / "spool", name="test", policy=policy)
    running = asyncio.create_task(keeper.run())
    try:
        await until(lambda: storage.names("base/"))
        old = Base(1000.0, 5, "0" * 16)
        storage.write(old.name, b"old")
        storage.write(f"{old.name}.json", b"{}")
        await keeper.prune(Timeline(storage.names()))
        assert old not in Timeline(storage.names()).bases
        [first] = Timeline(storage.names()).bases
        storage.delete(f"{first.name}.json")
        storage.write(old.name, b"old")
        storage.write(f"{old.name}.json", b"{}")
        await keeper._do_what_is_due()
        await keeper.follower.drain(10)
        assert Timeline(storage.names()).bases[-1].at > DAY
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        keeper.follower.spool.close()


def test_a_server_that_says_nothing_fills_no_storage(tmp_path: Path) -> None:
    """Heart-beats close no part, however old it is; a write does."""
    times = iter(range(0, 10_000, 100))
    spool = Spool(tmp_path, now=lambda: next(times))
    spool.begin(Position("a" * 40, 0), engine="valkey", version="9")
    for _ in range(3):
        spool.write(HEARTBEAT)
        assert not spool.is_full()
    spool.write(HEARTBEAT + b"*1\r\n$8\r\nFLUSHALL\r\n")

    assert spool.is_full()
    spool.close()


def test_no_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    """A disk that has not the room for a moment is named with what is needed, and nothing stays there."""
    storage, base = Directory(tmp_path / "storage"), Base(1000.0, 5, "0" * 16)
    storage.write(base.name, b"base")
    facts = Facts(sha256="", size=4, raw_size=10**15, engine="valkey", version="9", history="0" * 40)
    storage.write(f"{base.name}.json", msgspec.json.encode(facts))
    with pytest.raises(NoMemory, match="disk"):
        assemble(storage, Recipe(base, (), 5, base.at), tmp_path / "data")

    assert [] == list((tmp_path / "data").iterdir())


def test_one_spool_has_one_follower(tmp_path: Path) -> None:
    """A second one is refused: two streams in one file would be none."""
    spool = Spool(tmp_path)
    with pytest.raises(DirectoryBusy, match="another follower"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


def test_a_clock_set_back_leaves_no_hole(tmp_path: Path) -> None:
    """Marks go on with the clock that there is; the stream has every byte, and marks only grow in their offsets."""
    times = iter([100.0, 100.0, 100.1, 40.0, 40.2, 40.3, 40.4, 40.5])
    spool = Spool(tmp_path, now=lambda: next(times))
    spool.begin(Position("a" * 40, 0), engine="valkey", version="9")
    for _ in range(3):
        spool.write(b"x" * 10)
    spool.seal()
    [sealed] = spool.waiting()
    spool.close()

    assert [10, 20, 30] == [offset for offset, _ in sealed.marks]
    assert 30 == sealed.end


def test_a_kill_between_two_files_costs_no_base(tmp_path: Path) -> None:
    """After a base was taken, or a part closed, and before the next part began, the next byte is still known."""
    spool = Spool(tmp_path)
    begun = Begun("a" * 40, "a" * 40, 100, 5.0, "valkey", "9")
    spool.base_path(100).write_bytes(b"base")
    spool.take(Taken(begun, 4, str(spool.base_path(100))))
    spool.close()
    spool = Spool(tmp_path)
    assert Position("a" * 40, 100) == spool.position
    spool.write(b"x" * 50)
    spool.seal()
    spool.close()
    for path in tmp_path.glob("current.*"):
        path.unlink()
    spool = Spool(tmp_path)

    assert (Position("a" * 40, 150), 2) == (spool.position, len(spool.waiting()))
    spool.close()


async def test_who_is_cancelled_while_he_ships_ships_once(own_server: Server, tmp_path: Path) -> None:
    """The thread goes on by itself; whoever ships after it finds nothing left to do, and no error."""
    storage = Slow(tmp_path / "storage")
    follower = Follower(source(own_server), storage, tmp_path / "spool", name="test")
    await follower.base()
    first = asyncio.create_task(follower.ship_all())
    await until(storage.began.is_set)
    first.cancel()
    second = asyncio.create_task(follower.ship_all())
    storage.goes_on.set()
    await second
    follower.spool.close()

    assert (1, 1) == (storage.puts, len(Timeline(storage.names()).bases))


class Slow(Directory):
    """A directory that takes its time until it is told to go on."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.puts, self.began, self.goes_on = 0, threading.Event(), threading.Event()

    def put(self, name: str, source: Path) -> None:
        """Wait, and keep it."""
        self.puts += 1
        self.began.set()
        self.goes_on.wait(10)
        super().put(name, source)
