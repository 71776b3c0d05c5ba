"""What a server says of itself."""

import pytest

from redyard.errors import EvictingServer, ServerTooOld
from redyard.reading import Guard, Reading, rows
from tests.support.clients import client

REDIS6 = {"redis_version": "6.2.14", "maxmemory_policy": "noeviction", "db0": {"keys": 3}, "db12": {"keys": 4}}


async def test_a_reading_says_what_the_server_is(server, engine):
    """Engine and version are the server's own, not those that it is compatible with."""
    async with client(server.url) as redis:
        await redis.set("a", 1)
        reading = await Reading.take(redis)

    assert (engine.name, engine.version) == (reading.engine, reading.version)
    assert server.process.pid == reading.process_id
    assert ("master", "standalone", "noeviction", False) == (
        reading.role, reading.mode, reading.policy, reading.loading
    )  # fmt: skip
    assert {0: 1} == reading.keys
    assert reading.aof_enabled
    assert reading.aof_ok
    assert reading.rdb_ok
    assert 0 < reading.used_memory < reading.maxmemory
    assert len(reading.run_id) == 40
    assert reading.maxclients


def test_a_reading_of_little_is_a_reading():
    """A server that hides most of INFO is still read."""
    reading = Reading.parse(REDIS6)

    assert ("redis", "6.2.14", 6, None, 7) == (
        reading.engine, reading.version, reading.major, reading.maxclients, reading.total_keys
    )  # fmt: skip


@pytest.mark.parametrize(
    ("info", "engine", "version"),
    [
        ({"server_name": "valkey", "valkey_version": "9.1.2", "redis_version": "7.2.4"}, "valkey", "9.1.2"),
        ({"valkey_version": "7.2.5", "redis_version": "7.2.4"}, "valkey", "7.2.5"),
        ({"redis_version": "8.0.1"}, "redis", "8.0.1"),
    ],
)
def test_engines_are_told_apart(info, engine, version):
    """Valkey reports a version of Redis, too."""
    reading = Reading.parse(info)

    assert (engine, version) == (reading.engine, reading.version)


@pytest.mark.parametrize("fault", ["aof_last_write_status", "aof_last_bgrewrite_status"])
def test_a_failing_append_only_file_shows(fault):
    """Either of its two statuses is enough."""
    assert not Reading.parse({fault: "err"}).aof_ok


@pytest.mark.parametrize(("policy", "evicts"), [("noeviction", False), (None, False), ("volatile-lru", True)])
def test_an_evicting_policy_shows(policy, evicts):
    """A server that does not say is taken at its best."""
    assert evicts == Reading.parse({"maxmemory_policy": policy}).evicts


async def test_a_guard_refuses_an_evicting_server(server):
    """By name of what is in danger; the override is explicit."""
    server.admin("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        async with client(server.url) as redis:
            with pytest.raises(EvictingServer, match=r"my sessions.*allkeys-lru"):
                await Guard(redis, "my sessions").check()
            await Guard(redis, "my sessions", allow_eviction=True).check()
    finally:
        server.admin("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_guard_asks_once(server):
    """A server that passed is not asked again."""
    async with client(server.url) as redis:
        guard = Guard(redis, "it")
        await guard.check()
        server.admin("CONFIG", "RESETSTAT")
        await guard.check()

    assert b"cmdstat_info" not in server.admin("INFO", "commandstats")


async def test_a_guard_refuses_an_old_server(server):
    """The error says what it is and what is needed."""
    async with client(server.url) as redis:
        with pytest.raises(ServerTooOld, match="the queue needs Valkey, or Redis 99"):
            await Guard(redis, "the queue", minimum=99).check()


def test_info_is_parsed_as_it_came():
    """A value may hold a colon; headings are left out."""
    assert {"a": "1:2", "b": ""} == rows(b"# Server\r\na:1:2\r\n\r\nb:\r\n")
