"""Following a server: what it writes is kept, whatever happens to either side, and any moment can be made again."""

import asyncio
import random
import time
from pathlib import Path

import pytest
import redis

from redyard import events
from redyard.backups import restore
from redyard.backups.follow import Follower
from redyard.backups.psync import Position, Replica, Source
from redyard.backups.spool import Spool
from redyard.backups.storage import Directory
from redyard.backups.timeline import Timeline
from redyard.errors import BackupDamaged, CannotFollow, FollowRefused
from redyard.events import Event
from tests.backups.conftest import Restored, caught_up, following, source
from tests.support.servers import Server, free_port
from tests.support.wait import until

PRECISION = 0.1
"""Seconds by which a restored moment may be older than the one asked for."""


def client(server: Server) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


async def test_every_moment_can_be_restored(own_server: Server, tmp_path: Path, restored: Restored) -> None:
    """The state of a moment holds what was acknowledged a tenth of a second before it, and nothing that came after."""
    history: list[tuple[float, float, int]] = []

    def count() -> None:
        with client(own_server) as app:
            for number in range(1, 3001):
                before = time.time()
                app.incr("counted")
                history.append((before, time.time(), number))

    async with following(own_server, tmp_path):
        await asyncio.to_thread(count)

    for at in random.sample([done for _, done, _ in history[500:]], 2):
        with client(await restored(at)) as app:
            found = int(app.get("counted"))
        least = max((number for _, done, number in history if done <= at - PRECISION), default=0)
        most = max(number for begun, _, number in history if begun <= at)

        assert least <= found <= most


async def test_all_kinds_of_writes_come_back(own_server: Server, tmp_path: Path, restored: Restored) -> None:
    """Types, databases, times to live, transactions and scripts are restored; what was there before the base, too."""
    with client(own_server) as app:
        app.rpush("before", *range(1000))
        async with following(own_server, tmp_path) as follower:
            app.hset("hash", mapping={"a": 1, "b": 2})
            app.zadd("set", {"x": 1.5})
            app.xadd("stream", {"k": "v"})
            app.set("mortal", "1", ex=1000)
            app.eval("redis.call('set', KEYS[1], ARGV[1])", 1, "by-script", "yes")
            with app.pipeline() as pipe:
                pipe.incr("one").incr("two").execute()
            with redis.Redis.from_url(own_server.url.replace("/0", "/5")) as fifth:
                fifth.set("elsewhere", 5)
            app.set("last", 1)
            await caught_up(own_server, follower)
    copy = await restored(time.time())

    with client(copy) as app:
        assert 1000 == app.llen("before")
        assert {"a": "1", "b": "2"} == app.hgetall("hash")
        assert (1.5, 1) == (app.zscore("set", "x"), app.xlen("stream"))
        assert 0 < app.ttl("mortal") <= 1000
        assert ["yes", "1", "1", "1"] == app.mget("by-script", "one", "two", "last")
    with redis.Redis.from_url(copy.url.replace("/0", "/5")) as fifth:
        assert b"5" == fifth.get("elsewhere")


async def test_a_cut_is_followed_by_the_next_byte(own_server: Server, tmp_path: Path, restored: Restored) -> None:
    """A lost connection costs no base: the stream goes on where it was cut."""
    async with following(own_server, tmp_path) as follower:
        with client(own_server) as app:
            for number in range(200):
                app.set(f"key:{number}", number)
                if number % 50 == 25:
                    own_server.admin("CLIENT", "KILL", "TYPE", "replica")
                    await until(lambda: follower.connected)
            await caught_up(own_server, follower)

    assert 1 == len(Timeline(Directory(tmp_path / "storage").names()).bases)
    with client(await restored(time.time())) as app:
        assert 200 == app.dbsize()


async def test_a_restarted_server_gets_a_new_base(own_server: Server, tmp_path: Path, restored: Restored) -> None:
    """After a restart the history is another one: a base is taken, and the moments after it can be restored."""
    async with following(own_server, tmp_path) as follower:
        with client(own_server) as app:
            app.set("before", 1)
            await caught_up(own_server, follower)
        before = time.time()
        await asyncio.to_thread(own_server.restart)
        await until(lambda: follower.connected and len(Timeline(follower.storage.names()).bases) == 2)
        with client(own_server) as app:
            app.set("after", 1)
        await caught_up(own_server, follower)

    with client(await restored(before)) as app:
        assert (True, False) == (app.exists("before") == 1, app.exists("after") == 1)
    with client(await restored(time.time())) as app:
        assert 2 == app.exists("before", "after")


