"""States: a digest that is the same on every engine, keys copied by commands, what was deleted found, and files."""

import asyncio
import time
from pathlib import Path

import pytest
import redis

from redyard.backups import canonical, copying, disaster, export, primary, restore
from redyard.backups.sample import compare, take_sample
from redyard.backups.scratch import can_import, scratch
from redyard.backups.storage import Directory
from redyard.engine.find import Engine
from redyard.errors import MomentUnknown, PrimaryRefused, TargetNotEmpty
from tests.backups.conftest import caught_up, fill, following, reader
from tests.support.servers import PASSWORDS, Server


def test_a_copy_by_commands_has_the_same_digest_on_another_engine(own_server: Server, other_server: Server) -> None:
    """Every type, end and database comes over, and the digest of both is one; another value makes it another."""
    fill(own_server.url)
    count = copying.copy(reader(own_server), reader(other_server))
    state = canonical.state(reader(own_server))

    assert 8 == count
    assert {0: 7, 7: 1} == state.keys
    assert state == canonical.state(reader(other_server))
    other_server.admin("ZADD", "zset", "1", "m2")
    assert state.digest != canonical.state(reader(other_server)).digest


def test_the_digest_survives_a_restart(own_server: Server) -> None:
    """An engine that read its files again encodes its values in another way; the digest is the same."""
    fill(own_server.url)
    before = canonical.state(reader(own_server))
    own_server.restart()

    assert before == canonical.state(reader(own_server))


def test_a_target_with_keys_is_refused(own_server: Server, other_server: Server) -> None:
    """Nothing is mixed into what somebody else has."""
    other_server.admin("SET", "mine", "1")
    with pytest.raises(TargetNotEmpty, match="database 0"):
        copying.check_empty(reader(other_server), "it")


def test_a_sample_tells_another_state(own_server: Server) -> None:
    """What a server said of itself agrees with it, until something changes."""
    fill(own_server.url)
    sample = take_sample(own_server.seat.socket, PASSWORDS["yard"])

    assert "" == compare(sample, reader(own_server))
    own_server.admin("HSET", "hash", "f1", "other")
    assert "'hash'" in compare(sample, reader(own_server))
    own_server.admin("DEL", "hash")
    assert "it has the keys" in compare(sample, reader(own_server))


@pytest.mark.parametrize("how", ["FLUSHALL", "MULTI", "DEL"])
async def test_the_state_before_a_disaster(own_server: Server, engine: Engine, tmp_path: Path, how: str) -> None:
    """FLUSHALL, FLUSHDB in a transaction and a long run of deletes are found; what was before is made again, whole."""
    async with following(own_server, tmp_path) as follower:
        with redis.Redis.from_url(own_server.admin_url) as app:
            with app.pipeline(transaction=False) as pipe:
                for number in range(1500):
                    pipe.set(f"key:{number}", "*1\r\n$8\r\nFLUSHALL\r\n")
                pipe.execute()
            await caught_up(own_server, follower)
            with app.pipeline(transaction=how == "MULTI") as pipe:
                if how == "DEL":
                    for number in range(1200):
                        pipe.delete(f"key:{number}")
                else:
                    pipe.set("in the same transaction", 1) if how == "MULTI" else None
                    pipe.execute_command("FLUSHDB" if how == "MULTI" else how)
                pipe.execute()
            app.set("after", 1)
    storage = Directory(tmp_path / "storage")
    found = disaster.last_disaster(storage)
    with scratch(engine, lambda data: restore.assemble(storage, found.recipe, data)) as made:
        assert {0: 1500} == canonical.state(made.client).keys


async def test_no_disaster_is_said(own_server: Server, tmp_path: Path) -> None:
    """A stream without one is no reason to restore anything."""
    async with following(own_server, tmp_path):
        own_server.admin("SET", "a", "FLUSHALL")
    with pytest.raises(MomentUnknown, match="no FLUSHALL"):
        disaster.last_disaster(Directory(tmp_path / "storage"))


async def test_a_server_follows_us_up_to_a_moment(own_server: Server, twin: Server, tmp_path: Path) -> None:
    """As its primary we fill an empty server with the very state, also where the moment cuts a transaction."""
    async with following(own_server, tmp_path) as follower:
        await asyncio.to_thread(fill, own_server.url)
        await caught_up(own_server, follower)
        offset = follower.spool.position.offset
        with redis.Redis.from_url(own_server.url) as app, app.pipeline() as pipe:
            pipe.set("half", 1).set("other half", 2).execute()
        await caught_up(own_server, follower)
    storage = Directory(tmp_path / "storage")
    recipe = restore.latest(storage)
    await asyncio.to_thread(primary.fill, reader(twin), storage, recipe._replace(until=offset + 60))

    assert ("master", 0) == (twin.admin("INFO", "replication")["role"], twin.admin("EXISTS", "half"))
    own_server.admin("DEL", "half", "other half")
    assert canonical.state(reader(own_server)) == canonical.state(reader(twin))
    with pytest.raises(PrimaryRefused):
        await asyncio.to_thread(primary.fill, canonical.connect(twin.url), storage, recipe)


async def test_what_ended_since_comes_back_with_its_time(own_server: Server, engine: Engine, tmp_path: Path) -> None:
    """A key whose time is over now is there in a scratch engine that imports, and lives on in a copy."""
    if not can_import(engine):
        return  # Redis drops it at once: the command refuses --shift-ttl there
    async with following(own_server, tmp_path) as follower:
        own_server.admin("SET", "session", "1", "PX", "300")
        own_server.admin("SET", "kept", "1")
        await caught_up(own_server, follower)
        moment = time.time()
    storage = Directory(tmp_path / "storage")
    recipe = restore.find(storage, moment)
    own_server.admin("FLUSHALL")
    while time.time() < moment + 0.4:
        own_server.admin("PING")
    with scratch(engine, lambda data: restore.assemble(storage, recipe, data), imports=True) as made:
        assert 1 == copying.copy(made.client, reader(own_server), pattern="ses*", shift=1000)

    assert 900_000 < own_server.admin("PTTL", "session") <= 1_000_300


@pytest.mark.parametrize("name", ["state.rdb", "state.jsonl"])
async def test_an_export_holds_everything(
    own_server: Server, other_server: Server, engine: Engine, tmp_path: Path, name: str
) -> None:
    """Lines of JSON make the same state on another engine; a dump begins as dumps do."""
    fill(own_server.url)
    async with following(own_server, tmp_path):
        pass
    storage, target = Directory(tmp_path / "storage"), tmp_path / name
    assert 8 == export.export(engine, storage, restore.latest(storage), target)
    if name.endswith("rdb"):
        assert target.read_bytes().startswith((b"REDIS", b"VALKEY"))
        return
    with target.open() as lines:
        assert 8 == export.load(lines, reader(other_server), "it")

    assert canonical.state(reader(own_server)) == canonical.state(reader(other_server))
