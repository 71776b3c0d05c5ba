"""Servers that let nobody follow them: all keys are read now and then, and these moments can be made again."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import itemgetter
from pathlib import Path

import msgspec
import pytest
import redis
import zstandard

from redyard import events
from redyard.backups import canonical, logical, primary, proving, restore
from redyard.backups.asking import pack
from redyard.backups.keep import Keeper
from redyard.backups.listing import listing
from redyard.backups.psync import Source
from redyard.backups.restore import facts_of, stream
from redyard.backups.scratch import serving
from redyard.backups.storage import Directory
from redyard.backups.timeline import LOGICAL, Base, Facts, Timeline
from redyard.engine.find import Engine
from redyard.errors import CannotRead, EngineDied, MomentUnknown, NotProved, PrimaryRefused, TargetRefused
from redyard.events import Event
from tests.backups.conftest import caught_up, fill, reader
from tests.support.servers import Server
from tests.support.wait import until

RIGHTS = ("~*", "&*", "+@all", "-psync", "-replconf", "-sync")
"""Of a user of a hosted Redis: everything but to follow."""


def hosted(server: Server, *rights: str) -> Source:
    """Return a server as a user sees it who may not follow it."""
    server.admin("ACL", "SETUSER", "tenant", "reset", "on", ">secret-of-tenant", *(rights or RIGHTS))
    return Source("127.0.0.1", server.port, "tenant", "secret-of-tenant")


@asynccontextmanager
async def kept(server: Server, root: Path, every: float = 3600.0) -> AsyncIterator[Keeper]:
    """Keep backups of a server that refuses, until its first snapshot is in the storage."""
    storage = Directory(root / "storage")
    keeper = Keeper(hosted(server), storage, root / "spool", name="test", every=every, longest_pause=0.1)
    running = asyncio.create_task(keeper.run())
    try:
        await until(lambda: Timeline(storage.names()).bases)
        yield keeper
        await keeper.follower.drain(10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        keeper.follower.spool.close()


async def test_a_server_that_refuses_is_read_key_by_key(
    own_server: Server, engine: Engine, tmp_path: Path, heard: list[Event]
) -> None:
    """Every type, database, end and function comes back in an engine; that it is so is told, once."""
    fill(own_server.url)
    own_server.admin("FUNCTION", "LOAD", "#!lua name=mine\nredis.register_function('f', function() return 1 end)")
    async with kept(own_server, tmp_path) as keeper:
        assert (False, 3600.0) == (keeper.facts(None).following, keeper.facts(None).snapshots_every)
    storage = Directory(tmp_path / "storage")
    told = [event for event in heard if event.kind == events.READ_INSTEAD]

    assert ["1h"] == [event.fields["every"] for event in told]
    assert "NOPERM" in told[0].fields["reason"]
    with serving(engine, storage, restore.latest(storage)) as made:
        assert canonical.state(reader(own_server)) == canonical.state(made.client)
        assert 1 == made.client.execute_command("FCALL", "f", 0)


def test_only_its_moments_exist(tmp_path: Path) -> None:
    """The listing says so; a moment between two snapshots, or after the last, is refused with those around it."""
    storage, facts = Directory(tmp_path), {"sha256": "", "raw_size": 1, "engine": "redis", "version": "6"}
    for at, history in ((1000.0, "a" * 16), (2000.0, "b" * 16)):
        base = Base(at, 0, history, LOGICAL)
        storage.write(base.name, b"x")
        storage.write(f"{base.name}.json", msgspec.json.encode(Facts(**facts, size=1, history=history, keys=7)))
    found = listing(storage, "here")

    assert (True, [], LOGICAL, 7) == (
        found["only_snapshots"],
        found["gaps"],
        *itemgetter("kind", "keys")(found["bases"][0]),
    )
    assert (1000.0, 2000.0) == (restore.find(storage, 1000.05).at, restore.latest(storage).at)
    for at, named in ((1500.0, 2), (2001.0, 1)):
        with pytest.raises(MomentUnknown, match="key by key") as caught:
            restore.find(storage, at)
        assert named == str(caught.value).partition("only ")[2].count("Z")


async def test_it_is_followed_as_soon_as_it_may_be(own_server: Server, tmp_path: Path) -> None:
    """A right that is given later ends the snapshots: the stream is better, and a base begins it."""
    own_server.admin("SET", "key", "1")
    async with kept(own_server, tmp_path, every=0.3) as keeper:
        await until(lambda: len(Timeline(keeper.storage.names()).bases) >= 2)
        own_server.admin("ACL", "SETUSER", "tenant", "+psync", "+replconf")
        await until(lambda: keeper.follower.connected)
        own_server.admin("SET", "later", "1")
        await caught_up(own_server, keeper.follower)
        assert keeper.facts(None).snapshots_every is None
    storage = Directory(tmp_path / "storage")

    assert "rdb" == Timeline(storage.names()).bases[-1].kind
    assert restore.find(storage, time.time()).segments


async def test_its_backups_are_proved(own_server: Server, engine: Engine, tmp_path: Path) -> None:
    """Digests that were taken while it was read agree with what is restored; with others it is not proved."""
    fill(own_server.url)
    async with kept(own_server, tmp_path):
        pass
    storage = Directory(tmp_path / "storage")
    assert [] == proving.faults(storage, lambda _text: None)
    proof = proving.prove(engine, storage, None, at=proving.any_moment(storage, 0.5), tell=lambda _text: None)
    assert (7, ["a sample of the server's keys"]) == (proof.keys[0], proof.compared)
    [base] = Timeline(storage.names()).bases
    facts = facts_of(storage, base.name)
    path = storage.root / f"{base.name}.json"
    name = next(iter(facts.digests))
    path.write_text(path.read_text().replace(facts.digests[name], "0" * 32))

    with pytest.raises(NotProved, match="is another"):
        proving.prove(engine, storage, None, at=base.at, tell=lambda _text: None)


async def test_another_server_takes_it_by_restore(own_server: Server, twin: Server, tmp_path: Path) -> None:
    """The commands of the snapshot make the very same state, pending messages of a stream's group too."""
    fill(own_server.url)
    own_server.admin("XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">")
    async with kept(own_server, tmp_path):
        pass
    storage = Directory(tmp_path / "storage")
    recipe = restore.latest(storage)
    logical.replay(storage, recipe.base, reader(twin))

    assert canonical.state(reader(own_server)) == canonical.state(reader(twin))
    assert 20 == twin.admin("XPENDING", "stream", "group")["pending"]
    with pytest.raises(PrimaryRefused):
        primary.fill(reader(twin), storage, recipe)


async def test_a_target_that_becomes_full_is_empty_again(own_server: Server, twin: Server, tmp_path: Path) -> None:
    """What could not be restored whole is taken back, and the target's own words are told."""
    with redis.Redis.from_url(own_server.url) as app, app.pipeline(transaction=False) as pipe:
        for number in range(3000):
            pipe.set(f"key:{number}", "x" * 1000)
        pipe.execute()
    async with kept(own_server, tmp_path):
        pass
    storage = Directory(tmp_path / "storage")
    used = twin.admin("INFO", "memory")["used_memory"]
    twin.admin("CONFIG", "SET", "maxmemory", used + 2_000_000)

    with pytest.raises(TargetRefused, match="maxmemory"):
        logical.replay(storage, restore.latest(storage).base, reader(twin))
    assert 0 == twin.admin("DBSIZE")


async def test_a_value_that_cannot_be_read_ends_the_restore(
    own_server: Server, twin: Server, engine: Engine, tmp_path: Path
) -> None:
    """An engine logs it and goes on without the key; ours ends, and says what it was. A server refuses it, too."""
    own_server.admin("SET", "key", "1")
    async with kept(own_server, tmp_path):
        pass
    storage = Directory(tmp_path / "storage")
    [base] = Timeline(storage.names()).bases
    raw = b"".join(map(bytes, stream(storage, base.name)))
    payload = reader(own_server).execute_command("DUMP", "key")
    broken = raw.replace(payload, payload[:-10] + b"\xff\xff" + payload[-8:])
    replace(storage, base, broken)

    with pytest.raises(EngineDied, match="payload version"), serving(engine, storage, restore.latest(storage)):
        pass
    with pytest.raises(TargetRefused, match="payload version") as caught:
        logical.replay(storage, base, reader(twin))
    assert logical.no_way(caught.value)


def replace(storage: Directory, base: object, raw: bytes) -> None:
    """Put other bytes into an object, with facts that fit them."""
    packed = zstandard.compress(raw)
    (storage.root / base.name).write_bytes(packed)
    facts = facts_of(storage, base.name)
    other = {"sha256": hashlib.sha256(packed).hexdigest(), "raw_size": len(raw), "size": len(packed)}
    (storage.root / f"{base.name}.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(facts, **other)))


@pytest.mark.parametrize("rights", [("~*", "+ping"), ("~*", "+scan", "+select"), ("~other*", "+@all", "-psync")])
async def test_a_user_who_may_not_read_is_told(own_server: Server, rights: tuple[str, ...]) -> None:
    """Nothing is half read: the error has the server's words, and no password."""
    own_server.admin("SET", "key", "1")

    async def sink(_part: bytes) -> None:
        return

    with pytest.raises(CannotRead, match=r"NOPERM|No permissions") as caught:
        await logical.Reading.take(hosted(own_server, *rights), sink)
    assert "secret" not in str(caught.value)


async def test_rights_that_are_not_needed_may_be_missing(own_server: Server) -> None:
    """SCAN, DUMP, PTTL and SELECT are enough, without transactions, INFO and what reads values."""
    own_server.admin("SET", "key", "1")
    parts: list[bytes] = []

    async def sink(part: bytes) -> None:
        parts.append(part)

    found = await logical.Reading.take(hosted(own_server, "~*", "-@all", "+scan", "+dump", "+pttl", "+select"), sink)

    assert (1, {}) == (found.keys, found.digests)
    assert pack(("SELECT", 0)) == parts[0]