async def test_a_follower_that_was_killed_goes_on_from_its_disk(own_server: Server, tmp_path: Path) -> None:
    """What had come is in the spool; the next follower asks for the next byte and takes no base."""
    async with following(own_server, tmp_path) as follower:
        with client(own_server) as app:
            app.set("first", 1)
        await caught_up(own_server, follower)
        position = follower.spool.position
    async with following(own_server, tmp_path) as follower:
        with client(own_server) as app:
            app.set("second", 2)
        await caught_up(own_server, follower)

        assert position.history == follower.spool.position.history
        assert 1 == len(Timeline(follower.storage.names()).bases)


async def test_a_backlog_that_does_not_reach_back_costs_a_base(
    own_server: Server, tmp_path: Path, restored: Restored
) -> None:
    """A server that wrote on for long gives another dump, here by way of its disk, and that is a gap; all is in it."""
    own_server.admin("CONFIG", "SET", "repl-diskless-sync", "no", "repl-backlog-size", 16 * 1024)
    async with following(own_server, tmp_path):
        own_server.admin("SET", "before", "1")
    for number in range(20):
        own_server.admin("SET", f"meanwhile:{number}", "x" * 16 * 1024)
    async with following(own_server, tmp_path) as follower:
        own_server.admin("SET", "after", "1")
        await until(lambda: len(Timeline(follower.storage.names()).bases) == 2)

    assert 1 == follower.gaps
    with client(await restored(time.time())) as app:
        assert 22 == app.dbsize()


async def test_damage_is_found_and_named(own_server: Server, tmp_path: Path, restored: Restored) -> None:
    """A backup whose bytes changed is not restored: the error names the object."""
    async with following(own_server, tmp_path):
        with client(own_server) as app:
            app.mset({f"key:{number}": "x" * 100 for number in range(1000)})
    storage = Directory(tmp_path / "storage")
    segment = Timeline(storage.names()).segments[0]
    path = tmp_path / "storage" / segment.name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)

    with pytest.raises(BackupDamaged, match=segment.name.replace(".", r"\.")):
        restore.assemble(storage, restore.find(storage, time.time()), tmp_path / "data")


async def test_a_server_that_refuses_is_named(own_server: Server) -> None:
    """A wrong password and a user without the right are told in the server's words, without the password."""
    with pytest.raises(FollowRefused, match="AUTH"):
        await Replica.open(source(own_server)._replace(password="wrong"))
    monitor = source(own_server)._replace(user="monitor", password="secret-of-monitor")
    with pytest.raises(CannotFollow, match="NOPERM") as caught:
        await Replica.open(monitor)

    assert "secret" not in str(caught.value) + repr(monitor)


@pytest.mark.parametrize("wanted", [False, True])
async def test_a_server_that_is_away_is_told_once(tmp_path: Path, heard: list[Event], wanted: bool) -> None:
    """A warning at the second failure and none after it; none at all where it is away because somebody wanted that."""
    follower = Follower(
        Source("127.0.0.1", free_port()),
        Directory(tmp_path / "storage"),
        tmp_path / "spool",
        name="test",
        longest_pause=0.01,
    )
    tries = 0

    def is_away() -> bool:
        nonlocal tries
        tries += 1
        return wanted

    follower.is_away = is_away
    running = asyncio.create_task(follower.run())
    await until(lambda: tries >= 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    follower.spool.close()

    assert (0 if wanted else 1) == [event.kind for event in heard].count(events.FOLLOW_LOST)
    assert wanted is not bool(follower.trouble)


def test_a_torn_mark_is_left_out(tmp_path: Path) -> None:
    """A spool whose last write was cut short is read up to it."""
    spool = Spool(tmp_path, now=lambda: 5.0)
    spool.begin(Position("a" * 40, 100), engine="valkey", version="9")
    spool.write(b"x" * 50)
    spool.close()
    with (tmp_path / "current.marks").open("ab") as marks:
        marks.write(b"9999 7.0\n14")
    again = Spool(tmp_path, now=lambda: 6.0)
    again.seal()
    [sealed] = again.waiting()
    again.close()

    assert (150, [(150, 5.0), (150, 6.0)]) == (sealed.end, sealed.marks)
